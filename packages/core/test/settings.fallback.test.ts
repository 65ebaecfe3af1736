import { assert, describe, it } from "@effect/vitest"
import { Downstream, Explain, Fallback, Policy, Settings, Signal } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { raw, Shop, switchable } from "./shop.ts"

const policy = Policy.stack(Policy.deadline("1 second"), Policy.timeout("300 millis"))
const remembers = Fallback.stale({ maxAge: "1 minute", entriesMax: 3 })

const alice = { by: "alice" }
const at = (name: string) => `shop/show/fallback.${name}`

/** The shop with a chain for `show`, and the same memory for `peek`. */
const shop = (show: Fallback.Fallback<number, unknown, "partial" | "keeps">) =>
  Effect.gen(function* () {
    const { call, control } = switchable()
    const ring = Shop.layer({
      show: { policy, fallback: Fallback.chain(show, Fallback.value(0)) },
      peek: { policy, fallback: remembers },
      charge: { policy }
    }).pipe(
      Layer.provide(Shop.transport({ show: call, peek: call, charge: call })),
      Layer.provideMerge(Settings.layer),
      Layer.provideMerge(Signal.layer)
    )
    const context = yield* Layer.build(ring)
    const client = yield* Effect.provideContext(Shop, context)
    const settings = yield* Effect.provideContext(Settings.Registry, context)
    const ask = (id: string) => Effect.map(client.show({ id }), ({ value, quality }) => `${value} ${quality}`)
    const outage = () => {
      control.now = raw.refuses
    }
    return { client, settings, ask, outage }
  })

