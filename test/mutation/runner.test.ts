/** The runner of mutants kills one that a test can tell from the original, and reports one that lives. */
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, describe, it } from "vitest"
import { mutantsOf } from "./mutants.ts"
import { share, survivors, table } from "./report.ts"
import { type Equivalent, run } from "./runner.ts"
import { withMutant } from "./types.ts"

const root = dirname(dirname(import.meta.dirname))
const file = "test/mutation/fixtures/permits.ts"
const text = readFileSync(join(root, file), "utf8")
const equivalent: Equivalent = {
  file,
  line: "if (this.taken > 0) this.taken--",
  change: ["this.taken > 0", "this.taken >= 0"],
  reason: "an example of an entry"
}
const options = { root, sources: [file], tests: ["test/mutation/fixtures/permits.cases.ts"] }

describe("the runner of mutants", () => {
  it("tells the killed from those that live, that are refused and that are ignored", async () => {
    const told: Array<string> = []
    const results = await run({ ...options, equivalents: [equivalent], tell: (line) => told.push(line) })
    const outcome = (line: string, replacement: string) =>
      results.filter(({ mutant }) => mutant.source.startsWith(line) && mutant.replacement === replacement)
    const only = (line: string, replacement: string) => {
      const [one, ...others] = outcome(line, replacement)
      assert.lengthOf(others, 0, `${line} → ${replacement}`)
      return one
    }
    // Killed by a test that fails, or because it never ends.
    assert.strictEqual(only("if (this.taken >= this.most)", "this.taken > this.most")?.outcome, "killed")
    const endless = only("this.taken++", "this.taken--")
    assert.strictEqual(endless?.outcome, "killed")
    assert.strictEqual(endless?.by, "test/mutation/fixtures/permits.cases.ts")
    // It lives only while its module is loaded, long before the test runs.
    assert.strictEqual(only("export const standard", "false")?.outcome, "killed")
    // Lives: nobody looks, or nobody comes by.
    assert.strictEqual(only("if (this.taken > 0)", "true")?.outcome, "survived")
    const unseen = only("return this.most - this.taken", "this.most + this.taken")
    assert.deepInclude(unseen, { outcome: "survived", why: "no test comes by" })
    // The type checker would not let it in.
    assert.strictEqual(only("export const standard", "{}")?.outcome, "killed")
    assert.strictEqual(only("get free(): number {", "{}")?.outcome, "refused")
    assert.deepInclude(only("if (this.taken > 0)", "this.taken >= 0"), { outcome: "ignored", why: equivalent.reason })
    assert.isTrue(told.some((line) => line.startsWith("left out, it fails without a mutant")))

    assert.isAbove(share(results), 0.5)
    assert.isBelow(share(results), 1)
    assert.match(table(results), /\| `test\/mutation\/fixtures\/permits.ts` \| \d+ \|/)
    assert.isTrue(survivors(results).some((line) => line.includes("permits.ts:18:9 condition: this.taken > 0 → true")))
  })

  it("refuses an entry that excludes no mutant", async () => {
    const stale = { ...equivalent, line: "if (this.taken > 1) this.taken--" }
    const outcome = await run({ ...options, equivalents: [stale] }).then(
      () => "ran",
      (error: unknown) => String(error)
    )
    assert.match(outcome, /take it away/)
  })
})

describe("the mutants of a text", () => {
  const changes = (source: string) => mutantsOf("a.ts", source).mutants.map((mutant) => withMutant(source, mutant))

  it("are the small changes of what runs, none of types, names and imports", () => {
    assert.deepEqual(changes('import { a } from "b"\ninterface A { readonly "c": "d" }\nexport { a } from "e"'), [])
    assert.sameMembers(changes("f(a < b)"), ["f(true)", "f(false)", "f(a <= b)", "f(a >= b)"])
    assert.sameMembers(changes("f(a?.b.c ?? d)"), ["f((a?.b.c) && (d))", "f(a.b.c ?? d)"])
    assert.sameMembers(changes("f(Math.min(a, b))"), ["f(Math.max(a, b))"])
    assert.sameMembers(changes("const f = () => ({ a: -b })"), [
      "const f = () => undefined",
      "const f = () => ({})",
      "const f = () => ({ a: b })"
    ])
    assert.sameMembers(changes("a ||= !b"), ["a &&= !b", "a ||= b"])
  })

  it("stand in one text that runs as the original while none of them lives", () => {
    const { mutants, text: all } = mutantsOf(file, text)
    assert.isAbove(mutants.length, 20)
    assert.strictEqual(all.split("\n").length, text.split("\n").length)
    // Without semicolons, a line that begins with a parenthesis would call the one before.
    assert.match(mutantsOf("a.ts", "const a = b\na.c++").text, /const a = b\n;\(/)
  })
})
