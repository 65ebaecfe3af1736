import { assert, describe, it } from "@effect/vitest"
import { Call, Composition, Policy } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { bad, ending, good, living } from "./kit.ts"

const deadlines = [20, 100, 250, 400, 1000, 2000, 5000, 30_000, 120_000]

const value = (policy: Policy.Policy, kind: string, knob: string) =>
  Number(policy.parts.find((part) => part.kind === kind)?.knobs[knob]?.initial)

describe("the standard stack", () => {
  it.each(deadlines)("is sound and follows from a deadline of %i ms", (deadline) => {
    for (const policy of [Policy.standard({ deadline }), Policy.standardOnce({ deadline })]) {
      assert.deepEqual(Composition.problemsOf(policy), [])
      assert.deepEqual(Composition.problemsOfBudget(policy, deadline), [])
      const attempt = value(policy, "timeout", "limitMillis")
      assert.isAtLeast(value(policy, "circuitBreaker", "windowMillis"), 2 * attempt)
      // For less it would probe while attempts still hang from before, for longer it refuses who is back.
      assert.isAtLeast(value(policy, "circuitBreaker", "openMillis"), attempt)
      assert.isAtMost(value(policy, "circuitBreaker", "openMaxMillis"), Math.max(300, attempt))
      assert.isAtMost(Composition.worstLoad(policy), 1.1)
    }
    assert.isAtMost(value(Policy.standard({ deadline }), "timeout", "limitMillis"), deadline / 3)
  })

  it("has the default order, outermost first", () => {
    const kinds = (policy: Policy.Policy) => policy.parts.map(({ kind }) => kind)
    assert.deepEqual(kinds(Policy.standard()), ["deadline", "retry", "circuitBreaker", "adaptiveLimit", "timeout"])
    assert.deepEqual(kinds(Policy.standardOnce()), ["deadline", "circuitBreaker", "adaptiveLimit", "timeout"])
  })

  it("fits a small ceiling of calls at once", () => {
    assert.deepEqual(Composition.problemsOf(Policy.standard({ limitMax: 1 })), [])
  })

  it.effect("does not answer a half-broken downstream with a storm, nor with an open circuit", () =>
    Effect.gen(function* () {
      const { intercept, state } = yield* living(Policy.standard())
      let asked = 0
      const half = Effect.suspend((): Call.Call<string, unknown> => (asked++ % 2 === 0 ? bad : good))
      const calls = 2000
      let answered = 0
      for (let nth = 0; nth < calls; nth++) {
        yield* Effect.forkChild(
          Effect.map(ending(intercept(half)), (end) => {
            if (end === "answered") answered++
          })
        )
        yield* TestClock.adjust("10 millis")
      }
      yield* TestClock.adjust("1 second")
      assert.isAtMost(asked / calls, 1.12, "a tenth of the calls, and one a second")
      assert.isAtLeast(answered / calls, 0.54, "the retries that are granted lift the half that is answered")
      assert.strictEqual(state().circuit, "closed")
    })
  )

  it.effect("stops asking a dead downstream, and is back within two seconds of traffic", () =>
    Effect.gen(function* () {
      const { intercept, state } = yield* living(Policy.standard())
      let dead = true
      let asked = 0
      const call = Effect.suspend((): Call.Call<string, unknown> => {
        asked++
        return dead ? bad : Effect.delay(good, 5)
      })
      const traffic = (millis: number) =>
        Effect.gen(function* () {
          const ends: Array<Fiber.Fiber<string>> = []
          for (let at = 0; at < millis; at += 10) {
            ends.push(yield* Effect.forkChild(ending(intercept(call))))
            yield* TestClock.adjust("10 millis")
          }
          yield* TestClock.adjust("1 second")
          return yield* Effect.forEach(ends, Fiber.join)
        })
      yield* traffic(5000)
      assert.strictEqual(state().circuit, "open")
      assert.isAtMost(asked, 100, "of 500 calls")
      dead = false
      const ends = yield* traffic(4000)
      const lastBad = ends.findLastIndex((end) => end !== "answered")
      assert.isAtMost(lastBad * 10, 2000)
      assert.strictEqual(state().circuit, "closed")
    })
  )
})
