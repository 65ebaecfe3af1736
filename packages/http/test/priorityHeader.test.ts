import { assert, describe, it } from "@effect/vitest"
import { statedPriority } from "../src/internal/priorityHeader.ts"

describe("the header Priority", () => {
  it("is a dictionary of RFC 9651: the last word of a key holds", () => {
    assert.strictEqual(statedPriority("u=0, u=7"), "sheddable")
    assert.strictEqual(statedPriority("u=7, i, u=1"), "critical")
    assert.strictEqual(statedPriority("u=7, u=3"), undefined)
    assert.strictEqual(statedPriority("u=7, u=9"), undefined)
    assert.strictEqual(statedPriority("u=7, u"), undefined)
  })

  it("says nothing inside of a string, nor as a parameter or another key", () => {
    for (const field of ['x="a, u=0, b"', 'x="\\", u=0, b"', "x=1;u=0", "uu=0", "U=0", "u =0", '"u=0"', ""]) {
      assert.strictEqual(statedPriority(field), undefined, field)
    }
  })

  it("may have parameters and spaces", () => {
    assert.strictEqual(statedPriority(" i ,  u=6;a=b;c "), "sheddable")
    assert.strictEqual(statedPriority('x="a, b", u=0'), "critical")
  })

  it("is read in time that grows with its length only", () => {
    const fields = ["u=", ",u=9", " ,", '"', "\\", '\\"', "u=1;"].map((part) => part.repeat(100_000))
    const startedAt = performance.now()
    for (const field of fields) statedPriority(field)
    assert.isBelow(performance.now() - startedAt, 2000)
  })
})
