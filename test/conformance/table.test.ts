/** Known scenarios of other projects, each with the result that it must have here. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { document, page } from "./document.ts"
import { breaker, bulkhead } from "./gates.ts"
import { table } from "./table.ts"

const all = Object.values(table).flat()

describe("the conformance table", () => {
  it("is large, names a source for each row, and no row twice", () => {
    assert.isAtLeast(all.length, 100)
    for (const { says, source } of all) assert.match(source, /^[A-Z.a-z][\w. -]+, .{5,}|^(RFC|AIP)/, says)
    const keys = all.map(({ policy, steps }) => `${policy} ${steps}`)
    assert.deepEqual(
      keys.filter((key, nth) => keys.indexOf(key) !== nth),
      []
    )
  })

  it("would find a row that is wrong", () => {
    assert.strictEqual(breaker("", "", {}, "4 fail; is closed").run(), "is closed: is open")
    assert.strictEqual(
      breaker("", "", {}, "4 fail; rejects 999").run(),
      "rejects 999: says to come again after 1000 ms"
    )
    assert.strictEqual(
      bulkhead("", "", { permits: 1, queueMax: 0 }, "begin a; queues b").run(),
      "queues b: was refused"
    )
  })

  it("is the page in the documentation; `npm run conformance` writes it", () => {
    assert.strictEqual(readFileSync(page, "utf8"), document())
  })
})

for (const [about, rows] of Object.entries(table)) {
  describe(about, () => {
    it.each(rows.map((row) => [`${row.says} (${row.source})`, row] as const))("%s", (_title, row) => {
      assert.isUndefined(row.run(), row.steps)
    })
  })
}
