/** What a change of settings must leave as it is: permits, waiting calls, a breaker's window and state. */
import { assert, describe, it } from "@effect/vitest"
import { Call, Policy, Settings, Signal } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { bad, ending, good } from "./kit.ts"

/** A policy that lives and is registered as `d/m`. */
const registered = Effect.fnUntraced(function* (policy: Policy.Policy) {
  const bus = yield* Signal.make
  const row = { downstream: "d", method: "m", bus }
  const settings = yield* Settings.make
  const built = yield* Policy.build(policy, row)
  yield* settings.register([{ row, policy, budgetMillis: 60_000, parts: built.parts }])
  return {
    settings,
    intercept: built.intercept,
    state: () => Object.assign({}, ...built.parts.map(({ instance }) => instance.state())),
    turn: (changes: Record<string, unknown>) =>
      settings.change(
        Object.fromEntries(
          Object.entries(changes).map(([knob, value]) => [`d/m/${policy.parts[0]?.name}.${knob}`, value])
        ),
        { by: "a test" }
      )
  }
})

const hang: Call.Call<string, never, never> = Effect.never

describe("a change under load", () => {
  it.effect("of a bulkhead keeps those who run and those who wait, and serves them at once when there is room", () =>
    Effect.gen(function* () {
      const of = yield* registered(Policy.bulkhead({ permits: 2, queueMax: 4, waitMax: "1 minute" }))
      const calls = yield* Effect.forEach([1, 2, 3, 4, 5], () =>
        Effect.forkChild(of.intercept(Effect.delay(good, 100)))
      )
      yield* TestClock.adjust(1)
      assert.deepEqual(of.state(), { running: 2, waiting: 3 })
      yield* of.turn({ queueMax: 0, permits: 1 })
      assert.deepEqual(of.state(), { running: 2, waiting: 3 }, "who runs and who waits is not thrown out")
      assert.strictEqual(yield* ending(of.intercept(good)), "BULKHEAD_FULL")
      yield* of.turn({ permits: 4 })
      assert.deepEqual(of.state(), { running: 4, waiting: 1 })
      yield* TestClock.adjust("1 second")
      for (const call of calls) assert.strictEqual((yield* Fiber.join(call))._tag, "Success")
      assert.deepEqual(of.state(), { running: 0, waiting: 0 })
    }).pipe(Effect.scoped)
  )

  for (const kind of ["bulkhead", "adaptiveLimit"] as const) {
    it.effect(`of a ${kind} to permits per key and back forgets nobody who waits and goes away`, () =>
      Effect.gen(function* () {
        const policy =
          kind === "bulkhead"
            ? Policy.bulkhead({ permits: 1, queueMax: 4, waitMax: "1 minute" })
            : Policy.adaptiveLimit({ limitInitial: 1, limitMin: 1, queueMax: 4, waitMax: "1 minute" })
        const of = yield* registered(policy)
        for (const [before, after] of [
          [0, 10],
          [10, 0]
        ] as const) {
          yield* of.turn({ keysMax: before })
          const runs = yield* Effect.forkChild(of.intercept(hang))
          yield* TestClock.adjust(1)
          const waits = yield* Effect.forkChild(of.intercept(hang))
          yield* TestClock.adjust(1)
          yield* of.turn({ keysMax: after })
          yield* Fiber.interrupt(waits)
          yield* Fiber.interrupt(runs)
          yield* TestClock.adjust(1)
          assert.deepInclude(of.state(), { running: 0, waiting: 0 }, `keysMax from ${before} to ${after}`)
          yield* of.turn({ keysMax: before })
          assert.deepInclude(of.state(), { running: 0, waiting: 0 }, `keysMax back to ${before}`)
        }
      }).pipe(Effect.scoped)
    )
  }

  it.effect("of a breaker keeps what its window has counted, whatever the window's new size", () =>
    Effect.gen(function* () {
      for (const changes of [
        { failureRate: 0.4 },
        { windowMillis: 20_000 },
        { windowMillis: 5000 },
        { windowCalls: 50 }
      ]) {
        const of = yield* registered(Policy.circuitBreaker({ minimumCalls: 5, jitter: 0 }))
        for (let n = 0; n < 4; n++) yield* ending(of.intercept(bad))
        yield* of.turn(changes)
        assert.strictEqual(of.state()["circuit"], "closed")
        yield* ending(of.intercept(bad))
        assert.strictEqual(of.state()["circuit"], "open", JSON.stringify(changes))
      }
    }).pipe(Effect.scoped)
  )

  it.effect("of a breaker leaves an open circuit open until its time is over", () =>
    Effect.gen(function* () {
      const of = yield* registered(Policy.circuitBreaker({ minimumCalls: 1, openFor: "5 seconds", jitter: 0 }))
      yield* ending(of.intercept(bad))
      yield* of.turn({ failureRate: 0.9, windowMillis: 30_000, minimumCalls: 20, probes: 2, openMillis: 1000 })
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(yield* ending(of.intercept(good)), "CIRCUIT_OPEN")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* ending(of.intercept(good)), "answered")
    }).pipe(Effect.scoped)
  )

  it.effect("to fewer probes decides about those that came back, and locks nobody out", () =>
    Effect.gen(function* () {
      for (const [outcome, next] of [
        [good, "ramp"],
        [bad, "open"]
      ] as const) {
        const of = yield* registered(
          Policy.circuitBreaker({ minimumCalls: 1, failureRate: 0.3, openFor: "1 second", jitter: 0, probes: 10 })
        )
        yield* ending(of.intercept(bad))
        yield* TestClock.adjust("1 second")
        for (let n = 0; n < 2; n++) yield* ending(of.intercept(outcome))
        assert.strictEqual(of.state()["circuit"], "half-open")
        yield* of.turn({ probes: 2 })
        yield* ending(of.intercept(good))
        assert.strictEqual(of.state()["circuit"], next)
      }
    }).pipe(Effect.scoped)
  )
})
