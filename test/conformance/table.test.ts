/** Known scenarios of other projects, each with the result that it must have here. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { document, page } from "./document.ts"
import { breaker, bulkhead } from "./gates.ts"
import { cited, recalled } from "./sources.ts"
import { table } from "./table.ts"

const nowhere = recalled("nobody", "nowhere")
const all = Object.values(table).flat()

describe("the conformance table", () => {
  it("is large, names a source for each row, nearly always one that was opened, and no row twice", () => {
    const opened = all.filter(({ source }) => source.place.where !== undefined)
    assert.isAtLeast(opened.length, 220)
    assert.isAtMost(all.length - opened.length, 5)
    for (const { says, source } of all) {
      assert.match(source.place.project, /^[A-Z.a-z][\w. -]+$/, says)
      assert.isAbove(source.at.length, 2, says)
    }
    for (const { says, source } of opened) assert.match(source.place.where ?? "", /[ /].+/, says)
    for (const project of ["resilience4j", "Polly", "opossum", "Envoy"]) {
      assert.isAtLeast(opened.filter(({ source }) => source.place.project === project).length, 15, project)
    }
    const keys = all.map(({ policy, steps }) => `${policy} ${steps}`)
    assert.deepEqual(
      keys.filter((key, nth) => keys.indexOf(key) !== nth),
      []
    )
  })

  it("would find a row that is wrong", () => {
    assert.strictEqual(breaker("", nowhere, {}, "4 fail; is closed").run(), "is closed: is open")
    assert.strictEqual(
      breaker("", nowhere, {}, "4 fail; rejects 999").run(),
      "rejects 999: says to come again after 1000 ms"
    )
    assert.strictEqual(
      bulkhead("", nowhere, { permits: 1, queueMax: 0 }, "begin a; queues b").run(),
      "queues b: was refused"
    )
  })

  it("is the page in the documentation; `npm run conformance` writes it", () => {
    assert.strictEqual(readFileSync(page, "utf8"), document())
  })
})

for (const [about, rows] of Object.entries(table)) {
  describe(about, () => {
    it.each(rows.map((row) => [`${row.says} (${cited(row.source)})`, row] as const))("%s", (_title, row) => {
      assert.isUndefined(row.run(), row.steps)
    })
  })
}
