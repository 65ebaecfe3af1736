import { assert, describe, it } from "@effect/vitest"
import { type Answer, Fallback, Policy, Signal, Unavailable } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { raw, Shop, switchable } from "./shop.ts"

const failed = (reason: string) =>
  new Unavailable.Unavailable({
    downstream: "shop",
    method: "show",
    reason,
    detail: "",
    retryable: true,
    applied: "no"
  })

const requestOf = (payload: string, now = 0): Fallback.Request => ({
  payload,
  key: () => payload,
  idempotencyKey: () => undefined,
  startedAt: now,
  now
})

/** Builds the steps and asks them in order, as a ring does. */
const living = (fallback: Fallback.Fallback<unknown, never>) =>
  Effect.map(
    Effect.forEach(fallback.steps, (step) => step.build),
    (steps) => ({
      turn: (knobs: Readonly<Record<string, number>>) => {
        for (const step of steps) step.assign({ ...step.values, ...knobs })
      },
      observe: (payload: string, value: unknown, now = 0) => {
        for (const step of steps) step.observe?.(requestOf(payload, now), value)
      },
      ask: (payload: string, now = 0, reason = "TIMEOUT") =>
        Effect.gen(function* () {
          for (const step of steps) {
            const answer = yield* step.answer(requestOf(payload, now), failed(reason))
            if (Option.isSome(answer)) return answer.value
          }
          return undefined
        })
    })
  )

describe("a fallback for some reasons", () => {
  it.effect("serves these, and passes on for others", () =>
    Effect.gen(function* () {
      const { ask } = yield* living(
        Fallback.chain(
          Fallback.when(Fallback.value("while it is open"), { reasons: ["CIRCUIT_OPEN"] }),
          Fallback.when(Fallback.value("not for a bug"), { except: ["CONTRACT_VIOLATION"] }),
          Fallback.value("else")
        )
      )
      const value = (reason: string) => Effect.map(ask("a", 0, reason), (answer) => answer?.value)
      assert.strictEqual(yield* value("CIRCUIT_OPEN"), "while it is open")
      assert.strictEqual(yield* value("TIMEOUT"), "not for a bug")
      assert.strictEqual(yield* value("CONTRACT_VIOLATION"), "else")
    })
  )

  it.effect("keeps what the step has seen, whatever the reason", () =>
    Effect.gen(function* () {
      const stale = Fallback.stale({ maxAge: "1 minute", entriesMax: 10 })
      const { ask, observe } = yield* living(Fallback.when(stale, { reasons: ["TIMEOUT"] }))
      observe("a", 1)
      assert.isUndefined(yield* ask("a", 10, "CIRCUIT_OPEN"))
      assert.deepInclude(yield* ask("a", 10, "TIMEOUT"), { value: 1, quality: "stale" })
    })
  )
})

describe("a step of one's own", () => {
  it.effect("that is late has no answer, and the next one is asked", () =>
    Effect.gen(function* () {
      const slow = Fallback.fromInstance<string, unknown, "partial">({
        kind: "slow",
        quality: "substituted",
        marks: ["partial"],
        make: () => Effect.succeed({ answer: () => Effect.never })
      })
      const { ask } = yield* living(Fallback.chain(slow, Fallback.value("quick")))
      const fiber = yield* Effect.forkChild(ask("a"))
      yield* TestClock.adjust(99)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(fiber))?.value, "quick")
    })
  )
})

