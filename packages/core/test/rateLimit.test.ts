import { assert, describe, it } from "@effect/vitest"
import { CallKey, Policy, Quota } from "@failsoft/core"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { bad, ending, good, living } from "./kit.ts"

const times = (n: number) => Array.from({ length: n }, (_, nth) => nth)

/** How each of so many calls at once ends. */
const burst = (n: number, intercept: Policy.Interceptor) => Effect.forEach(times(n), () => ending(intercept(good)))

const count = (endings: ReadonlyArray<string>, ending: string) => endings.filter((of) => of === ending).length

/** The refusal of a call. */
const refusal = (intercept: Policy.Interceptor) =>
  Effect.map(intercept(good), (result) => {
    assert(result._tag === "Failure", "it is refused")
    return result.failure
  })

describe("rateLimit", () => {
  it.effect("lets as many calls go per window as it has permits, and refuses the rest at once", () =>
    Effect.gen(function* () {
      const { intercept, told } = yield* living(Policy.rateLimit({ permits: 3, window: "1 second" }))
      assert.deepEqual(yield* burst(5, intercept), ["answered", "answered", "answered", "RATE_LIMITED", "RATE_LIMITED"])
      assert.lengthOf(told("CallRefused"), 2)
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(yield* ending(intercept(good)), "RATE_LIMITED")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(count(yield* burst(5, intercept), "answered"), 3)
    })
  )

  it.effect("slides: at the border of two windows it lets no more go than in any other", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(Policy.rateLimit({ permits: 10, window: "1 second" }))
      yield* TestClock.adjust("900 millis")
      assert.strictEqual(count(yield* burst(10, intercept), "answered"), 10)
      // A fixed window would begin anew here.
      yield* TestClock.adjust("200 millis")
      assert.strictEqual(count(yield* burst(10, intercept), "answered"), 0)
    })
  )

  it.effect("a token bucket lets its burst go, and then evenly", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(
        Policy.rateLimit({ permits: 10, window: "1 second", burst: 2, algorithm: "token-bucket" })
      )
      assert.strictEqual(count(yield* burst(5, intercept), "answered"), 2)
      for (const _ of times(5)) {
        yield* TestClock.adjust("99 millis")
        assert.strictEqual(yield* ending(intercept(good)), "RATE_LIMITED")
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* ending(intercept(good)), "answered")
      }
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(count(yield* burst(5, intercept), "answered"), 2)
    })
  )

  it.effect("says exactly when to come again, and what it counted", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(
        Policy.rateLimit({ permits: 3, window: "1 second", burst: 1, algorithm: "token-bucket" })
      )
      yield* intercept(good)
      yield* TestClock.adjust("100 millis")
      const why = yield* refusal(intercept)
      assert.deepInclude(why, { policy: "rateLimit", reason: "RATE_LIMITED", retryAfterMillis: 234 })
      assert.deepEqual(why.state, { limit: 3, windowMillis: 1000, remaining: 0, resetMillis: 234, waiting: 0 })
      yield* TestClock.adjust("233 millis")
      assert.strictEqual((yield* refusal(intercept)).retryAfterMillis, 1)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* ending(intercept(good)), "answered")
    })
  )

  it.effect("with a wait serves who can still be served, in order, at the moment of the turn", () =>
    Effect.gen(function* () {
      const { intercept, state } = yield* living(
        Policy.rateLimit({ permits: 1, window: "100 millis", waitMax: "250 millis" })
      )
      const served: Array<readonly [number, number]> = []
      const call = (n: number) =>
        ending(
          intercept(
            Effect.flatMap(
              Effect.clockWith((clock) => clock.currentTimeMillis),
              (now) => {
                served.push([n, now])
                return good
              }
            )
          )
        )
      const fibers = yield* Effect.forEach(times(4), (n) => Effect.forkChild(call(n)))
      yield* Effect.yieldNow
      assert.deepEqual(state(), { waiting: 2 })
      // The fourth would have to wait for 300 ms, so it is refused at once.
      assert.strictEqual(yield* Fiber.join(yield* Effect.fromNullishOr(fibers[3])), "RATE_LIMITED")
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepEqual(served, [
        [0, 0],
        [1, 100],
        [2, 200]
      ])
      assert.deepEqual(state(), { waiting: 0 })
    })
  )

  it.effect("whoever goes away while it waits lets the others move up", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(Policy.rateLimit({ permits: 1, window: "100 millis", waitMax: "1 second" }))
      yield* intercept(good)
      const first = yield* Effect.forkChild(ending(intercept(good)))
      yield* Effect.yieldNow
      const second = yield* Effect.forkChild(ending(intercept(good)))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(second.pollUnsafe()?._tag, "Success")
    })
  )

  it.effect("does not wait for a turn that comes after the deadline", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(
        Policy.stack(
          Policy.deadline("50 millis"),
          Policy.rateLimit({ permits: 1, window: "100 millis", waitMax: "1 second" })
        )
      )
      yield* intercept(good)
      assert.strictEqual(yield* ending(intercept(good)), "RATE_LIMITED")
    })
  )

  it.effect("a call that a policy within refuses has not been sent, so it is not counted", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(
        Policy.stack(Policy.rateLimit({ permits: 2 }), Policy.bulkhead({ permits: 1, queueMax: 0 }))
      )
      const gate = yield* Deferred.make<void>()
      const held = yield* Effect.forkChild(ending(intercept(Effect.andThen(Deferred.await(gate), good))))
      yield* Effect.yieldNow
      for (const _ of times(5)) assert.strictEqual(yield* ending(intercept(good)), "BULKHEAD_FULL")
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(held), "answered")
      assert.strictEqual(yield* ending(intercept(good)), "answered")
      assert.strictEqual(yield* ending(intercept(good)), "RATE_LIMITED")
    })
  )

  it.effect("counts calls that failed: they were sent", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(Policy.rateLimit({ permits: 1 }))
      assert.strictEqual(yield* ending(intercept(bad)), "Transient")
      assert.strictEqual(yield* ending(intercept(good)), "RATE_LIMITED")
    })
  )

  it.effect("has a limit for each key, and keeps a key that is spent rather than a fresh one", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(Policy.rateLimit({ permits: 1, window: "1 second", keysMax: 2 }))
      const as = (key: string) => Effect.provideService(ending(intercept(good)), CallKey.CallKey, key)
      assert.strictEqual(yield* as("a"), "answered")
      assert.strictEqual(yield* as("b"), "answered")
      assert.strictEqual(yield* as("a"), "RATE_LIMITED")
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(yield* as("b"), "RATE_LIMITED")
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(yield* as("c"), "answered")
      assert.strictEqual(yield* as("a"), "answered")
    })
  )

  it.effect("in the dark counts whom it would refuse and lets all pass; off does nothing", () =>
    Effect.gen(function* () {
      const dark = yield* living(Policy.rateLimit({ permits: 2, mode: "dark" }))
      assert.strictEqual(count(yield* burst(5, dark.intercept), "answered"), 5)
      assert.lengthOf(dark.told("CallRefused"), 3)
      const off = yield* living(Policy.rateLimit({ permits: 2, mode: "off" }))
      assert.strictEqual(count(yield* burst(5, off.intercept), "answered"), 5)
      assert.lengthOf(off.signals, 0)
    })
  )

  it.effect("in the dark does not count those who would only have waited", () =>
    Effect.gen(function* () {
      const { intercept, told } = yield* living(
        Policy.rateLimit({ permits: 1, window: "100 millis", waitMax: "200 millis", mode: "dark" })
      )
      yield* burst(5, intercept)
      assert.lengthOf(told("CallRefused"), 2)
    })
  )
})

