/** The policies over Effect's stores, in memory and in virtual time: two processes are two builds over one store. */
import { assert, describe, it } from "@effect/vitest"
import { Call, CallKey, ContractViolation, Deadline, Policy, Refused, Signal } from "@failsoft/core"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { bad, declined, ending, good, living, transient } from "./kit.ts"

const times = (n: number) => Array.from({ length: n }, (_, nth) => nth)

/** The service of a layer, as a layer that gives the same to whoever builds it. */
const once = <Id, E>(layer: Layer.Layer<Id, E>) =>
  Effect.map(Layer.build(layer), (context) => Layer.succeedContext(context))

const circuits = once(CircuitBreaker.layerStoreMemory())
const limits = once(RateLimiter.layerStoreMemory)

const breaker = (
  store: Layer.Layer<CircuitBreaker.CircuitBreakerStore, unknown>,
  more: Partial<Policy.SharedCircuitBreakerOptions> = {}
) =>
  Policy.sharedCircuitBreaker({ circuit: "shop", store, failureRate: 0.5, windowCalls: 10, minimumCalls: 4, ...more })

describe("sharedCircuitBreaker", () => {
  it.effect("opens for all who share it, lets one probe through, and closes for all", () =>
    Effect.gen(function* () {
      const store = yield* circuits
      const one = yield* living(breaker(store))
      const other = yield* living(breaker(store))
      for (const _ of times(2)) yield* Effect.exit(one.intercept(bad))
      for (const _ of times(2)) yield* Effect.exit(other.intercept(bad))
      assert.strictEqual(yield* ending(one.intercept(good)), "CIRCUIT_OPEN")
      const why = yield* Effect.map(one.intercept(good), (result) => result._tag === "Failure" && result.failure)
      assert(why instanceof Refused.Refused)
      assert.deepInclude(why, { policy: "sharedCircuitBreaker", retryAfterMillis: 1000 })
      assert.deepEqual(why.state, { circuit: "open", shared: "shop" })

      yield* TestClock.adjust("1 second")
      const gate = yield* Deferred.make<void>()
      const probe = yield* Effect.forkChild(ending(other.intercept(Effect.andThen(Deferred.await(gate), good))))
      yield* Effect.yieldNow
      assert.strictEqual(yield* ending(one.intercept(good)), "CIRCUIT_OPEN")
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(probe), "answered")
      assert.strictEqual(yield* ending(one.intercept(good)), "answered")

      const changes = other.signals.flatMap((of) =>
        of._tag === "CircuitChanged" ? [[of.from, of.to, of.reason, of.openMillis]] : []
      )
      assert.deepEqual(changes, [
        ["closed", "open", "failure-rate", 1000],
        ["open", "half-open", "open-time-over", undefined],
        ["half-open", "closed", "probes-answered", undefined]
      ])
      // Each tells what it did itself.
      assert.lengthOf(one.told("CircuitChanged"), 0)
    })
  )

  it.effect("counts as our own breaker does", () =>
    Effect.gen(function* () {
      const violated = Call.permanent(new ContractViolation.ContractViolation({ detail: "garbled" }))
      const timedOut = Effect.never
      const refusedWithin = Call.permanent(Refused.make({ policy: "within", reason: "BULKHEAD_FULL" }))
      const opensBy = (call: Call.Call<unknown, unknown, unknown>) =>
        Effect.gen(function* () {
          const stack = Policy.stack(breaker(yield* circuits), Policy.timeout("10 millis"))
          const { intercept } = yield* living(stack)
          for (const _ of times(6)) {
            const fiber = yield* Effect.forkChild(Effect.exit(intercept(call)))
            yield* TestClock.adjust("10 millis")
            yield* Fiber.join(fiber)
          }
          return (yield* ending(intercept(good))) === "CIRCUIT_OPEN"
        })
      assert.isTrue(yield* opensBy(bad), "a transient error")
      assert.isTrue(yield* opensBy(violated), "a contract violation")
      assert.isTrue(yield* opensBy(timedOut), "a timeout")
      assert.isFalse(yield* opensBy(declined), "a permanent outcome")
      assert.isFalse(yield* opensBy(refusedWithin), "a refusal within")
      assert.isFalse(yield* opensBy(Effect.die("a defect")), "a defect")
      assert.isFalse(yield* opensBy(Effect.interrupt), "an interruption")
    })
  )

  it.effect("stays open twice as long after each relapse, up to openMax, and heeds the downstream's own hint", () =>
    Effect.gen(function* () {
      const { intercept, told } = yield* living(
        breaker(yield* circuits, { consecutiveFailures: 1, openFor: "1 second", openMax: "3 seconds" })
      )
      yield* Effect.exit(intercept(bad))
      for (const millis of [1000, 2000, 3000]) {
        yield* TestClock.adjust(millis - 1)
        assert.strictEqual(yield* ending(intercept(bad)), "CIRCUIT_OPEN")
        yield* TestClock.adjust(1)
        assert.strictEqual(yield* ending(intercept(bad)), "Transient")
      }
      const opened = told("CircuitChanged").flatMap((of) => ("openMillis" in of ? [of.openMillis] : []))
      assert.deepEqual(opened, [1000, 2000, 3000, 3000])
      const hinted = yield* living(breaker(yield* circuits, { consecutiveFailures: 1 }))
      yield* Effect.exit(hinted.intercept(Call.transient(transient({ retryAfterMillis: 4000 }))))
      assert.deepInclude(hinted.told("CircuitChanged")[0], { openMillis: 4000, reason: "consecutive-failures" })
    })
  )

  it.effect("has a circuit for each key, where wanted", () =>
    Effect.gen(function* () {
      const { intercept, told } = yield* living(breaker(yield* circuits, { perKey: true, consecutiveFailures: 1 }))
      const as = (key: string, call: Call.Call<string, unknown, unknown>) =>
        Effect.provideService(ending(intercept(call)), CallKey.CallKey, key)
      yield* as("a", bad)
      assert.strictEqual(yield* as("a", good), "CIRCUIT_OPEN")
      assert.strictEqual(yield* as("b", good), "answered")
      assert.deepInclude(told("CircuitChanged")[0], { key: "a" })
    })
  )

  it.effect("is one circuit for all keys where keys are not wanted, and who has no key shares it", () =>
    Effect.gen(function* () {
      const store = yield* circuits
      const one = yield* living(breaker(store, { consecutiveFailures: 1 }))
      const keyed = yield* living(breaker(store, { perKey: true, consecutiveFailures: 1 }))
      const as = (of: typeof one, key: string, call: Call.Call<string, unknown, unknown> = good) =>
        Effect.provideService(of.intercept(call), CallKey.CallKey, key)
      assert.deepEqual(one.state(), { circuit: "closed", storeAway: false })
      yield* Effect.exit(as(one, "a", bad))
      assert.notProperty(one.told("CircuitChanged")[0], "key")
      assert.deepEqual(one.state(), { circuit: "open", storeAway: false })
      for (const result of [yield* as(one, "b"), yield* as(keyed, "")]) {
        assert(result._tag === "Failure" && result.failure instanceof Refused.Refused)
        assert.isUndefined(result.failure.key)
      }
      yield* Effect.exit(as(keyed, "a", bad))
      const refused = yield* as(keyed, "a")
      assert(refused._tag === "Failure" && refused.failure instanceof Refused.Refused)
      assert.strictEqual(refused.failure.key, "a")
      assert.strictEqual((yield* as(keyed, "b"))._tag, "Success")
    })
  )

  it.effect("in the dark counts and lets pass; off asks nobody; a turned knob holds at once", () =>
    Effect.gen(function* () {
      const dark = yield* living(breaker(yield* circuits, { mode: "dark", consecutiveFailures: 1 }))
      yield* Effect.exit(dark.intercept(bad))
      assert.strictEqual(yield* ending(dark.intercept(good)), "answered")
      assert.deepInclude(dark.told("CallRefused")[0], { dark: true, reason: "CIRCUIT_OPEN" })

      const bus = yield* Signal.make
      const { intercept, parts } = yield* Policy.build(breaker(yield* circuits), {
        downstream: "shop",
        method: "get",
        bus
      })
      parts[0]?.instance.assign({ consecutiveFailures: 2 })
      for (const _ of times(2)) yield* Effect.exit(intercept(bad))
      assert.strictEqual(yield* ending(intercept(good)), "CIRCUIT_OPEN")
      parts[0]?.instance.assign({ mode: "off" })
      assert.strictEqual(yield* ending(intercept(good)), "answered")
    })
  )
})