describe("settings of fallbacks", () => {
  it.effect("are named by the kind of the step, with what it is built of and whether it is on", () =>
    Effect.gen(function* () {
      const { client, settings } = yield* shop(Fallback.chain(Fallback.value(1), remembers))
      const names = settings.list().flatMap(({ name }) => (name.startsWith(at("")) ? [name.slice(at("").length)] : []))
      assert.deepEqual(names, [
        "stale.enabled",
        "stale.entriesMax",
        "stale.maxAgeMillis",
        "value#2.enabled",
        "value.enabled"
      ])
      assert.deepInclude(settings.get(at("stale.maxAgeMillis")), {
        value: 60_000,
        origin: "code",
        sharedWith: ["shop/peek/fallback.stale.maxAgeMillis"]
      })
      yield* settings.set(at("stale.maxAgeMillis"), "2 minutes", alice)
      const [show] = Downstream.describe(client)?.methods ?? []
      assert.deepInclude(show?.fallback[1], {
        kind: "stale",
        name: "fallback.stale",
        address: at("stale"),
        knobs: { maxAgeMillis: 120_000, entriesMax: 3, enabled: true },
        origins: { maxAgeMillis: "admin", entriesMax: "code", enabled: "code" }
      })
    }).pipe(Effect.scoped)
  )

  it.effect("switch a step off and on again while it goes on remembering", () =>
    Effect.gen(function* () {
      const { ask, client, outage, settings } = yield* shop(remembers)
      yield* settings.set(at("stale.enabled"), false, alice)
      assert.strictEqual(yield* ask("a"), "7 fresh")
      outage()
      assert.strictEqual(yield* ask("a"), "0 substituted")
      const text = Explain.format(Explain.explain(client))
      assert.include(text, "fallback stale (stale) [off], value (substituted) > deadline 1 s")
      assert.include(text, `${at("stale.enabled")} = false (admin)`)
      assert.include(text, "! every step of the fallback is off: an outage fails the calls")
      // The memory is one for both rows, and so is its switch.
      assert.deepInclude(yield* Effect.flip(client.peek({ id: "a" })), { reason: "TRANSIENT_FAILURE" })
      yield* settings.set("shop/peek/fallback.stale.enabled", true, alice)
      assert.strictEqual(yield* ask("a"), "7 stale")
      assert.notInclude(Explain.format(Explain.explain(client)), "off")
    }).pipe(Effect.scoped)
  )

  it.effect("bound the age of an answer, and how many are kept, from the next call on", () =>
    Effect.gen(function* () {
      const { ask, outage, settings } = yield* shop(remembers)
      for (const id of ["a", "b", "c"]) yield* ask(id)
      outage()
      yield* TestClock.adjust("30 seconds")
      yield* settings.set(at("stale.entriesMax"), 2, alice)
      assert.deepEqual(yield* Effect.forEach(["a", "b", "c"], ask), ["0 substituted", "7 stale", "7 stale"])
      yield* settings.set(at("stale.maxAgeMillis"), "29 seconds", alice)
      assert.strictEqual(yield* ask("b"), "0 substituted")
      yield* settings.set(at("stale.maxAgeMillis"), "30 seconds", alice)
      assert.strictEqual(yield* ask("c"), "7 stale")
    }).pipe(Effect.scoped)
  )

  it.effect("bound the time that a computation may take", () =>
    Effect.gen(function* () {
      const compute = Fallback.compute({ compute: () => Effect.delay(Effect.succeed(5), 80), within: 50 })
      const { ask, outage, settings } = yield* shop(compute)
      outage()
      const after = (millis: number) =>
        Effect.gen(function* () {
          const fiber = yield* Effect.forkChild(ask("a"))
          yield* TestClock.adjust(millis)
          return yield* Fiber.join(fiber)
        })
      assert.strictEqual(yield* after(50), "0 substituted")
      yield* settings.set(at("compute.withinMillis"), 90, alice)
      assert.strictEqual(yield* after(80), "5 substituted")
    }).pipe(Effect.scoped)
  )

  it.effect("never take the last answer from a method that degrades, not even when a value ends", () =>
    Effect.gen(function* () {
      const { ask, outage, settings } = yield* shop(Fallback.chain(remembers, Fallback.omit(-1)))
      outage()
      yield* settings.set(at("omit.enabled"), false, alice)
      const refused = yield* Effect.flip(settings.set(at("value.enabled"), false, alice))
      assert.strictEqual(refused.reason, "does-not-fit")
      assert.strictEqual(
        refused.message,
        'shop/show: fallback.omit.enabled or fallback.value.enabled must be true: the method degrades by its contract (onOutage: "degrade"), so one step that always answers must stay on'
      )
      assert.strictEqual(yield* ask("a"), "0 substituted")
      // The other one on for a while is not enough for ever.
      yield* settings.set(at("omit.enabled"), true, { ...alice, expiresAfter: "1 minute" })
      yield* settings.clear(at("omit.enabled"), alice)
      yield* settings.load("file", { [at("omit.enabled")]: false }, "f")
      yield* settings.set(at("omit.enabled"), true, { ...alice, expiresAfter: "1 minute" })
      assert.include(
        (yield* Effect.flip(settings.set(at("value.enabled"), false, alice))).message,
        "once a value expires"
      )
      // A method that may fail may lose its fallback.
      yield* settings.set("shop/peek/fallback.stale.enabled", false, alice)
    }).pipe(Effect.scoped)
  )

  it.effect("refuse bad values with a sentence, in the code when the layer is built as well", () =>
    Effect.gen(function* () {
      const { settings } = yield* shop(remembers)
      for (const [name, value, sentence] of [
        ["stale.maxAgeMillis", 0, "must be a finite duration above zero"],
        ["stale.entriesMax", 2_000_000, "must be a whole number of at least 1 and at most 1000000"],
        ["stale.enabled", "no", 'must be true or false, but is "no"'],
        ["stale.maxAge", 1, `did you mean ${at("stale.maxAgeMillis")}`]
      ] as const) {
        assert.include((yield* Effect.flip(settings.set(at(name), value, alice))).message, sentence)
      }
      const built = yield* Effect.flip(Effect.scoped(shop(Fallback.stale({ maxAge: 0, entriesMax: 1 }))))
      assert.include(built.message, "shop/show: fallback.stale.maxAgeMillis must be a finite duration above zero")
    }).pipe(Effect.scoped)
  )
})
