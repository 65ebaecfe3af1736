/** What a hedge learns its delay from, and when it looks again. */
import { assert, describe, it } from "@effect/vitest"
import { type Call, Policy, TimedOut } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { bad, declined, good, living, script } from "./kit.ts"

type Living = Effect.Success<ReturnType<typeof living>>
type AnyCall = Call.Call<unknown, unknown, unknown>

const learning = (options: Policy.HedgeOptions = {}) =>
  living(Policy.hedge({ minimumCalls: 10, window: "1 hour", budgetRatio: 1, budgetPerSecond: 1000, ...options }))

const timedOut = Effect.fail(TimedOut.make({ policy: "timeout", limitMillis: 20 }))

/** So many calls at once, each of which ends so after a while. */
const ending = Effect.fnUntraced(function* ({ intercept }: Living, call: AnyCall, millis: number, calls = 20) {
  const one = Effect.exit(intercept(Effect.delay(call, millis)))
  const all = yield* Effect.forkChild(
    Effect.forEach(Array.from({ length: calls }), () => one, { concurrency: "unbounded", discard: true })
  )
  yield* TestClock.adjust(millis)
  yield* Fiber.join(all)
})

/** So many calls at once whose callers go away after a while. */
const leaving = Effect.fnUntraced(function* ({ intercept }: Living, millis: number, calls = 60) {
  const all = yield* Effect.forkChild(
    Effect.forEach(Array.from({ length: calls }), () => intercept(Effect.never), { concurrency: "unbounded" })
  )
  yield* TestClock.adjust(millis)
  yield* Fiber.interrupt(all)
})

/** After how many milliseconds a call that does not end is hedged; nothing where it is not. */
const delayOf = Effect.fnUntraced(function* (of: Living) {
  const before = of.told("Hedged").length
  const fiber = yield* Effect.forkChild(of.intercept(script<unknown, unknown, unknown>(Effect.never, good).call))
  yield* TestClock.adjust(900)
  yield* Fiber.interrupt(fiber)
  const signal = of.told("Hedged")[before]
  return signal?._tag === "Hedged" ? Math.round(signal.delayMillis / 10) * 10 : undefined
})

describe("the delay of a hedge is learnt", () => {
  it.effect.each<readonly [string, AnyCall, number | undefined]>([
    ["answers", good, 20],
    ["final words", declined, 20],
    ["timeouts", timedOut, 20],
    ["nothing that fails", bad, undefined],
    ["no defects", Effect.die("bug"), undefined]
  ])("from %s", ([, call, expected]) =>
    Effect.gen(function* () {
      const of = yield* learning()
      yield* ending(of, call, 20)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* delayOf(of), expected)
    })
  )

  it.effect("from callers who went away after the delay, and not from those who went before", () =>
    Effect.gen(function* () {
      const patient = yield* learning({ quantile: 0.5 })
      yield* ending(patient, good, 100)
      yield* TestClock.adjust("1 second")
      // Exactly at the delay that was waited for it is late as well.
      yield* leaving(patient, 300)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* delayOf(patient), 300)

      const hasty = yield* learning({ quantile: 0.5 })
      yield* ending(hasty, good, 100)
      yield* TestClock.adjust("1 second")
      yield* leaving(hasty, 20)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* delayOf(hasty), 100)
    })
  )

  it.effect("once a second: not before, and then at once", () =>
    Effect.gen(function* () {
      const of = yield* learning()
      // The first of these has looked, and nothing was known.
      yield* ending(of, good, 20)
      assert.isUndefined(yield* delayOf(of))
      yield* TestClock.setTime(1000)
      assert.strictEqual(yield* delayOf(of), 20)
    })
  )

  it.effect("anew where the clock was set back", () =>
    Effect.gen(function* () {
      const of = yield* learning({ quantile: 0.5 })
      yield* ending(of, good, 20)
      yield* TestClock.setTime(10_000)
      assert.strictEqual(yield* delayOf(of), 20)
      yield* TestClock.setTime(11_100)
      yield* ending(of, good, 300, 200)
      yield* TestClock.setTime(5000)
      assert.strictEqual(yield* delayOf(of), 300)
    })
  )
})

describe("what a hedge shows", () => {
  it.effect("counts what was sent and what the budget denied", () =>
    Effect.gen(function* () {
      const of = yield* living(Policy.hedge({ delay: "10 millis", budgetRatio: 0, budgetPerSecond: 0.1 }))
      for (let nth = 0; nth < 3; nth++) {
        const fiber = yield* Effect.forkChild(of.intercept(Effect.delay(good, 50)))
        yield* TestClock.adjust(50)
        yield* Fiber.join(fiber)
      }
      assert.deepEqual(of.state(), { hedged: 1, won: 0, denied: 2 })
    })
  )
})