/** A store that does what the test says, and counts how often it was asked. */
const faultyStore = () => {
  const does = { admit: Effect.never as Effect.Effect<never>, asked: 0 }
  const store = Layer.succeed(
    CircuitBreaker.CircuitBreakerStore,
    CircuitBreaker.CircuitBreakerStore.of({
      admit: () =>
        Effect.suspend(() => {
          does.asked++
          return does.admit
        }),
      record: () => Effect.die("nothing was admitted, so nothing may be recorded"),
      state: () => Effect.never
    })
  )
  return { does, store }
}

const broken = new CircuitBreaker.CircuitBreakerError({
  reason: new CircuitBreaker.CircuitBreakerStoreError({ message: "gone" })
})

describe("a shared store that is away", () => {
  it.effect("costs a call storeLimit at most, and is left alone for a second", () =>
    Effect.gen(function* () {
      const { does, store } = faultyStore()
      const { intercept, state } = yield* living(breaker(store, { storeLimit: "50 millis" }))
      const first = yield* Effect.forkChild(ending(intercept(good)))
      yield* TestClock.adjust("49 millis")
      assert.isUndefined(first.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(first), "answered")
      assert.strictEqual(yield* ending(intercept(good)), "answered")
      assert.deepInclude(state(), { storeAway: true })
      assert.strictEqual(does.asked, 1)
      yield* TestClock.adjust("1 second")
      const again = yield* Effect.forkChild(ending(intercept(good)))
      yield* TestClock.adjust("50 millis")
      assert.strictEqual(yield* Fiber.join(again), "answered")
      assert.strictEqual(does.asked, 2)
    })
  )

  it.effect("that fails lets calls go on unrecorded, or refuses them where that was wanted", () =>
    Effect.gen(function* () {
      const { does, store } = faultyStore()
      does.admit = Effect.fail(broken) as Effect.Effect<never>
      assert.strictEqual(yield* ending((yield* living(breaker(store))).intercept(bad)), "Transient")
      const strict = yield* living(breaker(store, { onStoreAway: "refuse" }))
      assert.strictEqual(yield* ending(strict.intercept(good)), "STORE_UNAVAILABLE")
    })
  )

  it.effect("that cannot be reached at the start does not stop the start, and is used once it can", () =>
    Effect.gen(function* () {
      let reachable = false
      const memory = yield* circuits
      const store = Layer.unwrap(
        Effect.suspend(
          (): Effect.Effect<typeof memory, string> => (reachable ? Effect.succeed(memory) : Effect.fail("refused"))
        )
      )
      const { intercept, state } = yield* living(breaker(store, { consecutiveFailures: 1 }))
      yield* Effect.exit(intercept(bad))
      assert.strictEqual(yield* ending(intercept(good)), "answered")
      assert.deepInclude(state(), { storeAway: true })
      reachable = true
      yield* TestClock.adjust("10 seconds")
      assert.deepInclude(state(), { storeAway: false })
      yield* Effect.exit(intercept(bad))
      assert.strictEqual(yield* ending(intercept(good)), "CIRCUIT_OPEN")
    })
  )
})

