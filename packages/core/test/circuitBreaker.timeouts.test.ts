/** What timeouts do to a breaker, in virtual time: when a run of them opens it, and how it probes then. */
import { assert, describe, it } from "@effect/vitest"
import { type Call, Policy } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { bad, ending, good, living } from "./kit.ts"

const attemptMillis = 400
const probes = 5

/** A breaker before a timeout, and what is done to it. */
const breakerWith = (options: Policy.CircuitBreakerOptions) =>
  Effect.map(
    living(Policy.stack(Policy.circuitBreaker({ jitter: 0, probes, ...options }), Policy.timeout(attemptMillis))),
    ({ intercept, state, turn }) => {
      const ask = (call: Call.Call<unknown, unknown, unknown>) => ending(intercept(call))
      /** Some more at once than there are probes; how many of them were let through. */
      const crowd = (call: Call.Call<unknown, unknown, unknown>) =>
        Effect.gen(function* () {
          let passed = 0
          const counted = Effect.suspend(() => {
            passed++
            return call
          })
          yield* Effect.forEach(Array.from({ length: probes + 3 }), () => Effect.forkChild(ask(counted)))
          yield* Effect.yieldNow
          return passed
        })
      /** So many at once that hang, to their end. */
      const hang = (calls: number) =>
        Effect.gen(function* () {
          yield* Effect.forEach(Array.from({ length: calls }), () => Effect.forkChild(ask(Effect.never)))
          yield* TestClock.adjust(attemptMillis)
        })
      const circuit = () => state().circuit
      const mode = (mode: string) => turn("circuitBreaker", { mode })
      return { ask, crowd, hang, circuit, mode }
    }
  )

const breaker = breakerWith({
  minimumCalls: 1000,
  consecutiveTimeouts: 3,
  consecutiveFailures: 10,
  openFor: "1 second",
  openMax: "1 second"
})

const opened = Effect.tap(breaker, ({ circuit, hang }) =>
  Effect.andThen(
    hang(3),
    Effect.sync(() => assert.strictEqual(circuit(), "open"))
  )
)

describe("a run of timeouts", () => {
  it.effect("opens it where nothing else is heard", () =>
    Effect.gen(function* () {
      const { circuit, hang } = yield* breaker
      yield* hang(2)
      assert.strictEqual(circuit(), "closed")
      yield* hang(1)
      assert.strictEqual(circuit(), "open")
    })
  )

  it.effect.each([
    { word: "an answer", heard: good, at: 200, after: "open" },
    { word: "an answer", heard: good, at: 201, after: "closed" },
    { word: "a failure", heard: bad, at: 200, after: "open" },
    { word: "a failure", heard: bad, at: 201, after: "closed" }
  ] as const)(
    "of a burst leaves it $after where the last other word, $word, came at $at of 400 ms",
    ({ after, at, heard }) =>
      Effect.gen(function* () {
        const { ask, circuit } = yield* breaker
        yield* Effect.forEach(Array.from({ length: 8 }), () => Effect.forkChild(ask(Effect.never)))
        yield* TestClock.adjust(at)
        yield* ask(heard)
        yield* TestClock.adjust(attemptMillis - at)
        assert.strictEqual(circuit(), after)
      })
  )

  it.effect("does not open it by what comes after: the run is judged at a timeout only", () =>
    Effect.gen(function* () {
      const { ask, circuit } = yield* breaker
      yield* Effect.forEach(Array.from({ length: 3 }), () => Effect.forkChild(ask(Effect.never)))
      yield* TestClock.adjust(attemptMillis - 1)
      yield* ask(bad)
      yield* TestClock.adjust(1)
      yield* ask(bad)
      assert.strictEqual(circuit(), "closed")
    })
  )

  it.effect("opens it also where the clock was set back after the last answer", () =>
    Effect.gen(function* () {
      const { ask, circuit, hang } = yield* breaker
      yield* TestClock.setTime(10_000_000)
      yield* ask(good)
      yield* TestClock.setTime(5_000_000)
      yield* hang(3)
      assert.strictEqual(circuit(), "open")
    })
  )
})

describe("a circuit that timeouts opened", () => {
  it.effect("lets a single probe through, and the first answer brings the ramp's whole number", () =>
    Effect.gen(function* () {
      const { ask, circuit, crowd } = yield* opened
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* ask(good), "answered")
      assert.strictEqual(circuit(), "ramp")
      assert.strictEqual(yield* crowd(Effect.never), probes)
    })
  )

  it.effect("does so again after a probe that hung, whose time counts as open time", () =>
    Effect.gen(function* () {
      const { ask, crowd } = yield* opened
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* crowd(Effect.never), 1)
      // It waits for 400 ms, and 600 of the second are left.
      yield* TestClock.adjust(attemptMillis + 599)
      assert.strictEqual(yield* ask(good), "CIRCUIT_OPEN")
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* crowd(Effect.never), 1)
    })
  )

  it.effect("lets all probes through again after one that failed at once", () =>
    Effect.gen(function* () {
      const { ask, crowd } = yield* opened
      yield* TestClock.adjust("1 second")
      yield* ask(bad)
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(yield* ask(good), "CIRCUIT_OPEN")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* crowd(Effect.never), probes)
    })
  )

  it.effect("hears of its probe also when the caller goes away", () =>
    Effect.gen(function* () {
      const { ask, circuit, crowd } = yield* opened
      yield* TestClock.adjust("1 second")
      const caller = yield* Effect.forkChild(ask(Effect.never))
      yield* TestClock.adjust(100)
      yield* Fiber.interrupt(caller)
      assert.strictEqual(yield* crowd(good), 0, "it is still on its way")
      yield* TestClock.adjust(300)
      assert.strictEqual(circuit(), "open")
      yield* TestClock.adjust(600)
      assert.strictEqual(yield* crowd(Effect.never), 1)
    })
  )
})

