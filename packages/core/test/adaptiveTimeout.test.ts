import { assert, describe, it } from "@effect/vitest"
import { Composition, Deadline, type Gate, Policy, type Signal } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { ending, good, living } from "./kit.ts"
import { exponential, logNormal, quantile, randomFrom, rowWith } from "./queueing.ts"

/** A second of traffic: how long attempts take, at how many per second. */
interface Weather {
  readonly takes: (random: () => number) => number
  readonly perSecond?: number
  readonly fails?: number
}

/** Attempts under the policy's limit, second by second, without fibers. */
const traffic = (policy: Policy.Policy, seed = 1) =>
  Effect.gen(function* () {
    const signals: Array<Signal.Signal> = []
    const row = rowWith(signals)
    const { parts } = yield* Policy.build(policy, row)
    const instance = parts[0]?.instance
    const form = instance?.form
    assert(instance !== undefined && form?._tag === "Limit")
    const random = randomFrom(seed)
    let now = 0
    let cut = 0
    let sent = 0
    const attempt = (): Gate.Attempt => ({
      row,
      now,
      deadlineAt: Number.POSITIVE_INFINITY,
      key: () => "",
      random,
      outlive: () => {}
    })
    const limit = () => form.limitMillis(attempt())
    const run = (seconds: number, { fails = 0, perSecond = 50, takes }: Weather) => {
      cut = sent = 0
      for (const end = now + seconds * 1000; now < end; now += 1000 / perSecond) {
        const millis = takes(random)
        sent++
        if (random() < fails) form.ended?.(1, "failed", attempt(), now)
        else if (millis <= limit()) form.ended?.(millis, "answered", attempt(), now)
        else {
          cut++
          form.ended?.(limit(), "timedOut", attempt(), now)
        }
      }
      return { limit: limit(), cut: cut / sent }
    }
    const moves = () => signals.flatMap((signal) => (signal._tag === "LimitMoved" ? [signal] : []))
    return { run, limit, moves, instance }
  })

const usual: Weather = { takes: (random) => logNormal(random, 20, 0.5) }
/** The quantile itself, of many draws. */
const trueQuantile = ({ takes }: Weather, share: number) => {
  const random = randomFrom(99)
  return quantile(
    Array.from({ length: 100_000 }, () => takes(random)),
    share
  )
}