const limit = (
  store: Layer.Layer<RateLimiter.RateLimiterStore, unknown>,
  more: Partial<Policy.SharedRateLimitOptions> = {}
) => Policy.sharedRateLimit({ limit: "maps", store, permits: 3, window: "3 seconds", ...more })

describe("sharedRateLimit", () => {
  it.effect("counts the calls of all who share it", () =>
    Effect.gen(function* () {
      const store = yield* limits
      const one = yield* living(limit(store))
      const other = yield* living(limit(store))
      assert.strictEqual(yield* ending(one.intercept(good)), "answered")
      assert.strictEqual(yield* ending(other.intercept(good)), "answered")
      assert.strictEqual(yield* ending(one.intercept(good)), "answered")
      for (const { intercept } of [one, other]) {
        const why = yield* Effect.map(intercept(good), (result) => result._tag === "Failure" && result.failure)
        assert(why instanceof Refused.Refused)
        assert.deepInclude(why, { reason: "RATE_LIMITED", retryAfterMillis: 1000 })
      }
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* ending(other.intercept(good)), "answered")
      assert.strictEqual(yield* ending(one.intercept(good)), "RATE_LIMITED")
    })
  )

  it.effect("waits for a turn that comes in time, and an interrupted wait takes nothing", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(limit(yield* limits, { waitMax: "1 second" }))
      for (const _ of times(3)) yield* intercept(good)
      const gone = yield* Effect.forkChild(ending(intercept(good)))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(gone)
      const waits = yield* Effect.forkChild(ending(intercept(good)))
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(waits.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(waits), "answered")
    })
  )

  it.effect("waits no longer than its caller's deadline, and in the dark not at all", () =>
    Effect.gen(function* () {
      // The clock of a process does not begin at 0.
      yield* TestClock.adjust("10 seconds")
      const { intercept } = yield* living(limit(yield* limits, { waitMax: "1 second" }))
      for (const _ of times(3)) yield* intercept(good)
      const until = (at: number) => Effect.provideService(ending(intercept(good)), Deadline.Deadline, at)
      assert.strictEqual(yield* until(11_000), "RATE_LIMITED")
      const waits = yield* Effect.forkChild(until(11_001))
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(waits.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(waits), "answered")

      const dark = yield* living(limit(yield* limits, { waitMax: "1 second", permits: 1, mode: "dark" }))
      yield* dark.intercept(good)
      assert.strictEqual(yield* ending(dark.intercept(good)), "answered")
      assert.lengthOf(dark.told("CallRefused"), 1, "a second of waiting is not within three")
      const short = yield* living(
        limit(yield* limits, { waitMax: "1 second", permits: 1, window: "1 second", mode: "dark" })
      )
      yield* short.intercept(good)
      assert.strictEqual(yield* ending(short.intercept(good)), "answered")
      assert.lengthOf(short.told("CallRefused"), 0, "who would only have waited is not counted")
    })
  )

  it.effect("counts all keys together where keys are not wanted, and who has no key with them", () =>
    Effect.gen(function* () {
      const store = yield* limits
      const one = yield* living(limit(store, { permits: 1 }))
      const keyed = yield* living(limit(store, { permits: 1, perKey: true }))
      const as = (of: typeof one, key: string) => Effect.provideService(of.intercept(good), CallKey.CallKey, key)
      assert.deepEqual(one.state(), { storeAway: false })
      assert.strictEqual((yield* as(one, "a"))._tag, "Success")
      for (const result of [yield* as(one, "b"), yield* as(keyed, "")]) {
        assert(result._tag === "Failure" && result.failure instanceof Refused.Refused)
        assert.isUndefined(result.failure.key)
        assert.deepEqual(result.failure.state, { limit: 1, windowMillis: 3000, shared: "maps" })
      }
      assert.strictEqual((yield* as(keyed, "a"))._tag, "Success")
      const refused = yield* as(keyed, "a")
      assert(refused._tag === "Failure" && refused.failure instanceof Refused.Refused)
      assert.strictEqual(refused.failure.key, "a")
    })
  )

  it.effect("is known to its store by its name, and by its name and the key: other programs may look at it", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const watched = Layer.effect(
        RateLimiter.RateLimiterStore,
        Effect.map(RateLimiter.RateLimiterStore, (store) =>
          RateLimiter.RateLimiterStore.of({
            ...store,
            tokenBucket: (options) => {
              asked.push(options.key)
              return store.tokenBucket(options)
            }
          })
        )
      ).pipe(Layer.provide(yield* limits))
      const one = yield* living(limit(watched))
      const keyed = yield* living(limit(watched, { perKey: true }))
      yield* one.intercept(good)
      yield* keyed.intercept(good)
      yield* Effect.provideService(keyed.intercept(good), CallKey.CallKey, "a")
      assert.deepEqual(asked, ["maps", "maps", "maps:a"])
    })
  )

  it.effect("keeps keys apart, passes in the dark with a count, and does nothing when off", () =>
    Effect.gen(function* () {
      const store = yield* limits
      const keyed = yield* living(limit(store, { perKey: true, permits: 1 }))
      const as = (key: string) => Effect.provideService(ending(keyed.intercept(good)), CallKey.CallKey, key)
      assert.deepEqual([yield* as("a"), yield* as("b"), yield* as("a")], ["answered", "answered", "RATE_LIMITED"])
      const dark = yield* living(limit(store, { mode: "dark", permits: 1 }))
      assert.deepEqual(
        yield* Effect.forEach(times(3), () => ending(dark.intercept(good))),
        times(3).map(() => "answered")
      )
      assert.lengthOf(dark.told("CallRefused"), 2)
      assert.deepInclude(dark.told("CallRefused")[0], { dark: true, reason: "RATE_LIMITED" })
      const off = yield* living(limit(store, { mode: "off", permits: 1 }))
      assert.strictEqual(yield* ending(off.intercept(good)), "answered")
    })
  )

  it.effect("without its store keeps the limit by itself, or does as it was told", () =>
    Effect.gen(function* () {
      const gone = Layer.effectContext(Effect.fail("no such host")) as Layer.Layer<RateLimiter.RateLimiterStore, string>
      const four = (policy: Policy.Policy) =>
        Effect.flatMap(living(policy), ({ intercept }) => Effect.forEach(times(4), () => ending(intercept(good))))
      assert.deepEqual(yield* four(limit(gone)), ["answered", "answered", "answered", "RATE_LIMITED"])
      assert.deepEqual(new Set(yield* four(limit(gone, { onStoreAway: "allow" }))), new Set(["answered"]))
      assert.deepEqual(new Set(yield* four(limit(gone, { onStoreAway: "refuse" }))), new Set(["STORE_UNAVAILABLE"]))
    })
  )

  it.effect("one store in two policies of a layer is one connection", () =>
    Effect.gen(function* () {
      let built = 0
      const store = Layer.unwrap(
        Effect.sync(() => {
          built++
          return RateLimiter.layerStoreMemory
        })
      )
      const both = Policy.stack(limit(store, { name: "a" }), limit(store, { name: "b", limit: "other" }))
      const bus = yield* Signal.make
      const key = Context.Service<Policy.Built>("@failsoft/core/test/Built")
      yield* Layer.build(Layer.effect(key, Policy.build(both, { downstream: "d", method: "m", bus })))
      assert.strictEqual(built, 1)
    })
  )
})
