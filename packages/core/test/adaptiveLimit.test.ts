import { assert, describe, it } from "@effect/vitest"
import { Call, type Gate, Policy, Refused, type Signal } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { bad, declined, ending, good, living } from "./kit.ts"
import { type Arrival, exponential, logNormal, quantile, rowWith, simulate, type World } from "./queueing.ts"

const seeds = [1, 2, 3]

/** Twenty workers of 50 ms under 60 % of their load, with an adaptive limit before them. */
const run = (seed: number, options: Policy.AdaptiveLimitOptions, world: Partial<World> = {}) =>
  Effect.gen(function* () {
    const signals: Array<Signal.Signal> = []
    const row = rowWith(signals)
    const { parts } = yield* Policy.build(Policy.adaptiveLimit(options), row)
    const [part] = parts
    const form = part?.instance.form
    assert(form?._tag === "Gate")
    const limits: Array<{ readonly at: number; readonly limit: number }> = []
    const arrivals = simulate({
      gate: form.gate,
      row,
      seed,
      untilMillis: 60_000,
      rate: () => 240,
      workers: () => 20,
      serviceMillis: (random) => exponential(random, 50),
      timeoutMillis: 1000,
      look: { everyMillis: 100, at: (at) => limits.push({ at, limit: Number(part?.instance.state()["limit"]) }) },
      ...world
    })
    const between = (from: number, until: number) => {
      const here = arrivals.filter(({ at }) => at >= from && at < until)
      const ended = (how: Arrival["ended"]) => here.filter((arrival) => arrival.ended === how)
      const answered = ended("answered")
      return {
        refused: ended("refused").length / here.length,
        perSecond: (answered.length / (until - from)) * 1000,
        p99: quantile(
          answered.map(({ at, endedAt }) => endedAt - at),
          0.99
        ),
        limit: quantile(
          limits.filter(({ at }) => at >= from && at < until).map(({ limit }) => limit),
          0.5
        )
      }
    }
    return { between, limits, signals, state: part?.instance.state() }
  })

describe.each(["gradient", "vegas"] as const)("the %s limit before twenty workers", (algorithm) => {
  it.effect("refuses nobody at 60 % of their load, once it has learnt", () =>
    Effect.forEach(seeds, (seed) =>
      Effect.gen(function* () {
        const { between } = yield* run(seed, { algorithm })
        assert.strictEqual(between(5000, 60_000).refused, 0, `seed ${seed}`)
      })
    )
  )

  it.effect("costs less than one in a hundred at 90 % of their load", () =>
    Effect.forEach(seeds, (seed) =>
      Effect.gen(function* () {
        const { between } = yield* run(seed, { algorithm }, { rate: () => 360 })
        assert.isBelow(between(10_000, 60_000).refused, 0.01, `seed ${seed}`)
      })
    )
  )

  it.effect("shrinks when 70 % of them go, keeps times bounded and the rest busy, and grows back", () =>
    Effect.forEach(seeds, (seed) =>
      Effect.gen(function* () {
        const { between } = yield* run(
          seed,
          { algorithm },
          { workers: (now) => (now >= 10_000 && now < 30_000 ? 6 : 20) }
        )
        const lost = between(16_000, 30_000)
        assert.isAtLeast(lost.limit, 6, `seed ${seed}`)
        assert.isAtMost(lost.limit, 18, `seed ${seed}`)
        // Six workers of 50 ms answer 120 calls a second.
        assert.isAbove(lost.perSecond, 105, `seed ${seed}`)
        assert.isBelow(lost.p99, 500, `seed ${seed}`)
        assert.isBelow(between(32_000, 60_000).refused, 0.005, `seed ${seed}`)
      })
    )
  )

  it.effect("does not fall to its floor by noise: a heavy tail at 60 % of their load", () =>
    Effect.forEach(seeds, (seed) =>
      Effect.gen(function* () {
        const heavy: World["serviceMillis"] = (random) => logNormal(random, 30, 1)
        const { between, limits } = yield* run(seed, { algorithm }, { serviceMillis: heavy })
        assert.isBelow(between(10_000, 60_000).refused, 0.005, `seed ${seed}`)
        assert.isAbove(Math.min(...limits.filter(({ at }) => at > 10_000).map(({ limit }) => limit)), 20)
      })
    )
  )

  it.effect("keeps them busy and its queue short under half as much again as they can do, for a minute", () =>
    Effect.forEach(seeds, (seed) =>
      Effect.gen(function* () {
        const { between } = yield* run(seed, { algorithm }, { rate: () => 600 })
        const settled = between(20_000, 60_000)
        assert.isAbove(settled.perSecond, 360, `seed ${seed}`)
        assert.isBelow(settled.p99, 450, `seed ${seed}`)
      })
    )
  )

  it.effect("falls to its floor while nothing answers, and is back after it within two seconds", () =>
    Effect.forEach(seeds, (seed) =>
      Effect.gen(function* () {
        const hangs = (now: number) => now >= 10_000 && now < 30_000
        const { between } = yield* run(
          seed,
          { algorithm },
          { serviceMillis: (random, now) => (hangs(now) ? 30_001 - now : exponential(random, 50)), timeoutMillis: 250 }
        )
        assert.strictEqual(between(20_000, 30_000).limit, 4, `seed ${seed}`)
        assert.isBelow(between(33_000, 60_000).refused, 0.01, `seed ${seed}`)
      })
    )
  )

  it.effect("finds two hundred workers from twenty", () =>
    Effect.forEach(seeds, (seed) =>
      Effect.gen(function* () {
        const { between } = yield* run(
          seed,
          { algorithm, limitMax: 1000 },
          { rate: () => 2400, workers: () => 200, untilMillis: 30_000 }
        )
        assert.isBelow(between(15_000, 30_000).refused, 0.01, `seed ${seed}`)
      })
    )
  )
})

