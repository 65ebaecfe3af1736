/** What the README shows of an outage is what the storefront says. */
import { readFileSync } from "node:fs"
import { afterAll, assert, beforeAll, it } from "vitest"
import { ask, type Storefront, start } from "./storefront.ts"

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8")
const consoles = [...readme.matchAll(/```console\n([\s\S]*?)```/g)].map((match) => match[1] ?? "")

let shop: Storefront
beforeAll(async () => {
  shop = await start()
})
afterAll(() => shop?.stop())

/** The curl line as a request to this shop. */
const request = (line: string): Promise<Awaited<ReturnType<typeof ask>>> => {
  const url = /http:\/\/127\.0\.0\.1:(400[01])(\S*)/.exec(line)
  const body = /-d '([^']*)'/.exec(line)?.[1]
  const headers = [...line.matchAll(/-H '([^:]+): ([^']*)'/g)].map(
    ([, name = "", value = ""]) => [name, value] as const
  )
  return ask((url?.[1] === "4001" ? shop.admin : shop.api) + (url?.[2] ?? ""), {
    method: /-X (\w+)/.exec(line)?.[1] ?? "GET",
    headers: Object.fromEntries(headers),
    ...(body === undefined ? {} : { body })
  })
}

it("the README has a page and an order in an outage", () => {
  assert.lengthOf(consoles, 2)
  assert.isAtMost(readme.split("\n").length, 150)
})

it("and both are what one sees", async () => {
  for (const text of consoles) {
    const lines = text.trim().split("\n")
    const commands = lines.filter((line) => line.startsWith("$ "))
    const seen = await commands.reduce<Promise<Awaited<ReturnType<typeof ask>> | undefined>>(async (before, line) => {
      await before
      return request(line)
    }, Promise.resolve(undefined))
    assert.isDefined(seen)
    const shown = lines.slice(lines.indexOf(commands.at(-1) ?? "") + 1)
    assert.include(shown[0], String(seen?.status))
    const blank = shown.indexOf("")
    for (const header of shown.slice(1, blank)) {
      const [name = "", value] = header.split(": ")
      assert.strictEqual(seen?.headers.get(name), value, name)
    }
    assert.deepEqual(seen?.body, JSON.parse(shown.slice(blank + 1).join("")))
  }
})