describe("a precomputed answer", () => {
  const loading = () => {
    const state: { load: Effect.Effect<ReadonlyMap<string, number>, string>; asked: number } = {
      load: Effect.succeed(new Map([["a", 1]])),
      asked: 0
    }
    const step = Fallback.precomputed({
      load: Effect.suspend(() => {
        state.asked++
        return state.load
      }),
      lookup: (table, payload: string) => table.get(payload),
      every: "1 minute",
      maxAge: "10 minutes"
    })
    return { state, step }
  }

  it.effect("is there from the start, follows the table, and says as of when", () =>
    Effect.gen(function* () {
      const { state, step } = loading()
      const { ask } = yield* living(step)
      yield* Effect.yieldNow
      assert.deepEqual(yield* ask("a", 5), { value: 1, quality: "substituted", asOf: 0, reason: "TIMEOUT" })
      assert.isUndefined(yield* ask("b", 5))
      state.load = Effect.succeed(new Map([["b", 2]]))
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(yield* ask("a", 60_000))
      assert.deepInclude(yield* ask("b", 60_000), { value: 2, asOf: 60_000 })
      assert.strictEqual(state.asked, 2)
    })
  )

  it.effect("is as of when its load began: what is in it may have changed while it was under way", () =>
    Effect.gen(function* () {
      const { state, step } = loading()
      const { ask } = yield* living(step)
      yield* Effect.yieldNow
      state.load = Effect.delay(Effect.succeed(new Map([["a", 2]])), "10 seconds")
      yield* TestClock.adjust("70 seconds")
      assert.deepInclude(yield* ask("a", 70_000), { value: 2, asOf: 60_000 })
    })
  )

  it.effect("keeps the last good table while loading fails, dies or hangs, until it is too old", () =>
    Effect.gen(function* () {
      const { state, step } = loading()
      const { ask } = yield* living(step)
      yield* Effect.yieldNow
      for (const [nth, bad] of [Effect.fail("no such file"), Effect.die("bug"), Effect.never].entries()) {
        state.load = bad
        yield* TestClock.adjust("2 minutes")
        assert.strictEqual((yield* ask("a", (nth + 1) * 120_000))?.value, 1)
      }
      assert.isUndefined(yield* ask("a", 600_001))
      state.load = Effect.succeed(new Map([["a", 3]]))
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual((yield* ask("a", 610_000))?.value, 3)
    })
  )

  it.effect("is given the time that an operator says, where loading takes longer than it did", () =>
    Effect.gen(function* () {
      const { state, step } = loading()
      state.load = Effect.delay(Effect.succeed(new Map([["a", 1]])), "90 seconds")
      const { ask, turn } = yield* living(step)
      yield* TestClock.adjust("10 minutes")
      assert.isUndefined(yield* ask("a", 600_000))
      turn({ everyMillis: 120_000 })
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* ask("a", 1_200_000))?.value, 1)
    })
  )

  it.effect("does not hold up the start where the table cannot be loaded", () =>
    Effect.gen(function* () {
      const { state, step } = loading()
      state.load = Effect.never
      const { ask } = yield* living(Fallback.chain(step, Fallback.value(0)))
      assert.strictEqual((yield* ask("a"))?.value, 0)
    })
  )
})