const says = (quota: Quota.Quota) => Effect.andThen(Quota.tell(quota), good)

describe("rateLimit and what the provider says", () => {
  it.effect("stops where nothing is left, until the reset, and says so once", () =>
    Effect.gen(function* () {
      const { intercept, told } = yield* living(Policy.rateLimit({ permits: 100 }))
      assert.strictEqual(yield* ending(intercept(says({ remaining: 0, resetMillis: 30_000 }))), "answered")
      assert.strictEqual((yield* refusal(intercept)).retryAfterMillis, 30_000)
      assert.deepInclude(told("QuotaSpent")[0], { policy: "rateLimit", resetMillis: 30_000 })
      yield* TestClock.adjust("29999 millis")
      assert.strictEqual(yield* ending(intercept(good)), "RATE_LIMITED")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* ending(intercept(good)), "answered")
      assert.lengthOf(told("QuotaSpent"), 1)
    })
  )

  it.effect("sends no more than is left, where that is less than its own options allow", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(Policy.rateLimit({ permits: 100, window: "1 second" }))
      yield* intercept(says({ remaining: 3, resetMillis: 10_000 }))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(count(yield* burst(10, intercept), "answered"), 3)
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual(count(yield* burst(10, intercept), "answered"), 10)
    })
  )

  it.effect("never sends more than its own options allow, whatever the provider offers", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(Policy.rateLimit({ permits: 2 }))
      yield* intercept(says({ remaining: 1_000_000, resetMillis: 1 }))
      assert.strictEqual(count(yield* burst(10, intercept), "answered"), 1)
    })
  )

  it.effect("takes off what is on its way, and puts it right by the answers that follow", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(Policy.rateLimit({ permits: 100 }))
      const slow = yield* Effect.forkChild(
        ending(intercept(Effect.delay(says({ remaining: 5, resetMillis: 60_000 }), "100 millis")))
      )
      yield* Effect.yieldNow
      yield* intercept(says({ remaining: 2, resetMillis: 60_000 }))
      // The slow one may be counted there or not: of the two only one is sure.
      assert.strictEqual(count(yield* burst(5, intercept), "answered"), 1)
      yield* TestClock.adjust("100 millis")
      yield* Fiber.join(slow)
      assert.strictEqual(count(yield* burst(9, intercept), "answered"), 5)
    })
  )

  it.effect("an answer that was overtaken does not take a stop back", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(Policy.rateLimit({ permits: 100 }))
      const late = yield* Effect.forkChild(
        ending(intercept(Effect.delay(says({ remaining: 1, resetMillis: 60_000 }), "100 millis")))
      )
      yield* Effect.yieldNow
      yield* intercept(says({ remaining: 0, resetMillis: 30_000 }))
      yield* TestClock.adjust("100 millis")
      yield* Fiber.join(late)
      assert.strictEqual(yield* ending(intercept(good)), "RATE_LIMITED")
    })
  )

  it.effect("obeys a reset for pauseMax at most, and nothing with learn off", () =>
    Effect.gen(function* () {
      const capped = yield* living(Policy.rateLimit({ permits: 100, pauseMax: "2 seconds" }))
      yield* capped.intercept(says({ remaining: 0, resetMillis: 86_400_000 }))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* ending(capped.intercept(good)), "answered")
      const deaf = yield* living(Policy.rateLimit({ permits: 100, learn: false }))
      yield* deaf.intercept(says({ remaining: 0, resetMillis: 30_000 }))
      assert.strictEqual(yield* ending(deaf.intercept(good)), "answered")
    })
  )

  it.effect("lets those wait on whose turn moves, as long as they may", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(Policy.rateLimit({ permits: 2, window: "100 millis", waitMax: "1 second" }))
      yield* intercept(good)
      const says0 = yield* Effect.forkChild(
        ending(intercept(Effect.delay(says({ remaining: 0, resetMillis: 500 }), "50 millis")))
      )
      yield* Effect.yieldNow
      const waiter = yield* Effect.forkChild(ending(intercept(good)))
      yield* TestClock.adjust("549 millis")
      assert.strictEqual(yield* Fiber.join(says0), "answered")
      assert.isUndefined(waiter.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(waiter), "answered")
    })
  )

  it.effect("keeps the word of each key apart, and tells outer limits too", () =>
    Effect.gen(function* () {
      const outer = Policy.rateLimit({ name: "all", permits: 100, learn: true })
      const inner = Policy.rateLimit({ name: "each", permits: 100, keysMax: 10 })
      const { intercept, told } = yield* living(Policy.stack(outer, inner))
      yield* Effect.provideService(intercept(says({ remaining: 0, resetMillis: 1000 })), CallKey.CallKey, "a")
      assert.lengthOf(told("QuotaSpent"), 2)
      assert.sameMembers(
        told("QuotaSpent").map((of) => ("key" in of ? of.key : "")),
        ["", "a"]
      )
    })
  )
})
