import { assert, describe, it } from "@effect/vitest"
import { Answer, Health, Journal, Signal } from "@failsoft/core"
import * as Effect from "effect/Effect"

const all = Answer.qualities.map(
  (quality, n): Answer.Answer<number> =>
    quality === "fresh" ? Answer.fresh(n) : Answer.degraded(n, { quality, reason: `r${n}`, asOf: n })
)
const plus = (a: number, b: number) => a + b
const join = (a: Answer.Answer<number>, b: Answer.Answer<number>) => Answer.zipWith(a, b, plus)

describe("combining answers", () => {
  it("takes the worst, whatever the order, the grouping and the repetition", () => {
    for (const a of all) {
      assert.strictEqual(join(a, a).quality, a.quality)
      assert.strictEqual(join(Answer.fresh(0), a).quality, a.quality)
      for (const b of all) {
        assert.strictEqual(join(a, b).quality, Answer.worst([a.quality, b.quality]))
        assert.strictEqual(join(a, b).quality, join(b, a).quality)
        for (const c of all) assert.deepEqual(join(join(a, b), c), join(a, join(b, c)))
      }
    }
  })

  it("keeps the reason of the worst and the older time", () => {
    const old = Answer.degraded(1, { quality: "stale", reason: "old", asOf: 5 })
    const guessed = Answer.degraded(2, { quality: "optimistic", reason: "guess", asOf: 9 })
    assert.deepEqual(join(old, guessed), { value: 3, quality: "optimistic", reason: "guess", asOf: 5 })
  })

  it("of nothing is fresh", () => {
    assert.strictEqual(Answer.worst([]), "fresh")
  })
})

describe("the journal", () => {
  it.effect("keeps a limited number of entries and counts the rest", () =>
    Effect.gen(function* () {
      const journal = yield* Journal.make
      const entry = { downstream: "a", method: "b", quality: "stale", reason: "c" } as const
      for (let i = 0; i < Journal.entriesMax + 5; i++) journal.add(entry)
      assert.lengthOf(journal.entries(), Journal.entriesMax)
      assert.strictEqual(journal.dropped(), 5)
    })
  )
})

describe("the bus", () => {
  it.effect("serves several listeners, survives one that throws, and forgets closed ones", () =>
    Effect.gen(function* () {
      const bus = yield* Signal.make
      const seen: Array<string> = []
      const signal = { _tag: "AttemptTimedOut", at: 0, downstream: "a", method: "b", limitMillis: 1 } as const
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* bus.subscribe(() => {
            throw new Error("a bad listener")
          })
          yield* bus.subscribe(({ _tag }) => seen.push(_tag))
          bus.emit(signal)
        })
      )
      assert.isFalse(bus.active)
      bus.emit(signal)
      assert.deepEqual(seen, ["AttemptTimedOut"])
      assert.strictEqual(bus.failed, 1)
    })
  )
})

describe("health as observed", () => {
  it("is failing after a failure, working after an answer, and forgets a failure without traffic", () => {
    assert.strictEqual(Health.judge({}, 0), "unknown")
    assert.strictEqual(Health.judge({ lastGoodAt: 1, lastBadAt: 2 }, 3), "failing")
    assert.strictEqual(Health.judge({ lastGoodAt: 3, lastBadAt: 2 }, 3), "working")
    // The last thing that is known of it was bad, and that was long ago.
    assert.strictEqual(Health.judge({ lastGoodAt: 1, lastBadAt: 2 }, 2 + Health.memoryMillis + 1), "unknown")
    assert.strictEqual(Health.judge({ lastBadAt: 2 }, 2 + Health.memoryMillis + 1), "unknown")
  })
})
