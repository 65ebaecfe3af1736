import { assert, describe, it } from "@effect/vitest"
import { Fallback, Flag, Journal, Policy, Settings, Signal, Unavailable } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { raw, Shop } from "./shop.ts"

const failure = new Unavailable.Unavailable({
  downstream: "shop",
  method: "show",
  reason: "TIMEOUT",
  detail: "late",
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

/** A rollout in a scope of its own: asks it as a ring does, turns its flag, and keeps what it tells. */
const living = <A, B>(
  options: Omit<Parameters<typeof Fallback.rollout<A, B, string, "partial">>[0], "flag"> & {
    readonly flag?: Flag.RolloutFlag
  }
) =>
  Effect.gen(function* () {
    const flag = options.flag ?? Flag.rollout("new")
    const told: Array<Signal.Signal> = []
    yield* (yield* Signal.Bus).subscribe((signal) => told.push(signal))
    const { steps } = Fallback.rollout({ ...options, flag })
    const built = yield* Effect.forEach(steps, ({ build }) => build)
    const settings = yield* Settings.Registry
    return {
      ask: (key: string, now = 0) =>
        Effect.gen(function* () {
          for (const step of built) {
            const answer = yield* Effect.catchCause(step.answer(requestOf(key, now), failure), () => Effect.succeedNone)
            if (Option.isSome(answer)) return answer.value.value
          }
          return undefined
        }),
      turn: (values: Readonly<Record<string, unknown>>) =>
        settings.change(
          Object.fromEntries(Object.entries(values).map(([knob, value]) => [Flag.setting(flag, knob), value])),
          { by: "alice" }
        ),
      counts: () => Flag.list(settings)[0]?.counts,
      told: (tag: Signal.Signal["_tag"]) => told.filter((signal) => signal._tag === tag)
    }
  })

/** A step that answers what it is told, and counts how often it is asked. */
const scripted = <A>(answer: (key: string) => Effect.Effect<A, unknown>) => {
  const seen = { asked: 0, keys: [] as Array<string> }
  const fallback = Fallback.compute({
    compute: (key: string) =>
      Effect.suspend(() => {
        seen.asked++
        seen.keys.push(key)
        return answer(key)
      })
  })
  return { fallback, seen }
}

const context = Layer.mergeAll(Settings.layer, Signal.layer)

const keys = Array.from({ length: 1000 }, (_, nth) => `customer-${nth}`)

describe("a rollout", () => {
  it.effect("off, the candidate is never asked", () =>
    Effect.gen(function* () {
      const candidate = scripted(() => Effect.succeed("new"))
      const { ask, counts } = yield* living({ stable: Fallback.value("old"), candidate: candidate.fallback })
      for (const key of keys) assert.strictEqual(yield* ask(key), "old")
      yield* Effect.yieldNow
      assert.strictEqual(candidate.seen.asked, 0)
      assert.strictEqual(counts()?.stable.answered, 1000)
    }).pipe(Effect.provide(context), Effect.scoped)
  )

  it.effect("from one to ten to a hundred percent: those who have the new answer keep it; off takes it from all", () =>
    Effect.gen(function* () {
      const { ask, turn, counts, told } = yield* living({
        stable: Fallback.value("old"),
        candidate: Fallback.value("new")
      })
      const those = Effect.filter(keys, (key) => Effect.map(ask(key), (answer) => answer === "new"))
      const sizes: Array<number> = []
      let before: ReadonlyArray<string> = []
      for (const percent of [1, 10, 100]) {
        yield* turn({ stage: "on", percent })
        const now = yield* those
        assert.deepEqual(now, yield* those)
        const lost = before.filter((key) => !now.includes(key))
        assert.deepEqual(lost, [])
        sizes.push(now.length)
        before = now
      }
      const [one = 0, ten = 0, all = 0] = sizes
      assert.isTrue(one >= 3 && one <= 24, `${one} of 1000 at 1 %`)
      assert.isTrue(ten >= 60 && ten <= 145, `${ten} of 1000 at 10 %`)
      assert.strictEqual(all, 1000)
      assert.strictEqual(counts()?.candidate.answered, 2 * (one + ten + all))
      assert.deepInclude(told("VariantAnswered").at(-1), {
        downstream: "shop",
        method: "show",
        flag: "new",
        variant: "candidate",
        step: "candidate.value"
      })
      yield* turn({ stage: "off" })
      assert.deepEqual(yield* those, [])
    }).pipe(Effect.provide(context), Effect.scoped)
  )

  it.effect("in the dark: it runs beside the request, is compared, counted and told, and is not used", () =>
    Effect.gen(function* () {
      const candidate = scripted((key) => {
        if (key === "same") return Effect.succeed({ list: [1, 2] })
        if (key === "different") return Effect.succeed({ list: [2, 1] })
        return key === "dies" ? Effect.die("a bug") : Effect.fail("none")
      })
      const { ask, turn, counts, told } = yield* living({
        stable: Fallback.value({ list: [1, 2] }),
        candidate: candidate.fallback
      })
      yield* turn({ stage: "dark" })
      for (const key of ["same", "different", "none", "dies"]) {
        assert.deepEqual(yield* ask(key), { list: [1, 2] })
        yield* TestClock.adjust("1 milli")
      }
      assert.deepEqual(
        told("DarkCompared").map((signal) => signal._tag === "DarkCompared" && signal.result),
        ["same", "different", "stable-only", "stable-only"]
      )
      assert.deepInclude(counts()?.dark, { same: 1, different: 1, "stable-only": 2 })
      assert.deepInclude(counts()?.candidate, { answered: 0 })
      assert.strictEqual(told("VariantAnswered").length, 4)
    }).pipe(Effect.provide(context), Effect.scoped)
  )

  it.effect("in the dark the request waits for nothing, and a candidate that hangs is left out at last", () =>
    Effect.gen(function* () {
      const candidate = scripted(() => Effect.never)
      const { ask, turn, counts } = yield* living({ stable: Fallback.value(1), candidate: candidate.fallback })
      yield* turn({ stage: "dark" })
      for (const key of keys.slice(0, 20)) assert.strictEqual(yield* ask(key), 1)
      yield* Effect.yieldNow
      assert.strictEqual(candidate.seen.asked, 16)
      assert.strictEqual(counts()?.dark.skipped, 4)
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(counts()?.dark["stable-only"], 16)
      yield* ask("again")
      yield* Effect.yieldNow
      assert.strictEqual(candidate.seen.asked, 17)
    }).pipe(Effect.provide(context), Effect.scoped)
  )

  it.effect("in the dark for a share only, and compared as it is told to", () =>
    Effect.gen(function* () {
      const candidate = scripted((key) => Effect.succeed(key.length))
      const { ask, turn, counts } = yield* living({
        stable: Fallback.value("twelve chars"),
        candidate: candidate.fallback,
        compare: (stable, of) => stable.length === of
      })
      yield* turn({ stage: "dark", darkPercent: 10 })
      for (const key of keys) {
        yield* ask(key)
        yield* Effect.yieldNow
      }
      assert.isTrue(candidate.seen.asked >= 60 && candidate.seen.asked <= 145, `${candidate.seen.asked} of 1000`)
      const { same = 0, different = 0 } = counts()?.dark ?? {}
      assert.strictEqual(same + different, candidate.seen.asked)
      assert.strictEqual(same, candidate.seen.keys.filter((key) => key.length === 12).length)
      assert.isAbove(same, 0)
    }).pipe(Effect.provide(context), Effect.scoped)
  )

  it.effect("in the dark a comparison that breaks is a failed candidate, and what it calls degrades for nobody", () =>
    Effect.gen(function* () {
      const seen: Array<boolean> = []
      const candidate = scripted(() =>
        Effect.map(Effect.service(Journal.Journal), (journal) => seen.push(journal !== undefined))
      )
      const { ask, turn, counts } = yield* living({
        stable: Fallback.value("old"),
        candidate: candidate.fallback,
        compare: () => {
          throw new Error("a bug")
        }
      })
      const asked = ask("a").pipe(Effect.provideService(Journal.Journal, yield* Journal.make))
      yield* turn({ stage: "dark" })
      assert.strictEqual(yield* asked, "old")
      yield* Effect.yieldNow
      assert.strictEqual(counts()?.dark.failed, 1)
      yield* turn({ stage: "on", percent: 100 })
      yield* asked
      assert.deepEqual(seen, [false, true])
    }).pipe(Effect.provide(context), Effect.scoped)
  )

  it.effect("where the candidate has no answer or dies, the stable one has", () =>
    Effect.gen(function* () {
      const candidate = scripted((key) => (key === "dies" ? Effect.die("a bug") : Effect.fail("none")))
      const { ask, turn, counts } = yield* living({ stable: Fallback.value("old"), candidate: candidate.fallback })
      yield* turn({ stage: "on", percent: 100 })
      assert.strictEqual(yield* ask("none"), "old")
      assert.strictEqual(yield* ask("dies"), "old")
      assert.deepInclude(counts()?.candidate, { answered: 0, withoutAnswer: 2 })
      assert.deepInclude(counts()?.stable, { answered: 2, withoutAnswer: 0 })
    }).pipe(Effect.provide(context), Effect.scoped)
  )

  it.effect("a chain has no answer only where none of its steps has one", () =>
    Effect.gen(function* () {
      const fails = scripted((key) => (key === "first" ? Effect.succeed("first") : Effect.fail("none")))
      const { ask, turn, counts } = yield* living({
        stable: Fallback.value("old"),
        candidate: Fallback.chain(
          fails.fallback,
          Fallback.compute({
            compute: (key: string) => (key === "none" ? Effect.fail("none") : Effect.succeed("second"))
          })
        )
      })
      yield* turn({ stage: "on", percent: 100 })
      assert.deepEqual(yield* Effect.forEach(["first", "second", "none"], (key) => ask(key)), [
        "first",
        "second",
        "old"
      ])
      assert.deepInclude(counts()?.candidate, { answered: 2, withoutAnswer: 1 })
      assert.deepInclude(counts()?.stable, { answered: 1, withoutAnswer: 0 })
      yield* turn({ stage: "dark" })
      yield* ask("second")
      yield* Effect.yieldNow
      assert.strictEqual(counts()?.dark.different, 1)
    }).pipe(Effect.provide(context), Effect.scoped)
  )

  it.effect("what the candidate needs while it is off it has remembered", () =>
    Effect.gen(function* () {
      const flag = Flag.rollout("new")
      const { steps } = Fallback.rollout({
        flag,
        stable: Fallback.value("old"),
        candidate: Fallback.stale({ maxAge: "1 hour", entriesMax: 10 })
      })
      const [candidate] = yield* Effect.forEach(steps, ({ build }) => build)
      candidate?.observe?.(requestOf("a"), "seen")
      const settings = yield* Settings.Registry
      yield* settings.change(
        { [Flag.setting(flag, "stage")]: "on", [Flag.setting(flag, "percent")]: 100 },
        { by: "alice" }
      )
      const answer = yield* candidate?.answer(requestOf("a", 10), failure) ?? Effect.succeedNone
      assert.strictEqual(Option.getOrUndefined(answer)?.value, "seen")
    }).pipe(Effect.provide(context), Effect.scoped)
  )

  it.effect("what would do something in the dark is refused when the ring is built", () =>
    Effect.gen(function* () {
      const ring = Shop.layer({
        show: {
          policy: Policy.standard(),
          fallback: Fallback.rollout({
            flag: Flag.rollout("new"),
            stable: Fallback.value(0),
            candidate: Fallback.optimistic({ assume: () => 1, holds: "1 minute" })
          })
        },
        peek: { policy: Policy.standard(), fallback: Fallback.value(0) },
        charge: { policy: Policy.standard() }
      }).pipe(Layer.provide(Shop.transport({ show: raw.answers, peek: raw.answers, charge: raw.answers })))
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(ring)))
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(Exit.isFailure(exit) ? exit.cause : ""), "must not take a request or assume anything")
    }).pipe(Effect.provide(Settings.layer))
  )

  it.effect(
    "in a ring: its steps are named, its knobs are settings, and the contract keeps a step that answers",
    () => {
      const flag = Flag.rollout("new-answer")
      const ring = Shop.layer({
        show: {
          policy: Policy.stack(Policy.deadline("1 second"), Policy.timeout("200 millis")),
          fallback: Fallback.rollout({ flag, stable: Fallback.value(0), candidate: Fallback.value(1) })
        },
        peek: { policy: Policy.deadline("1 second"), fallback: Fallback.value(0) },
        charge: { policy: Policy.deadline("1 second") }
      }).pipe(
        Layer.provide(Shop.transport({ show: raw.refuses, peek: raw.refuses, charge: raw.refuses })),
        Layer.provideMerge(Settings.layer)
      )
      return Effect.gen(function* () {
        const shop = yield* Shop
        const settings = yield* Settings.Registry
        const journal = yield* Journal.make
        const show = shop.show({ id: "a" }).pipe(Effect.provideService(Journal.Journal, journal))
        assert.strictEqual((yield* show).value, 0)
        yield* settings.change(
          { [Flag.setting(flag, "stage")]: "on", [Flag.setting(flag, "percent")]: 100 },
          { by: "alice" }
        )
        assert.strictEqual((yield* show).value, 1)
        assert.isDefined(settings.get("shop/show/fallback.candidate.value.enabled"))
        yield* settings.set("shop/show/fallback.candidate.value.enabled", false, { by: "alice" })
        assert.strictEqual((yield* show).value, 0)
        const refused = yield* Effect.flip(settings.set("shop/show/fallback.value.enabled", false, { by: "alice" }))
        assert.include(refused.message, "degrades by its contract")
      }).pipe(Effect.provide(ring))
    }
  )
})
