import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { files } from "./files.ts"
import { docLinks, rules, serviceKeys } from "./rules.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))
const sources = files(/\.ts$/).filter(({ path }) => !path.startsWith("test/tidy/"))
const pages = files(/\.md$/)

describe("the tree is tidy", () => {
  it("there is something to look at", () => {
    assert.isAbove(sources.length, 50)
  })

  it.each(Object.entries(rules))("%s", (_, rule) => {
    assert.deepEqual([...sources, ...pages].flatMap(rule), [])
  })

  it("service keys are unique and begin with their package", () => {
    assert.deepEqual(serviceKeys(sources.filter(({ path }) => /^packages\/\w+\/src\//.test(path))), [])
  })

  it("every page is linked and no link is dead", () => {
    assert.deepEqual(
      docLinks(pages, (path) => existsSync(root + path)),
      []
    )
  })
})