describe("an optimistic answer", () => {
  const assuming = (options: { readonly entriesMax?: number; readonly reconcile?: boolean } = {}) => {
    const told: Array<Fallback.Assumption<string, string>> = []
    const step = Fallback.optimistic<string, string>({
      assume: (sku: string) => `${sku} is there`,
      holds: "10 seconds",
      ...(options.reconcile === false ? {} : { reconcile: (of) => Effect.sync(() => void told.push(of)) }),
      ...(options.entriesMax === undefined ? {} : { entriesMax: options.entriesMax })
    })
    return { told, step }
  }

  it.effect("says until when it is assumed, and is given no longer", () =>
    Effect.gen(function* () {
      const { ask } = yield* living(assuming().step)
      const first: Answer.Answer<unknown> = {
        value: "a is there",
        quality: "optimistic",
        until: 11_000,
        reason: "TIMEOUT"
      }
      assert.deepEqual(yield* ask("a", 1000), first)
      assert.deepEqual(yield* ask("a", 10_999), first, "it does not begin anew with each answer")
      assert.isUndefined(yield* ask("a", 11_000))
      assert.isUndefined(yield* ask("a", 50_000))
    })
  )

  it.effect("is reconciled once, with the first fresh answer, and may be assumed again later", () =>
    Effect.gen(function* () {
      const { step, told } = assuming()
      const { ask, observe } = yield* living(step)
      yield* ask("a", 1000)
      yield* ask("a", 2000)
      yield* ask("b", 2000)
      observe("a", "sold out", 20_000)
      observe("a", "sold out", 20_001)
      yield* Effect.yieldNow
      assert.deepEqual(told, [{ payload: "a", assumed: "a is there", since: 1000, times: 2, actual: "sold out" }])
      assert.deepInclude(yield* ask("a", 30_000), { until: 40_000 })
    })
  )

  it.effect("forgets no assumption that is not reconciled: others have none", () =>
    Effect.gen(function* () {
      const { step, told } = assuming({ entriesMax: 1 })
      const { ask, observe } = yield* living(step)
      yield* ask("a")
      assert.isUndefined(yield* ask("b"))
      observe("a", "there")
      assert.isDefined(yield* ask("b"))
      yield* Effect.yieldNow
      assert.lengthOf(told, 1)
    })
  )

  it.effect("makes room for others once the oldest is over", () =>
    Effect.gen(function* () {
      const { ask } = yield* living(assuming({ entriesMax: 1 }).step)
      yield* ask("gone", 0)
      assert.isUndefined(yield* ask("b", 9999))
      assert.isDefined(yield* ask("b", 10_000))
    })
  )

  it.effect("goes on reconciling after one that failed", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const step = Fallback.optimistic<string, string>({
        assume: (sku: string) => sku,
        holds: "10 seconds",
        reconcile: ({ payload }) =>
          Effect.andThen(
            Effect.sync(() => seen.push(payload)),
            Effect.fail("mail is down")
          )
      })
      const { ask, observe } = yield* living(step)
      for (const sku of ["a", "b", "c", "d", "e", "f"]) {
        yield* ask(sku)
        observe(sku, "x")
      }
      yield* TestClock.adjust(1)
      assert.deepEqual(seen.sort(), ["a", "b", "c", "d", "e", "f"])
    })
  )
})

describe("a degraded answer in a ring", () => {
  it.effect("is told with its step and with how the downstream does", () =>
    Effect.gen(function* () {
      const { call, control } = switchable()
      const ring = Shop.layer({
        show: { policy: Policy.stack(Policy.timeout(100)), fallback: Fallback.value(0) },
        peek: { policy: Policy.stack(Policy.timeout(100)), fallback: Fallback.value(0) },
        charge: { policy: Policy.stack(Policy.timeout(100)) }
      }).pipe(
        Layer.provide(Shop.transport({ show: call, peek: raw.answers, charge: raw.answers })),
        Layer.provideMerge(Signal.layer)
      )
      const context = yield* Layer.build(ring)
      const signals: Array<Signal.Signal> = []
      const told = () => signals.flatMap((of) => (of._tag === "AnswerDegraded" ? [of] : []))
      yield* Effect.gen(function* () {
        yield* (yield* Signal.Bus).subscribe((signal) => signals.push(signal))
        const shop = yield* Shop
        const calls = (times: number) => Effect.repeat(shop.show({ id: "1" }), { times: times - 1 })
        yield* calls(20)
        control.now = raw.refuses
        yield* calls(1)
        assert.deepInclude(told().at(-1), { step: "value", reason: "TRANSIENT_FAILURE" })
        assert.deepEqual(told().at(-1)?.seen, {
          errorRate: 1 / 21,
          errorRateLong: 1 / 21,
          meanMillis: 0,
          outage: "none"
        })
        control.now = raw.answers
        yield* calls(180)
        yield* TestClock.adjust("20 seconds")
        control.now = raw.refuses
        yield* calls(10)
        assert.deepInclude(told().at(-1)?.seen, { errorRate: 1, outage: "spike" })
        yield* calls(20)
        assert.deepInclude(told().at(-1)?.seen, { errorRate: 1, outage: "persistent" })
        yield* TestClock.adjust("20 seconds")
        control.now = raw.answers
        yield* calls(20)
        control.now = raw.refuses
        yield* calls(1)
        assert.deepInclude(told().at(-1)?.seen, { outage: "recovering" })
      }).pipe(Effect.provide(context))
    })
  )
})
