import { assert, describe, it } from "@effect/vitest"
import { Fallback, Flag, Policy, Settings, Signal } from "@failsoft/core"
import { source } from "@failsoft/core/openfeature"
import { type Client, InMemoryProvider, OpenFeature } from "@openfeature/server-sdk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { TestClock } from "effect/testing"

type Configuration = ConstructorParameters<typeof InMemoryProvider>[0] & object

const is = (value: boolean | number | string | object): Configuration[string] => ({
  variants: { it: value as boolean },
  defaultVariant: "it",
  disabled: false
})

/** The in-memory provider of the SDK, which can be taken down. */
class Provider extends InMemoryProvider {
  how: "up" | "throws" | "hangs" = "up"

  override async resolveBooleanEvaluation(key: string, absent: boolean) {
    await this.trouble()
    return super.resolveBooleanEvaluation(key, absent, {}, logger)
  }
  override async resolveNumberEvaluation(key: string, absent: number) {
    await this.trouble()
    return super.resolveNumberEvaluation(key, absent, {}, logger)
  }
  override async resolveStringEvaluation(key: string, absent: string) {
    await this.trouble()
    return super.resolveStringEvaluation(key, absent, {}, logger)
  }
  override async resolveObjectEvaluation<T extends Parameters<InMemoryProvider["resolveObjectEvaluation"]>[1]>(
    key: string,
    absent: T
  ) {
    await this.trouble()
    return super.resolveObjectEvaluation<T>(key, absent, {}, logger)
  }
  private trouble(): Promise<void> {
    if (this.how === "throws") return Promise.reject(new Error("no route to the flags"))
    return this.how === "hangs" ? new Promise(() => {}) : Promise.resolve()
  }
}

const logger = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} }

const banner = Flag.boolean("banner")
const ranking = Flag.percentage("ranking")
const checkout = Flag.variant("checkout", { weights: { control: 100, fast: 0 } })
const personalised = Flag.rollout("personalised")
const flags = [banner, ranking, checkout, personalised]

let domains = 0

/** A registry that listens to a provider of its own, and what it logs. */
const world = (
  configuration: Configuration,
  options: { readonly how?: Provider["how"]; readonly wait?: boolean } = {}
) =>
  Effect.gen(function* () {
    const provider = new Provider(configuration)
    provider.how = options.how ?? "up"
    const domain = `test-${domains++}`
    if (options.wait !== false) yield* Effect.promise(() => OpenFeature.setProviderAndWait(domain, provider))
    const client: Client = OpenFeature.getClient(domain)
    client.setLogger(logger)
    const logged: Array<string> = []
    const asked = source(client, {
      flags,
      settings: { "stale-off": { key: "keep-stale", type: "boolean" } },
      by: "in-memory"
    })
    const context = yield* Layer.build(
      Settings.layerOf(asked).pipe(
        Layer.provide(Logger.layer([Logger.make(({ message }) => void logged.push(String(message)))]))
      )
    )
    const settings = yield* Effect.provideContext(Settings.Registry, context)
    yield* Effect.forEach(flags, (flag) => Flag.live(flag as Flag.Flag)).pipe(Effect.provideContext(context))
    return {
      provider,
      domain,
      settings,
      logged,
      says: (key = "alice") => flags.map(({ name }) => Flag.evaluate(settings, name, key)),
      problems: () => settings.problems().filter(({ name }) => name === "in-memory"),
      /** So long passes, and what was asked meanwhile is answered. */
      pass: (duration: "100 millis" | "30 seconds" | "1 minute") =>
        Effect.gen(function* () {
          for (let nth = 0; nth < 3; nth++) {
            yield* turnOfTheLoop
            yield* TestClock.adjust(nth === 0 ? duration : "20 millis")
          }
          yield* turnOfTheLoop
        })
    }
  })

const turnOfTheLoop = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

const everything: Configuration = {
  banner: is(true),
  ranking: is(100),
  checkout: is("fast"),
  personalised: is({ stage: "on", percent: 100 })
}

