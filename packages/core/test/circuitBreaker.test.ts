import { assert, describe, it } from "@effect/vitest"
import { Call, ContractViolation, Policy, Refused, type Signal } from "@failsoft/core"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import { TestClock } from "effect/testing"
import { bad, declined, ending, good, living, script } from "./kit.ts"

const options = {
  failureRate: 0.5,
  minimumCalls: 4,
  window: "10 seconds",
  openFor: "1 second",
  jitter: 0,
  probes: 2,
  ramp: false
} as const

const breaker = Effect.map(
  Effect.suspend(() => living(Policy.circuitBreaker(options))),
  (of) => ({
    ...of,
    ask: (call: Call.Call<unknown, unknown, unknown>) => ending(of.intercept(call)),
    path: () =>
      of.signals.flatMap((signal: Signal.Signal) =>
        signal._tag === "CircuitChanged" ? [`${signal.from}>${signal.to}`] : []
      )
  })
)

const times = (n: number, ask: Effect.Effect<string>) => Effect.repeat(ask, { times: n - 1 })

describe("circuitBreaker", () => {
  it.effect("opens at the threshold, not before its minimum of calls", () =>
    Effect.gen(function* () {
      const { ask, state } = yield* breaker
      yield* times(3, ask(bad))
      assert.strictEqual(state().circuit, "closed")
      yield* ask(bad)
      assert.strictEqual(state().circuit, "open")
    })
  )

  it.effect("trips at exactly the threshold (≥) and not below", () =>
    Effect.gen(function* () {
      const { ask, state } = yield* breaker
      yield* times(3, ask(good))
      yield* times(2, ask(bad))
      assert.strictEqual(state().circuit, "closed", "2 of 5")
      yield* ask(bad)
      assert.strictEqual(state().circuit, "open", "3 of 6")
    })
  )

  it.effect("forgets what left the window", () =>
    Effect.gen(function* () {
      const { ask, state } = yield* breaker
      yield* times(3, ask(bad))
      yield* TestClock.adjust("11 seconds")
      yield* times(3, ask(bad))
      assert.strictEqual(state().circuit, "closed")
    })
  )

  it.effect("refuses without asking and without waiting while open, and says for how long", () =>
    Effect.gen(function* () {
      const { ask, intercept } = yield* breaker
      yield* times(4, ask(bad))
      yield* TestClock.adjust("400 millis")
      const { call, asked } = script(good)
      const result = yield* intercept(call)
      assert.strictEqual(asked(), 0)
      assert.isTrue(Result.isFailure(result))
      const refused = Result.isFailure(result) ? result.failure : undefined
      assert.instanceOf(refused, Refused.Refused)
      assert.strictEqual(refused?.retryAfterMillis, 600)
    })
  )

  it.effect("probes at the end of its open time, inclusive, and closes when all probes answered", () =>
    Effect.gen(function* () {
      const { ask, state, path } = yield* breaker
      yield* times(4, ask(bad))
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(yield* ask(good), "CIRCUIT_OPEN")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* ask(good), "answered")
      assert.strictEqual(state().circuit, "half-open")
      assert.strictEqual(yield* ask(good), "answered")
      assert.deepEqual(path(), ["closed>open", "open>half-open", "half-open>closed"])
    })
  )

  it.effect("opens again at the first failed probe", () =>
    Effect.gen(function* () {
      const { ask, path } = yield* breaker
      yield* times(4, ask(bad))
      yield* TestClock.adjust("1 second")
      yield* ask(bad)
      assert.strictEqual(yield* ask(good), "CIRCUIT_OPEN")
      assert.deepEqual(path(), ["closed>open", "open>half-open", "half-open>open"])
    })
  )

  it.effect("begins with a clean window once it has closed", () =>
    Effect.gen(function* () {
      const { ask, state } = yield* breaker
      yield* times(4, ask(bad))
      yield* TestClock.adjust("1 second")
      yield* times(2, ask(good))
      yield* ask(bad)
      assert.strictEqual(state().circuit, "closed", "the failures before the trip do not count again")
    })
  )

  it.effect("asks no more often than it has probes, also when they answer one after another", () =>
    Effect.gen(function* () {
      const { ask, state } = yield* breaker
      yield* times(4, ask(bad))
      yield* TestClock.adjust("1 second")
      yield* ask(good)
      const probe = yield* Effect.forkChild(ask(Effect.never))
      yield* Effect.yieldNow
      assert.strictEqual(yield* ask(good), "CIRCUIT_OPEN")
      yield* Fiber.interrupt(probe)
      assert.strictEqual(state().circuit, "half-open")
    })
  )

  it.effect("says when to come again while open, and does not pretend to know while it probes", () =>
    Effect.gen(function* () {
      const { ask, intercept } = yield* breaker
      const hint = Effect.map(intercept(good), (result) =>
        Result.isFailure(result) && result.failure instanceof Refused.Refused
          ? result.failure.retryAfterMillis
          : "not refused"
      )
      yield* times(4, ask(bad))
      assert.strictEqual(yield* hint, 1000)
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach([1, 2], () => Effect.forkChild(ask(Effect.never)))
      yield* TestClock.adjust("5 seconds")
      assert.isUndefined(yield* hint)
    })
  )

  it.effect("does not stay open for longer because the clock was set back", () =>
    Effect.gen(function* () {
      const { ask } = yield* breaker
      yield* TestClock.setTime(10_000_000)
      yield* times(4, ask(bad))
      yield* TestClock.setTime(5_000_000)
      assert.strictEqual(yield* ask(good), "answered")
    })
  )

  it.effect("takes a refusal from within for no outcome at all", () =>
    Effect.gen(function* () {
      const { ask, state } = yield* breaker
      const refusal = Call.permanent(Refused.make({ policy: "bulkhead", reason: "BULKHEAD_FULL" }))
      // Were they good, two failures among ten would not open it.
      yield* times(8, ask(refusal))
      yield* times(2, ask(good))
      yield* times(2, ask(bad))
      assert.strictEqual(state().circuit, "open")
      yield* TestClock.adjust("1 second")
      yield* times(8, ask(refusal))
      assert.strictEqual(state().circuit, "half-open", "nor does it close it")
    })
  )

  it.effect("lets no more probes in than it has, and a probe outlives its caller", () =>
    Effect.gen(function* () {
      const { ask, state } = yield* breaker
      yield* times(4, ask(bad))
      yield* TestClock.adjust("1 second")
      const probes = yield* Effect.forEach([1, 2], () => Effect.forkChild(ask(Effect.never)))
      yield* Effect.yieldNow
      assert.strictEqual(yield* ask(good), "CIRCUIT_OPEN")
      yield* Effect.forEach(probes, Fiber.interrupt)
      assert.deepEqual(state(), { circuit: "half-open", probing: 2 }, "their outcome is worth knowing")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(state().circuit, "open", "a probe that never ends has failed")
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* ask(good), "answered")
    })
  )

  it.effect("does not let a result from before the trip change anything", () =>
    Effect.gen(function* () {
      const { ask, state } = yield* breaker
      const gate = yield* Deferred.make<void>()
      const late = yield* Effect.forkChild(ask(Effect.andThen(Deferred.await(gate), bad)))
      yield* Effect.yieldNow
      yield* times(4, ask(bad))
      yield* TestClock.adjust("1 second")
      yield* ask(good)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(late)
      assert.strictEqual(state().circuit, "half-open")
    })
  )

  it.effect("takes a permanent outcome as health and a contract violation as failure", () =>
    Effect.gen(function* () {
      const healthy = yield* breaker
      yield* times(20, healthy.ask(declined))
      assert.strictEqual(healthy.state().circuit, "closed")
      const wrong = yield* breaker
      yield* times(4, wrong.ask(Call.permanent(new ContractViolation.ContractViolation({ detail: "no" }))))
      assert.strictEqual(wrong.state().circuit, "open")
    })
  )

  it.effect("counts neither refusals of inner policies, nor aborts, nor defects", () =>
    Effect.gen(function* () {
      const { ask, intercept, state } = yield* breaker
      yield* times(10, ask(Call.permanent(Refused.make({ policy: "bulkhead", reason: "BULKHEAD_FULL" }))))
      for (let i = 0; i < 10; i++) {
        yield* Effect.exit(intercept(Effect.die("bug")))
        const fiber = yield* Effect.forkChild(ask(Effect.never))
        yield* Effect.yieldNow
        yield* Fiber.interrupt(fiber)
      }
      assert.strictEqual(state().circuit, "closed")
    })
  )
})