describe("a circuit that failures at once opened", () => {
  it.effect("lets all probes through, and a single one after a round that hung", () =>
    Effect.gen(function* () {
      const { ask, crowd } = yield* breaker
      yield* Effect.repeat(ask(bad), { times: 9 })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* crowd(Effect.never), probes)
      yield* TestClock.adjust(attemptMillis + 600)
      assert.strictEqual(yield* crowd(Effect.never), 1)
    })
  )
})

describe("a ramp whose calls hang one after another", () => {
  it.effect("leads to a single probe", () =>
    Effect.gen(function* () {
      const { ask, circuit, crowd } = yield* breaker
      yield* Effect.repeat(ask(bad), { times: 9 })
      yield* TestClock.adjust("1 second")
      yield* Effect.repeat(ask(good), { times: probes - 1 })
      assert.strictEqual(circuit(), "ramp")
      assert.strictEqual(yield* crowd(Effect.never), probes)
      yield* TestClock.adjust(attemptMillis)
      assert.strictEqual(circuit(), "open")
      // Nothing of the open time is spent: others were let through while they hung.
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(yield* ask(good), "CIRCUIT_OPEN")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* crowd(Effect.never), 1)
    })
  )

  it.effect("leads to all probes where the last failed at once", () =>
    Effect.gen(function* () {
      const { ask, circuit, crowd } = yield* breaker
      yield* Effect.repeat(ask(bad), { times: 9 })
      yield* TestClock.adjust("1 second")
      yield* Effect.repeat(ask(good), { times: probes - 1 })
      yield* Effect.repeat(ask(bad), { times: probes - 1 })
      assert.strictEqual(circuit(), "open")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* crowd(Effect.never), probes)
    })
  )
})

describe("a round of probes of which some hang", () => {
  const late = Effect.delay(bad, attemptMillis - 1)
  it.effect.each([
    { word: "the last of them", calls: [Effect.never, Effect.never, bad, bad, bad] },
    { word: "the first of them", calls: [late, late, late, late, Effect.never] }
  ])("keeps all probes and the whole open time: $word", ({ calls }) =>
    Effect.gen(function* () {
      const { ask, circuit, crowd } = yield* breakerWith({
        consecutiveFailures: 3,
        failureRate: 1,
        openMax: "1 second"
      })
      yield* Effect.repeat(ask(bad), { times: 2 })
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(calls, (call) => Effect.forkChild(ask(call)))
      yield* TestClock.adjust(attemptMillis)
      assert.strictEqual(circuit(), "open")
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(yield* ask(good), "CIRCUIT_OPEN")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* crowd(Effect.never), probes)
    })
  )
})

describe("a probe that hangs for longer than the open time", () => {
  it.effect("leaves a tenth of it, so that instances do not probe without a pause", () =>
    Effect.gen(function* () {
      const { ask, circuit, hang } = yield* breakerWith({ consecutiveTimeouts: 3, openFor: 300, openMax: 300 })
      yield* hang(3)
      yield* TestClock.adjust(300)
      yield* hang(1)
      assert.strictEqual(circuit(), "open")
      yield* TestClock.adjust(29)
      assert.strictEqual(yield* ask(good), "CIRCUIT_OPEN")
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* ask(good), "answered")
    })
  )
})

describe("a breaker that was switched off meanwhile", () => {
  it.effect("has forgotten its row of timeouts", () =>
    Effect.gen(function* () {
      const { ask, circuit, hang, mode } = yield* breaker
      yield* hang(2)
      mode("off")
      yield* ask(good)
      mode("on")
      yield* hang(2)
      assert.strictEqual(circuit(), "closed")
      yield* hang(1)
      assert.strictEqual(circuit(), "open")
    })
  )

  it.effect("has forgotten its row of failures", () =>
    Effect.gen(function* () {
      const { ask, circuit, mode } = yield* breaker
      yield* Effect.repeat(ask(bad), { times: 8 })
      mode("off")
      yield* ask(good)
      mode("on")
      yield* ask(bad)
      assert.strictEqual(circuit(), "closed")
    })
  )

  it.effect("has heard of a call from before that ended meanwhile, though not how", () =>
    Effect.gen(function* () {
      const { ask, circuit, hang, mode } = yield* breaker
      yield* hang(2)
      yield* Effect.forkChild(ask(Effect.delay(good, 100)))
      yield* Effect.yieldNow
      mode("off")
      yield* TestClock.adjust(100)
      mode("on")
      yield* hang(2)
      assert.strictEqual(circuit(), "closed")
    })
  )
})

describe("a run of timeouts that is a run of failures as well", () => {
  it.effect("is followed by a single probe", () =>
    Effect.gen(function* () {
      const { crowd, hang } = yield* breakerWith({ consecutiveTimeouts: 3, consecutiveFailures: 3 })
      yield* hang(3)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* crowd(Effect.never), 1)
    })
  )
})
