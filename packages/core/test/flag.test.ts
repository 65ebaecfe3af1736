import { assert, describe, it } from "@effect/vitest"
import { Call, CallKey, Fallback, Flag, Policy, Settings, Signal, Unavailable } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { living } from "./kit.ts"

const by = { by: "alice" }

const failure = new Unavailable.Unavailable({
  downstream: "shop",
  method: "show",
  reason: "TIMEOUT",
  detail: "late",
  retryable: true,
  applied: "no"
})

const set = (flag: Flag.Flag, knob: string, value: unknown, options: Partial<Settings.Options> = {}) =>
  Effect.flatMap(Settings.Registry, (settings) => settings.set(Flag.setting(flag, knob), value, { ...by, ...options }))

describe("a flag", () => {
  it.effect("says what the code says, and what was set as soon as it is", () =>
    Effect.gen(function* () {
      const flag = Flag.boolean("banner")
      const isOn = yield* Flag.live(flag)
      assert.isFalse(isOn())
      yield* set(flag, "enabled", true)
      assert.isTrue(isOn())
      assert.isFalse((yield* Flag.live(Flag.boolean("other")))())
    }).pipe(Effect.provide(Settings.layer))
  )

  it.effect("without settings it says what the code says, for each who asks", () =>
    Effect.gen(function* () {
      const flag = Flag.percentage("half", { percent: 100 })
      assert.isTrue((yield* Flag.live(flag))("alice"))
      assert.isTrue((yield* Flag.live(flag))("alice"))
      assert.deepEqual(Flag.list(yield* Settings.Registry), [])
    })
  )

  it.effect("is a setting: with origin, audit, expiry, and a rule that a bad value breaks", () =>
    Effect.gen(function* () {
      const flag = Flag.percentage("ranking", { percent: 5, description: "the new ranking, until June" })
      const isOn = yield* Flag.live(flag)
      const settings = yield* Settings.Registry
      yield* settings.load("file", { "flags/ranking/percentage.percent": 100 }, "settings.json")
      assert.isTrue(isOn("alice"))
      yield* set(flag, "percent", 0, { expiresAfter: "1 minute", reason: "complaints" })
      assert.isFalse(isOn("alice"))
      const [shown] = Flag.list(settings)
      assert.deepInclude(shown, { name: "ranking", kind: "percentage", description: "the new ranking, until June" })
      assert.deepInclude(shown?.settings[0], {
        value: 0,
        default: 5,
        origin: "admin",
        by: "alice",
        reason: "complaints"
      })
      yield* TestClock.adjust("1 minute")
      assert.isTrue(isOn("alice"), "what the file says holds again")
      assert.deepEqual(
        settings.audit().map((change) => change.origin),
        ["file", "admin", "file"]
      )
      const refused = yield* Effect.flip(set(flag, "percent", 101))
      assert.include(refused.message, "must be a number from 0 to 100, but is 101")
      assert.strictEqual(Flag.evaluate(settings, "ranking", "alice"), true)
      assert.isUndefined(Flag.evaluate(settings, "rankin", "alice"))
    }).pipe(Effect.provide(Settings.layer))
  )

  it.effect("a change is told as a signal", () =>
    Effect.gen(function* () {
      const told: Array<Signal.Signal> = []
      yield* (yield* Signal.Bus).subscribe((signal) => told.push(signal))
      const flag = Flag.boolean("banner")
      yield* Flag.live(flag)
      yield* set(flag, "enabled", true)
      assert.deepInclude(told[0], {
        _tag: "SettingChanged",
        downstream: "flags",
        method: "banner",
        names: ["flags/banner/boolean.enabled"],
        to: true
      })
    }).pipe(Effect.provide(Layer.mergeAll(Settings.layer, Signal.layer)), Effect.scoped)
  )

  it.effect("many flags stand side by side, each under its own name; of one name there is one", () =>
    Effect.gen(function* () {
      const settings = yield* Settings.Registry
      yield* Flag.live(Flag.boolean("a"))
      yield* Flag.live(Flag.boolean("b"))
      assert.deepEqual(
        settings.list().map(({ name }) => name),
        ["flags/a/boolean.enabled", "flags/b/boolean.enabled"]
      )
      const twice = yield* Effect.exit(Flag.live(Flag.boolean("a")))
      assert.isTrue(Exit.hasDies(twice))
      const misnamed = yield* Effect.exit(Flag.live(Flag.boolean("a/b")))
      assert.isTrue(Exit.hasDies(misnamed))
    }).pipe(Effect.provide(Settings.layer))
  )

  it.effect("of variants says the only one that has weight, and refuses to leave none", () =>
    Effect.gen(function* () {
      const flag = Flag.variant("checkout", { weights: { control: 100, fast: 0 } })
      const variant = yield* Flag.live(flag)
      assert.strictEqual(variant("alice"), "control")
      const refused = yield* Effect.flip(set(flag, "control", 0))
      assert.include(refused.message, "one of control, fast must be above 0")
      const settings = yield* Settings.Registry
      yield* settings.change({ [Flag.setting(flag, "control")]: 0, [Flag.setting(flag, "fast")]: 100 }, by)
      assert.strictEqual(variant("alice"), "fast")
    }).pipe(Effect.provide(Settings.layer))
  )

  it.effect("who has no key is in no share but the whole", () =>
    Effect.gen(function* () {
      const flag = Flag.percentage("share", { percent: 99.9 })
      const isOn = yield* Flag.live(flag)
      assert.isFalse(isOn(""))
      yield* set(flag, "percent", 100)
      assert.isTrue(isOn(""))
    }).pipe(Effect.provide(Settings.layer))
  )
})

describe("behind a flag", () => {
  it.effect("a policy is met only where the flag is on, by the call's key", () =>
    Effect.gen(function* () {
      const flag = Flag.percentage("bulkhead", { percent: 50 })
      const closed = Policy.make("closed", () => () => Effect.die("the policy was met"))
      const { intercept } = yield* living(Policy.flagged(closed, flag))
      const isOn = yield* Flag.live(flag)
      let met = 0
      for (let nth = 0; nth < 100; nth++) {
        const key = `tenant-${nth}`
        const exit = yield* Effect.exit(intercept(Call.answer(1)).pipe(Effect.provideService(CallKey.CallKey, key)))
        assert.strictEqual(Exit.isFailure(exit), isOn(key), key)
        if (Exit.isFailure(exit)) met++
      }
      assert.isAtLeast(met, 30)
      assert.isAtMost(met, 70)
      yield* set(flag, "percent", 0)
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(intercept(Call.answer(1)))))
    }).pipe(Effect.provide(Settings.layer), Effect.scoped)
  )

  it.effect("a fallback is asked only where the flag is on, and goes on remembering", () =>
    Effect.gen(function* () {
      const flag = Flag.boolean("stale")
      const { steps } = Fallback.flagged(Fallback.stale({ maxAge: "1 hour", entriesMax: 10 }), flag)
      assert.isFalse(steps[0]?.total)
      const [step] = yield* Effect.forEach(steps, ({ build }) => build)
      const request = { payload: "a", key: () => "a", idempotencyKey: () => undefined, startedAt: 0, now: 0 }
      step?.observe?.(request, 7)
      const ask = Effect.suspend(() => step?.answer(request, failure) ?? Effect.succeedNone)
      assert.isTrue(Option.isNone(yield* ask))
      yield* set(flag, "enabled", true)
      assert.strictEqual(Option.getOrUndefined(yield* ask)?.value, 7)
    }).pipe(Effect.provide(Settings.layer), Effect.scoped)
  )
})