describe("flags of an OpenFeature provider", () => {
  it.effect("each kind has its values at the start, with the origin flag", () =>
    Effect.gen(function* () {
      const { says, settings } = yield* world(everything)
      assert.deepEqual(says(), [true, true, "fast", "candidate"])
      assert.deepInclude(settings.get("flags/ranking/percentage.percent"), {
        origin: "flag",
        by: "in-memory",
        value: 100
      })
    }).pipe(Effect.scoped)
  )

  it.effect("other forms of the same: weights, a stage, a share, a switch", () =>
    Effect.gen(function* () {
      const { says, settings } = yield* world({
        ranking: is(true),
        checkout: is({ control: 0, fast: 5 }),
        personalised: is("dark")
      })
      assert.deepEqual(says(), [false, true, "fast", "dark"])
      const other = yield* world({ personalised: is(100) })
      assert.deepEqual(other.says()[3], "candidate")
      const off = yield* world({ personalised: is(false) })
      assert.deepEqual(off.says()[3], "stable")
      assert.strictEqual(settings.get("flags/banner/boolean.enabled")?.origin, "code")
    }).pipe(Effect.scoped)
  )

  it.effect(
    "a change is in force when the provider says so, and a flag that is gone or disabled is the code's again",
    () =>
      Effect.gen(function* () {
        const { pass, provider, says, settings } = yield* world(everything)
        yield* pass("100 millis")
        provider.putConfiguration({
          banner: is(true),
          ranking: { ...is(100), disabled: true },
          checkout: is("control")
        })
        yield* pass("100 millis")
        assert.deepEqual(says(), [true, false, "control", "stable"])
        assert.strictEqual(settings.get("flags/ranking/percentage.percent")?.origin, "code")
      }).pipe(Effect.scoped)
  )

  it.effect("any setting can be a flag there", () =>
    Effect.gen(function* () {
      const client = yield* Effect.promise(async () => {
        const domain = `test-${domains++}`
        await OpenFeature.setProviderAndWait(domain, new Provider({ patience: is(80), "keep-stale": is(false) }))
        return OpenFeature.getClient(domain)
      })
      const listening = Settings.layerOf(
        source(client, {
          settings: {
            "shop/show/timeout.limitMillis": { key: "patience", type: "number" },
            "shop/show/fallback.stale.enabled": { key: "keep-stale", type: "boolean" }
          }
        })
      )
      const settings = yield* Effect.provideContext(Settings.Registry, yield* Layer.build(listening))
      const row = { downstream: "shop", method: "show", bus: yield* Signal.make }
      const policy = Policy.stack(Policy.deadline("1 second"), Policy.timeout("250 millis"))
      const { parts } = yield* Policy.build(policy, row)
      const [step] = Fallback.stale({ maxAge: "1 hour", entriesMax: 1 }).steps
      const steps = step === undefined ? [] : [{ step, instance: yield* step.build }]
      yield* settings.register([
        { row, policy, budgetMillis: 2000, parts, fallback: { onOutage: "degrade-or-fail", steps } }
      ])
      assert.strictEqual(settings.get("shop/show/timeout.limitMillis")?.value, 80)
      assert.strictEqual(settings.get("shop/show/fallback.stale.enabled")?.value, false)
    }).pipe(Effect.scoped)
  )

  for (const how of ["throws", "hangs"] as const) {
    it.effect(`down (it ${how}): the last known values stay, and it is said once; back, once more`, () =>
      Effect.gen(function* () {
        const { logged, pass, problems, provider, says } = yield* world(everything)
        // Whatever is wrong soon after the start is said again, with what other sources have.
        yield* pass("1 minute")
        provider.how = how
        provider.putConfiguration({})
        for (let nth = 0; nth < 5; nth++) yield* pass("1 minute")
        assert.deepEqual(says(), [true, true, "fast", "candidate"])
        assert.strictEqual(problems().length, 1)
        assert.include(problems()[0]?.problem, "the last known values stay")
        const complaints = () => logged.filter((line) => line.includes("the last known values stay"))
        assert.strictEqual(complaints().length, 1, logged.join("\n"))
        provider.how = "up"
        provider.putConfiguration({ ...everything, ranking: is(0) })
        yield* pass("1 minute")
        assert.deepEqual(says(), [true, false, "fast", "candidate"])
        assert.deepEqual(problems(), [])
        assert.strictEqual(logged.filter((line) => line.includes("it is back")).length, 1)
        provider.how = how
        yield* pass("1 minute")
        assert.strictEqual(complaints().length, 2)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("down at the start: the service starts with the lower sources, and has the flags when they are there", () =>
    Effect.gen(function* () {
      const { domain, pass, provider, says, problems } = yield* world(everything, { wait: false, how: "throws" })
      yield* Effect.promise(() => OpenFeature.setProviderAndWait(domain, provider))
      yield* pass("100 millis")
      assert.deepEqual(says(), [false, false, "control", "stable"])
      assert.strictEqual(problems().length, 1)
      provider.how = "up"
      yield* pass("1 minute")
      assert.deepEqual(says(), [true, true, "fast", "candidate"])
    }).pipe(Effect.scoped)
  )

  it.effect("one that cannot be understood keeps its last value, the others change", () =>
    Effect.gen(function* () {
      const { pass, problems, provider, says } = yield* world(everything)
      yield* pass("100 millis")
      provider.putConfiguration({ ...everything, banner: is(false), checkout: is("slow"), ranking: is("many") })
      yield* pass("100 millis")
      assert.deepEqual(says(), [false, true, "fast", "candidate"])
      assert.include(problems()[0]?.problem, "checkout")
      assert.include(problems()[0]?.problem, "ranking")
    }).pipe(Effect.scoped)
  )

  it.effect("one that cannot be understood at the start is told, and the others are in force", () =>
    Effect.gen(function* () {
      const { pass, problems, says } = yield* world({ ...everything, checkout: is("slow") })
      assert.deepEqual(says(), [true, true, "control", "candidate"])
      yield* pass("100 millis")
      assert.include(problems()[0]?.problem, "checkout")
    }).pipe(Effect.scoped)
  )

  it.effect("a value that does not fit its flag is refused with its rule", () =>
    Effect.gen(function* () {
      const { says, settings } = yield* world({ ...everything, ranking: is(1000) })
      assert.isFalse(says()[1])
      assert.include(JSON.stringify(settings.problems()), "must be a number from 0 to 100")
    }).pipe(Effect.scoped)
  )
})