describe("adaptiveTimeout", () => {
  it.effect("begins at its ceiling, and stays there until it has seen enough", () =>
    Effect.gen(function* () {
      const { limit, run } = yield* traffic(Policy.adaptiveTimeout("2 seconds", { minimumCalls: 1000 }))
      assert.strictEqual(limit(), 2000)
      assert.strictEqual(run(25, { ...usual, perSecond: 30 }).limit, 2000)
      assert.isBelow(run(30, { ...usual, perSecond: 30 }).limit, 2000)
    })
  )

  it.effect("comes to the quantile times the factor, and stays near it", () =>
    Effect.gen(function* () {
      const expected = 1.5 * trueQuantile(usual, 0.999)
      for (const seed of [1, 2, 3]) {
        const { run } = yield* traffic(Policy.adaptiveTimeout("2 seconds", { floor: "10 millis" }), seed)
        run(300, usual)
        for (let minute = 0; minute < 10; minute++) {
          const { cut, limit } = run(60, usual)
          assert.isAbove(limit, expected * 0.7, `seed ${seed}`)
          assert.isBelow(limit, expected * 1.6, `seed ${seed}`)
          assert.isBelow(cut, 0.003, `seed ${seed}`)
        }
      }
    })
  )

  it.effect("moves once in ten seconds at most, by a fifth at most, and tells each move", () =>
    Effect.gen(function* () {
      const { limit, moves, run } = yield* traffic(Policy.adaptiveTimeout("2 seconds"))
      run(200, usual)
      run(200, { takes: (random) => logNormal(random, 60, 0.5) })
      const all = moves()
      assert.isAbove(all.length, 10)
      for (const [nth, { at, from, to }] of all.entries()) {
        assert.isAtLeast(at - (all[nth - 1]?.at ?? 0), 10_000)
        assert.isAtMost(Math.abs(to - from), 0.2 * from + 1e-9)
        assert.strictEqual(from, all[nth - 1]?.to ?? 2000)
      }
      assert.strictEqual(all.at(-1)?.to, limit())
    })
  )

  it.effect("does not fall by its own cut-offs, even where it cuts every twentieth attempt", () =>
    Effect.gen(function* () {
      const heavy: Weather = { takes: (random) => exponential(random, 100) }
      const options = { quantile: 0.95, factor: 1.05, floor: "1 millis" } as const
      const { run } = yield* traffic(Policy.adaptiveTimeout("2 seconds", options))
      const expected = trueQuantile(heavy, 0.95)
      run(600, heavy)
      for (let minute = 0; minute < 60; minute++) {
        const { limit } = run(60, heavy)
        assert.isAbove(limit, expected * 0.85, `minute ${minute}`)
        assert.isBelow(limit, expected * 1.3, `minute ${minute}`)
      }
    })
  )

  it.effect("learns nothing from an outage: neither from one that hangs nor from one that fails at once", () =>
    Effect.gen(function* () {
      const { instance, run } = yield* traffic(Policy.adaptiveTimeout("2 seconds"))
      const before = run(300, usual).limit
      run(10, { takes: () => 60_000 })
      assert.strictEqual(run(30, { takes: () => 60_000 }).limit, before)
      assert.isTrue(instance.state()["frozen"])
      assert.isBelow(Math.abs(run(60, usual).limit - before), 0.4 * before)
      const calm = run(60, usual).limit
      run(10, { takes: () => 1, fails: 0.5 })
      const frozen = run(10, { takes: () => 1, fails: 0.5 }).limit
      assert.strictEqual(run(100, { takes: () => 1, fails: 0.5 }).limit, frozen)
      assert.isBelow(Math.abs(frozen - calm), 0.4 * calm)
    })
  )

  it.effect("goes up after a minute in which mostly its own limit failed, for a downstream that became slower", () =>
    Effect.gen(function* () {
      const { run } = yield* traffic(Policy.adaptiveTimeout("2 seconds"))
      const before = run(300, usual).limit
      const slower: Weather = { takes: (random) => logNormal(random, 400, 0.3) }
      assert.isBelow(before, 400)
      assert.strictEqual(run(50, slower).limit, before)
      run(300, slower)
      assert.isBelow(run(60, slower).cut, 0.01)
    })
  )

  it.effect("stays between its floor and its ceiling, also when they are turned", () =>
    Effect.gen(function* () {
      const { instance, limit, run } = yield* traffic(Policy.adaptiveTimeout("2 seconds", { floor: "500 millis" }))
      assert.strictEqual(run(300, usual).limit, 500)
      instance.assign({ ...instance.values, floorMillis: 100, limitMillis: 300 })
      assert.strictEqual(limit(), 300)
      instance.assign({ ...instance.values, floorMillis: 900, limitMillis: 1000 })
      assert.strictEqual(limit(), 900)
    })
  )

  it.effect("cuts an attempt at its share of what the deadline leaves, not below the floor", () =>
    Effect.gen(function* () {
      const { intercept, told } = yield* living(
        Policy.stack(Policy.deadline("900 millis"), Policy.adaptiveTimeout("800 millis", { floor: "100 millis" }))
      )
      const timedOutAfter = (left: number, millis: number) =>
        Effect.gen(function* () {
          const at = (yield* Effect.clockWith((clock) => clock.currentTimeMillis)) + left
          const fiber = yield* Effect.forkChild(
            Effect.provideService(ending(intercept(Effect.delay(good, "1 hour"))), Deadline.Deadline, at)
          )
          yield* TestClock.adjust(millis)
          assert.strictEqual(yield* Fiber.join(fiber), "TimedOut")
        })
      yield* timedOutAfter(10_000, 300)
      yield* timedOutAfter(600, 200)
      yield* timedOutAfter(210, 100)
      assert.deepEqual(
        told("AttemptTimedOut").map((signal) => signal._tag === "AttemptTimedOut" && signal.limitMillis),
        [300, 200, 100]
      )
    })
  )

  it("is a timeout to a composition, as long as its ceiling", () => {
    const { adaptiveTimeout, circuitBreaker, deadline, stack } = Policy
    assert.match(
      Composition.problemsOf(stack(deadline(100), adaptiveTimeout(100))).join(),
      /timeout\.limitMillis \(100 ms\) must be shorter than deadline\.limitMillis \(100 ms\)/
    )
    assert.match(
      Composition.problemsOf(stack(circuitBreaker({ window: 150 }), adaptiveTimeout(100))).join(),
      /circuitBreaker\.windowMillis \(150 ms\) must be at least twice timeout\.limitMillis \(100 ms\)/
    )
    assert.isEmpty(Composition.problemsOf(stack(deadline(1000), circuitBreaker(), adaptiveTimeout(250))))
    assert.strictEqual(Composition.worstLatencyMillis(adaptiveTimeout(250)), 250)
    assert.match(
      Composition.problemsOf(adaptiveTimeout(100, { floor: 200 })).join(),
      /timeout\.floorMillis \(200 ms\) must not be longer than limitMillis, the ceiling \(100 ms\)/
    )
  })
})
