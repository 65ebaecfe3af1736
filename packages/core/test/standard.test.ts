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
      assert.isAtLeast(value(policy, "circuitBreaker", "openMillis"), Math.min(300, attempt))
      // For longer it refuses who is back.
      assert.strictEqual(value(policy, "circuitBreaker", "openMaxMillis"), 300)
      assert.isAtMost(Composition.worstLoad(policy), 1.1)
    }
    assert.isAtMost(value(Policy.standard({ deadline }), "timeout", "limitMillis"), deadline / 3)
  })

  /** By hand from the page of the standard stack: an attempt is a quarter, a backoff a fortieth to a tenth, and so on. */
  const quick = { baseMillis: 5, delayMaxMillis: 20, waitMaxMillis: 10, windowMillis: 10_000 }
  const usual = { baseMillis: 25, delayMaxMillis: 100, waitMaxMillis: 50, windowMillis: 10_000 }
  const long = { baseMillis: 1000, delayMaxMillis: 4000, waitMaxMillis: 2000, windowMillis: 20_000 }
  it.each([
    [200, { ...quick, limitMillis: 50, openMillis: 100, openMaxMillis: 300, probeMaxMillis: 1000 }],
    [1000, { ...usual, limitMillis: 250, openMillis: 250, openMaxMillis: 300, probeMaxMillis: 1000 }],
    [40_000, { ...long, limitMillis: 10_000, openMillis: 300, openMaxMillis: 300, probeMaxMillis: 10_000 }]
  ] as const)("has these figures for a deadline of %i ms", (deadline, expected) => {
    const policy = Policy.standard({ deadline })
    const kindOf = {
      baseMillis: "retry",
      delayMaxMillis: "retry",
      waitMaxMillis: "adaptiveLimit",
      windowMillis: "circuitBreaker",
      limitMillis: "timeout",
      openMillis: "circuitBreaker",
      openMaxMillis: "circuitBreaker",
      probeMaxMillis: "circuitBreaker"
    } as const
    const seen = Object.fromEntries(Object.entries(kindOf).map(([knob, kind]) => [knob, value(policy, kind, knob)]))
    assert.deepEqual(seen, expected)
    assert.strictEqual(value(policy, "deadline", "limitMillis"), deadline)
    assert.strictEqual(value(policy, "retry", "times"), 2)
  })

  it("has a limit that begins at 20 of at most 200, and fits into a smaller one", () => {
    const limits = (limitMax?: number) =>
      ["limitMin", "limitInitial", "limitMax", "queueMax"].map((knob) =>
        value(Policy.standard(limitMax === undefined ? {} : { limitMax }), "adaptiveLimit", knob)
      )
    assert.deepEqual(limits(), [4, 20, 200, 20])
    assert.deepEqual(limits(10), [4, 10, 10, 10])
    assert.deepEqual(limits(2), [2, 2, 2, 2])
  })

  it("gives a call that is sent once three quarters of its deadline, or what it is told", () => {
    const attempt = (options: Policy.StandardOptions) => value(Policy.standardOnce(options), "timeout", "limitMillis")
    assert.strictEqual(attempt({}), 750)
    assert.strictEqual(attempt({ deadline: "4 seconds" }), 3000)
    assert.strictEqual(attempt({ attempt: "100 millis" }), 100)
    assert.strictEqual(value(Policy.standard({ attempt: "100 millis" }), "timeout", "limitMillis"), 100)
  })

  it("has the default order, outermost first", () => {
    const kinds = (policy: Policy.Policy) => policy.parts.map(({ kind }) => kind)
    assert.deepEqual(kinds(Policy.standard()), ["deadline", "retry", "circuitBreaker", "adaptiveLimit", "timeout"])
    assert.deepEqual(kinds(Policy.standardOnce()), ["deadline", "circuitBreaker", "adaptiveLimit", "timeout"])
  })

  it("opens after forty failures in a row, or eight that ran out of time, or nine in ten of ten, and probes with five", () => {
    const knobs = ["consecutiveFailures", "consecutiveTimeouts", "failureRate", "minimumCalls", "probes"]
    for (const policy of [Policy.standard(), Policy.standardOnce()]) {
      assert.deepEqual(
        knobs.map((knob) => value(policy, "circuitBreaker", knob)),
        [40, 8, 0.9, 10, 5]
      )
    }
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

  it.effect("asks one that hangs with a call at a time, and is back within a second at five calls a second", () =>
    Effect.gen(function* () {
      const { intercept, state } = yield* living(Policy.standard({ deadline: "1 second" }))
      let hangs = true
      let running = 0
      let most = 0
      const call = Effect.suspend((): Call.Call<string, unknown> => {
        most = Math.max(most, ++running)
        return hangs ? Effect.never : Effect.delay(good, 20)
      }).pipe(Effect.ensuring(Effect.sync(() => running--)))
      const traffic = (millis: number) =>
        Effect.gen(function* () {
          const ends: Array<Fiber.Fiber<string>> = []
          for (let at = 0; at < millis; at += 200) {
            ends.push(yield* Effect.forkChild(ending(intercept(call))))
            yield* TestClock.adjust("200 millis")
          }
          return ends
        })
      yield* traffic(3000)
      assert.notStrictEqual(state().circuit, "closed")
      most = 0
      yield* traffic(5000)
      assert.strictEqual(most, 1)
      hangs = false
      const after = yield* traffic(4000)
      yield* TestClock.adjust("1 second")
      const ends = yield* Effect.forEach(after, Fiber.join)
      assert.isBelow(ends.findLastIndex((end) => end !== "answered") * 200, 1000)
      assert.strictEqual(state().circuit, "closed")
    })
  )
})
