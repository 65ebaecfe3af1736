import { assert, describe, it } from "@effect/vitest"
import { PerKey } from "../src/internal/perKey.ts"

describe("a state per key", () => {
  const made = (keep: (state: { dear: boolean }) => boolean, crowded?: "forget" | "share") =>
    new PerKey<{ readonly key: string; dear: boolean }>((key) => ({ key, dear: false }), keep, crowded)

  it("forgets the longest unused that is not dear", () => {
    const keyed = made(({ dear }) => dear)
    keyed.of("a", 3).dear = true
    keyed.of("b", 3)
    keyed.of("c", 3)
    keyed.of("b", 3)
    keyed.of("d", 3)
    assert.deepEqual(
      ["a", "b", "c", "d"].map((key) => keyed.find(key)?.key),
      ["a", "b", undefined, "d"]
    )
  })

  it("looks at a few states for each new key, however many are dear", () => {
    let looks = 0
    const keyed = made(() => {
      looks++
      return true
    })
    for (let n = 0; n < 1000; n++) keyed.of(`key-${n}`, 1000)
    // The first that finds no room looks at each once.
    keyed.of("first", 1000)
    looks = 0
    for (let n = 0; n < 100; n++) keyed.of(`new-${n}`, 1000)
    assert.isAtMost(looks, 100 * 10)
    assert.strictEqual(keyed.size, 1000)
  })

  it("finds one that is no longer dear after a few more keys", () => {
    const keyed = made(({ dear }) => dear, "share")
    const states = Array.from({ length: 100 }, (_, n) => keyed.of(`key-${n}`, 100))
    for (const state of states) state.dear = true
    assert.strictEqual(keyed.of("x", 100), keyed.shared)
    const idle = states[70]
    if (idle !== undefined) idle.dear = false
    for (let n = 0; n < 20; n++) keyed.of(`new-${n}`, 100)
    assert.isUndefined(keyed.find("key-70"), "its place was taken")
    assert.strictEqual(keyed.size, 100)
  })
})
