import { assert, describe, it } from "@effect/vitest"
import { Attempt, Call, Deadline, Leaf, Policy, Quota } from "@failsoft/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { ending, living } from "./kit.ts"

/** A promise whose end the test decides, and what its leaf was told. */
const controlled = () => {
  const told: Array<{ readonly run: Leaf.Run; readonly deadlineAt: number; readonly attempt: number }> = []
  const ends: Array<{ readonly resolve: (value: string) => void; readonly reject: (error: unknown) => void }> = []
  const call = Leaf.call(
    (of) => {
      told.push({ run: of, deadlineAt: of.deadlineAt, attempt: of.attempt })
      return new Promise<string>((resolve, reject) => ends.push({ resolve, reject }))
    },
    (error) => `failed: ${String(error)}`
  )
  return { call, told, ends }
}

/** Lets the promises that have settled be heard. */
const heard = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

const limited = Policy.stack(Policy.bulkhead({ permits: 1, queueMax: 0 }), Policy.timeout("100 millis"))

describe("leaf", () => {
  it.effect("answers and fails as its promise does, alone and in a stack", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(limited)
      const answers = Leaf.call(
        () => Promise.resolve("well"),
        () => "failed"
      )
      const fails = Leaf.call(
        () => Promise.reject(new Error("no")),
        () => "failed" as const
      )
      const throws = Leaf.call(
        () => {
          throw new Error("at once")
        },
        (error) => String(error)
      )
      assert.deepEqual(yield* answers, yield* intercept(answers))
      assert.strictEqual(yield* Effect.flip(fails), "failed")
      assert.strictEqual(yield* Effect.flip(intercept(fails)), "failed")
      assert.strictEqual(yield* Effect.flip(throws), "Error: at once")
      assert.strictEqual(yield* Effect.flip(intercept(throws)), "Error: at once")
    })
  )

  it.effect("is told its deadline and the number of its attempt", () =>
    Effect.gen(function* () {
      const { call, told, ends } = controlled()
      const { intercept } = yield* living(
        Policy.stack(Policy.deadline("1 second"), Policy.retry({ times: 1, base: 10 }))
      )
      const fiber = yield* Effect.forkChild(ending(intercept(call)))
      yield* Effect.yieldNow
      ends[0]?.reject("no")
      yield* heard
      yield* TestClock.adjust("20 millis")
      ends[1]?.resolve("well")
      yield* heard
      assert.strictEqual(yield* Fiber.join(fiber), "answered")
      assert.deepEqual(
        told.map(({ attempt, deadlineAt }) => ({ attempt, deadlineAt })),
        [
          { attempt: 0, deadlineAt: 1000 },
          { attempt: 1, deadlineAt: 1000 }
        ]
      )
    })
  )

  it.effect("is aborted by its timeout, and its caller goes on at once", () =>
    Effect.gen(function* () {
      const { call, told } = controlled()
      const { intercept } = yield* living(limited)
      const fiber = yield* Effect.forkChild(ending(intercept(call)))
      yield* Effect.yieldNow
      const signal = told[0]?.run.signal
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(yield* Fiber.join(fiber), "TimedOut")
      assert.isTrue(signal?.aborted)
    })
  )

  it.effect("keeps its permit for as long as its promise runs, given up or not", () =>
    Effect.gen(function* () {
      const { call, ends } = controlled()
      const { intercept, state } = yield* living(limited)
      const fiber = yield* Effect.forkChild(ending(intercept(call)))
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(yield* Fiber.join(fiber), "TimedOut")
      assert.strictEqual(state().running, 1, "it did not obey its signal, so it still runs")
      assert.strictEqual(yield* ending(intercept(call)), "BULKHEAD_FULL")
      ends[0]?.resolve("too late")
      yield* heard
      assert.strictEqual(state().running, 0)
    })
  )

  it.effect("tells the breaker of its timeout when it times out, not when its promise ends, and only once", () =>
    Effect.gen(function* () {
      const { call, ends } = controlled()
      const breaker = Policy.circuitBreaker({ minimumCalls: 2, failureRate: 1, jitter: 0 })
      const { intercept, state } = yield* living(Policy.stack(breaker, limited))
      yield* Effect.forkChild(ending(intercept(call)))
      yield* TestClock.adjust("100 millis")
      ends[0]?.resolve("too late to count")
      yield* heard
      assert.strictEqual(state().circuit, "closed")
      yield* Effect.forkChild(ending(intercept(call)))
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(state().circuit, "open", "two timeouts, although the first promise answered in the end")
    })
  )

  it.effect("is aborted when its caller goes away", () =>
    Effect.gen(function* () {
      const { call, told, ends } = controlled()
      const { intercept, state } = yield* living(limited)
      const fiber = yield* Effect.forkChild(intercept(call))
      yield* Effect.yieldNow
      const signal = told[0]?.run.signal
      yield* Fiber.interrupt(fiber)
      assert.isTrue(signal?.aborted)
      ends[0]?.reject(signal?.reason)
      yield* heard
      assert.strictEqual(state().running, 0)
    })
  )

  it.effect("gives an aborted signal to who reads it only after it was given up", () =>
    Effect.gen(function* () {
      const { call, told } = controlled()
      const { intercept } = yield* living(limited)
      const fiber = yield* Effect.forkChild(ending(intercept(call)))
      yield* TestClock.adjust("100 millis")
      yield* Fiber.join(fiber)
      assert.isTrue(told[0]?.run.signal.aborted)
    })
  )

  it.effect("outlives its caller as a probe", () =>
    Effect.gen(function* () {
      const { call, ends } = controlled()
      const breaker = Policy.circuitBreaker({ minimumCalls: 1, jitter: 0, openFor: "1 second", probes: 1, ramp: false })
      const { intercept, state } = yield* living(Policy.stack(breaker, Policy.timeout("5 seconds")))
      yield* ending(intercept(Call.transient("down")))
      yield* TestClock.adjust("1 second")
      const probe = yield* Effect.forkChild(intercept(call))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(probe)
      assert.strictEqual(state().circuit, "half-open")
      ends[0]?.resolve("well")
      yield* heard
      assert.strictEqual(state().circuit, "closed")
    })
  )

  it.effect("sees the deadline and the attempt of its fiber where no policy runs it", () =>
    Effect.gen(function* () {
      const { call, told, ends } = controlled()
      const fiber = yield* Effect.forkChild(
        call.pipe(Effect.provideService(Deadline.Deadline, 700), Effect.provideService(Attempt.Attempt, 2))
      )
      yield* Effect.yieldNow
      ends[0]?.resolve("well")
      yield* Fiber.join(fiber)
      assert.strictEqual(told[0]?.deadlineAt, 700)
      assert.strictEqual(told[0]?.attempt, 2)
    })
  )
})

describe("the context of a leaf", () => {
  it.effect("is what an effect would see in its place: a quota that it tells is heard", () =>
    Effect.gen(function* () {
      const of = yield* living(Policy.stack(Policy.rateLimit({ permits: 10 }), Policy.timeout("1 second")))
      const call = Leaf.call(
        ({ context }) => {
          Context.get(context, Quota.Heard)?.({ remaining: 0, resetMillis: 500 }, 0)
          return Promise.resolve("answer")
        },
        () => "failed"
      )
      assert.strictEqual(yield* ending(of.intercept(call)), "answered")
      assert.strictEqual(yield* ending(of.intercept(call)), "RATE_LIMITED")
    })
  )
})