describe("an adaptive limit", () => {
  it.effect("refuses with its limit, who runs and waits, and the times it goes by", () =>
    Effect.gen(function* () {
      const { intercept, told } = yield* living(
        Policy.adaptiveLimit({ limitInitial: 1, limitMin: 1, queueMax: 1, waitMax: "10 millis" })
      )
      yield* Effect.forkChild(ending(intercept(Effect.never)))
      const waiter = yield* Effect.forkChild(ending(intercept(good)))
      yield* Effect.yieldNow
      assert.strictEqual(yield* ending(intercept(good)), "CONCURRENCY_LIMITED")
      yield* TestClock.adjust("10 millis")
      assert.strictEqual(yield* Fiber.join(waiter), "CONCURRENCY_LIMITED")
      const states = told("CallRefused").map((signal) => signal._tag === "CallRefused" && signal.refused.state)
      assert.deepEqual(states, [
        { limit: 1, inFlight: 1, waiting: 1, rttMillis: 0, rttBaseMillis: 0 },
        { limit: 1, inFlight: 1, waiting: 0, rttMillis: 0, rttBaseMillis: 0 }
      ])
    })
  )

  /** Calls of which eight run at once, each for 10 ms. */
  const busy = (intercept: Policy.Interceptor, call: Call.Call<string, unknown, unknown>, times: number) =>
    Effect.gen(function* () {
      const all = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: times }),
          () => Effect.exit(intercept(Effect.andThen(Effect.sleep("10 millis"), call))),
          {
            concurrency: 8,
            discard: true
          }
        )
      )
      yield* TestClock.adjust(times * 10)
      yield* Fiber.join(all)
    })

  const small = { limitInitial: 8, queueMax: 0 } as const

  it.effect("grows while it is used and tells each whole step", () =>
    Effect.gen(function* () {
      const { intercept, told, state } = yield* living(Policy.adaptiveLimit(small))
      yield* busy(intercept, good, 200)
      assert.isAbove(state().limit, 8)
      const moves = told("LimitMoved").map((signal) => signal._tag === "LimitMoved" && [signal.from, signal.to])
      assert.isAtLeast(moves.length, 1)
      assert.isTrue(
        moves.every((move) => move && move[0] !== move[1]),
        "what does not move is not told"
      )
      assert.strictEqual(moves.flat().at(0), 8)
      assert.strictEqual(moves.flat().at(-1), state().limit)
    })
  )

  it.effect("does not grow while half of it is free", () =>
    Effect.gen(function* () {
      const { intercept, state } = yield* living(Policy.adaptiveLimit({ limitInitial: 20 }))
      yield* busy(intercept, good, 400)
      assert.strictEqual(state().limit, 20)
      assert.isAbove(state().rttBaseMillis, 0)
    })
  )

  const refusedWithin = Call.permanent(Refused.make({ policy: "within", reason: "NO" }))
  it.effect.each([
    ["a fast failure", bad],
    ["a refusal within", refusedWithin],
    ["a defect", Effect.die("bug")],
    ["an abort", Effect.interrupt]
  ] as const)("learns nothing from %s", ([, call]) =>
    Effect.gen(function* () {
      const { intercept, state } = yield* living(Policy.adaptiveLimit(small))
      yield* busy(intercept, call, 200)
      assert.deepInclude(state(), { limit: 8, rttMillis: 0, running: 0 })
    })
  )

  it.effect("learns from a permanent outcome as from an answer", () =>
    Effect.gen(function* () {
      const { intercept, state } = yield* living(Policy.adaptiveLimit(small))
      yield* busy(intercept, declined, 200)
      assert.isAbove(state().limit, 8)
    })
  )

  const pushback = { _tag: "Busy", pushback: "overloaded" }
  it.effect("halves in a window of nothing but pushback, down to its floor", () =>
    Effect.gen(function* () {
      const { intercept, state, told } = yield* living(Policy.adaptiveLimit({ ...small, limitInitial: 8 }))
      yield* busy(intercept, Call.transient(pushback), 60)
      assert.strictEqual(state().limit, 4)
      assert.isAtLeast(told("LimitMoved").length, 1)
    })
  )

  it.effect("measures from where the wait in its own queue ended", () =>
    Effect.gen(function* () {
      const options = { limitInitial: 4, limitMax: 4, queueMax: 1000, waitMax: "1 hour" } as const
      const { intercept, state } = yield* living(Policy.adaptiveLimit(options))
      const call = intercept(Effect.andThen(Effect.sleep("10 millis"), good))
      const all = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 100 }), () => call, { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(all)
      assert.strictEqual(state().rttMillis, 10)
    })
  )

  it.effect("in the dark lets pass whom it would refuse, and off knows nothing", () =>
    Effect.gen(function* () {
      const dark = yield* living(Policy.adaptiveLimit({ ...small, mode: "dark", limitInitial: 4 }))
      yield* busy(dark.intercept, good, 16)
      assert.isAbove(dark.told("CallRefused").length, 0)
      assert.isTrue(dark.told("CallRefused").every((signal) => signal._tag === "CallRefused" && signal.dark))
      const off = yield* living(Policy.adaptiveLimit({ ...small, mode: "off", limitInitial: 4 }))
      yield* busy(off.intercept, good, 100)
      assert.deepInclude(off.state(), { limit: 4, running: 0, rttMillis: 0 })
      assert.isEmpty(off.signals)
    })
  )

  it.effect("stays within bounds that are turned while it runs, and serves who waits", () =>
    Effect.gen(function* () {
      const row = rowWith([])
      const { intercept, parts } = yield* Policy.build(
        Policy.adaptiveLimit({ limitInitial: 4, waitMax: "1 hour" }),
        row
      )
      const instance = parts[0]?.instance
      assert(instance !== undefined)
      const all = yield* Effect.forEach(Array.from({ length: 6 }), () => Effect.forkChild(intercept(Effect.never)))
      yield* Effect.yieldNow
      assert.deepInclude(instance.state(), { running: 4, waiting: 2 })
      instance.assign({ ...instance.values, limitMin: 8, limitInitial: 8 })
      yield* Effect.yieldNow
      assert.deepInclude(instance.state(), { running: 6, waiting: 0, limit: 8 })
      yield* Fiber.interruptAll(all)
      assert.deepInclude(instance.state(), { running: 0, waiting: 0 })
    })
  )

  it.effect("keeps a limit for each key", () =>
    Effect.gen(function* () {
      const { parts } = yield* Policy.build(
        Policy.adaptiveLimit({ limitInitial: 4, queueMax: 0, keysMax: 2 }),
        rowWith([])
      )
      const form = parts[0]?.instance.form
      assert(form?._tag === "Gate")
      const attempt = (key: string): Gate.Attempt => ({
        row: rowWith([]),
        now: 0,
        deadlineAt: Number.POSITIVE_INFINITY,
        key: () => key,
        random: () => 0.5,
        outlive: () => {}
      })
      for (let i = 0; i < 4; i++) assert.isNumber(form.gate.enter(attempt("a")))
      assert.instanceOf(form.gate.enter(attempt("a")), Refused.Refused)
      assert.isNumber(form.gate.enter(attempt("b")))
    })
  )
})
