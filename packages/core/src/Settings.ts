/**
 * The registry of settings: every knob of every policy under one name, changeable
 * while the service runs.
 *
 * **Details**
 *
 * A ring whose layer is built below {@link layer} registers its knobs as
 * `downstream/method/policy.knob`, those of the steps of its fallbacks as
 * `downstream/method/fallback.<kind>.knob`. Each has one effective value, which comes from
 * the highest of its sources: **code < file < environment < flag < admin**. A
 * policy value that several rows share has one value under several names; a change
 * by any of them changes that one.
 *
 * A change is judged by the knob's own rule, by the policy's, and by
 * `Composition` over the whole stack of every row that it affects, at once and at
 * every later moment at which a value expires. It happens in one synchronous
 * block, all of it or nothing, and policies keep their state.
 *
 * **Gotchas**
 *
 * Provide the layer to the rings, not only to the code that changes settings. A
 * second ring of one downstream, such as one under `Layer.fresh`, is registered as
 * `name#2`.
 *
 * **Example** (a timeout changed while the service runs)
 *
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { Contract, Downstream, Policy, Settings, Transient } from "@failsoft/core"
 *
 * class Stock extends Downstream.Service<Stock>()("@shop/Stock", {
 *   get: Contract.method({
 *     payload: Schema.Struct({ sku: Schema.String }),
 *     success: Schema.Number,
 *     transient: Transient.Transient,
 *     permanent: Schema.Never,
 *     idempotency: "safe",
 *     onOutage: "fail"
 *   })
 * }, {
 *   criticality: "optional",
 *   owner: "team-stock",
 *   slo: { objective: 0.99, window: "30 days" },
 *   budget: "1 second",
 *   docs: "https://runbooks.example/stock"
 * }) {}
 *
 * const ring = Stock.layer({ get: { policy: Policy.standard() } }).pipe(
 *   Layer.provide(Stock.transport({ get: () => Effect.succeed(3) })),
 *   Layer.provideMerge(Settings.layer)
 * )
 * const program = Effect.gen(function*() {
 *   yield* Stock
 *   const settings = yield* Settings.Registry
 *   yield* settings.set("stock/get/timeout.limitMillis", 200, { by: "alice", reason: "slow disk" })
 *   console.log(settings.get("stock/get/timeout.limitMillis"))
 * })
 * Effect.runPromise(program.pipe(Effect.provide(ring)))
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberHandle from "effect/FiberHandle"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Cache from "./Cache.ts"
import type { OnOutage } from "./Contract.ts"
import type * as Fallback from "./Fallback.ts"
import { type Edit, Registry as State } from "./internal/registry.ts"
import type { Value } from "./Knob.ts"
import type * as Policy from "./Policy.ts"

/**
 * Where an effective value comes from, the lowest first. All but `code` are
 * sources of changes.
 *
 * @category models
 * @since 0.1.0
 */
export type Origin = "code" | Source

/**
 * The sources of changes, the lowest first: where two have a value, the later one
 * holds.
 *
 * @category models
 * @since 0.1.0
 */
export type Source = "file" | "environment" | "flag" | "admin"

/**
 * One setting as it is now. Times are milliseconds since the epoch.
 *
 * @category models
 * @since 0.1.0
 */
export interface Setting {
  readonly name: string
  readonly value: Value
  /** The value in the code. */
  readonly default: Value
  /** What a value must be, in words. */
  readonly expected: string
  readonly origin: Origin
  readonly since: number
  readonly by: string
  readonly reason?: string
  /** When it returns to what the next lower source says. */
  readonly expiresAt?: number
  /** The other names of the same value. */
  readonly sharedWith: ReadonlyArray<string>
}

/**
 * One change, as it is kept. `names` are all the names of the value.
 *
 * @category models
 * @since 0.1.0
 */
export interface Change {
  readonly at: number
  readonly by: string
  readonly names: ReadonlyArray<string>
  readonly from: Value
  readonly to: Value
  readonly origin: Origin
  readonly reason?: string
  readonly expiresAt?: number
}

/**
 * A value of a source that is not in force, and why.
 *
 * @category models
 * @since 0.1.0
 */
export interface Problem {
  readonly source: Source
  /** Which file, which flags. */
  readonly by: string
  readonly name: string
  readonly problem: string
}

/**
 * A change that was refused, and with it all changes of its group. `problems` has
 * a sentence each.
 *
 * @category errors
 * @since 0.1.0
 */
export class SettingRefused extends Schema.TaggedError<SettingRefused>()("SettingRefused", {
  reason: Schema.Literals(["unknown-name", "malformed", "does-not-fit"]),
  problems: Schema.Array(Schema.String)
}) {
  override get message() {
    return this.problems.join("; ")
  }
}

/**
 * Who changes a setting, why, and for how long.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly by: string
  readonly reason?: string | undefined
  /** After this the value returns to what the next lower source says; at most 7 days. */
  readonly expiresAfter?: Duration.Input | undefined
  /** Default `admin`. */
  readonly source?: Source | undefined
}

/**
 * A row whose knobs are registered: its stack and the living parts of it.
 *
 * @category models
 * @since 0.1.0
 */
export interface RegisteredRow {
  readonly row: Policy.Row
  readonly policy: Policy.Policy
  /** The latency budget of the contract, in milliseconds. */
  readonly budgetMillis: number
  readonly parts: Policy.Built["parts"]
  readonly fallback?: RegisteredFallback
  readonly cache?: RegisteredCache
}

/**
 * The living cache of a registered row, and what the contract promises in an outage.
 *
 * @category models
 * @since 0.1.0
 */
export interface RegisteredCache {
  readonly onOutage: OnOutage
  readonly part: Cache.Part
  readonly instance: Cache.Instance
}

/**
 * The fallback of a registered row: its living steps, and what the contract promises
 * in an outage.
 *
 * @category models
 * @since 0.1.0
 */
export interface RegisteredFallback {
  readonly onOutage: OnOutage
  readonly steps: ReadonlyArray<{ readonly step: Fallback.Step; readonly instance: Fallback.Instance }>
}

/**
 * The registry.
 *
 * @category services
 * @since 0.1.0
 */
export interface SettingsRegistry {
  /** All settings, by name. */
  readonly list: () => ReadonlyArray<Setting>
  readonly get: (name: string) => Setting | undefined
  /** Changes one; the changes that took place, none where the value was the same. */
  readonly set: (name: string, value: unknown, options: Options) => Effect.Effect<ReadonlyArray<Change>, SettingRefused>
  /** Takes the value of a source away. */
  readonly clear: (name: string, options: Options) => Effect.Effect<ReadonlyArray<Change>, SettingRefused>
  /** Changes a group: all or nothing. `undefined` takes a value away. */
  readonly change: (
    changes: Readonly<Record<string, unknown>>,
    options: Options
  ) => Effect.Effect<ReadonlyArray<Change>, SettingRefused>
  /**
   * Replaces everything that a source says. What fits is applied, values of rows that
   * belong together all or not at all; what does not stays as it was. Names that nobody
   * has registered yet wait until somebody does. Returns what is not in force.
   */
  readonly load: (
    source: Source,
    values: Readonly<Record<string, unknown>>,
    by: string
  ) => Effect.Effect<ReadonlyArray<Problem>>
  /** Says that a source cannot be understood; its values stay until it is loaded again. */
  readonly report: (source: Source, by: string, problem: string) => Effect.Effect<void>
  /** The latest changes, the newest first; at most 1000 are kept. */
  readonly audit: () => ReadonlyArray<Change>
  /** What sources say and is not in force: unknown names, refused values. */
  readonly problems: () => ReadonlyArray<Problem>
  /** Registers the rows of a ring until the scope closes; the name that the downstream has here. */
  readonly register: (rows: ReadonlyArray<RegisteredRow>) => Effect.Effect<string, never, Scope.Scope>
  /** Does by hand what a policy offers, such as `open` for the breaker `payments/charge/circuitBreaker`. */
  readonly operate: (policy: string, action: string, options: Options) => Effect.Effect<void, SettingRefused>
}

const expiryMaxMillis = 7 * 24 * 3_600_000

const expiry = (input: Duration.Input | undefined, now: number): number | undefined | SettingRefused => {
  if (input === undefined) return undefined
  const millis = Duration.toMillis(Duration.fromInputUnsafe(input))
  return millis >= 1 && millis <= expiryMaxMillis
    ? now + millis
    : new SettingRefused({
        reason: "malformed",
        problems: [`expiresAfter must be from 1 ms to 7 days (${expiryMaxMillis} ms), but is ${millis} ms`]
      })
}

/**
 * A registry of its own; values expire as long as the scope is open.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<SettingsRegistry, never, Scope.Scope> = Effect.gen(function* () {
  const state = new State()
  const alarm = yield* FiberHandle.make<void>()
  let armedFor: number | undefined

  /** Sleeps from one expiry to the next. */
  const rings = Effect.gen(function* () {
    for (;;) {
      const at = state.nextExpiry()
      armedFor = at
      if (at === undefined) return
      yield* Effect.sleep(Math.max(0, at - (yield* Clock.currentTimeMillis)))
      state.expire(yield* Clock.currentTimeMillis)
    }
  })
  const arm: Effect.Effect<void> = Effect.suspend(() =>
    state.nextExpiry() === armedFor ? Effect.void : Effect.asVoid(FiberHandle.run(alarm, rings))
  )

  const change: SettingsRegistry["change"] = (changes, options) =>
    Effect.uninterruptible(
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const expiresAt = expiry(options.expiresAfter, now)
        if (typeof expiresAt === "object") return yield* expiresAt
        const made = state.change(
          Object.entries(changes).map(([name, raw]): Edit => ({ name, raw })),
          { by: options.by, reason: options.reason, expiresAt, source: options.source ?? "admin" },
          now
        )
        if ("problems" in made) return yield* new SettingRefused(made)
        yield* arm
        return made
      })
    )

  return {
    list: state.list,
    get: state.get,
    set: (name, value, options) => change({ [name]: value }, options),
    clear: (name, options) => change({ [name]: undefined }, options),
    change,
    load: (source, values, by) => Effect.map(Clock.currentTimeMillis, (now) => state.load(source, values, by, now)),
    report: (source, by, problem) => Effect.sync(() => state.report(source, by, problem)),
    audit: state.audit,
    problems: state.problems,
    register: (rows) =>
      Effect.acquireRelease(
        Effect.map(Clock.currentTimeMillis, (now) => state.register(rows, now)),
        (of) => Effect.map(Clock.currentTimeMillis, (now) => state.unregister(of, now))
      ).pipe(
        Effect.tap(() => arm),
        Effect.map(({ name }) => name)
      ),
    operate: (policy, action, options) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const refused = state.operate(policy, action, options, now)
        return refused === undefined ? Effect.void : Effect.fail(new SettingRefused(refused))
      })
  }
})

const nothing = { reason: "unknown-name", problems: ["there are no settings here: provide Settings.layer"] } as const

const none = Effect.suspend(() => Effect.fail(new SettingRefused(nothing)))

const inert: SettingsRegistry = {
  list: () => [],
  get: () => undefined,
  set: () => none,
  clear: () => none,
  change: () => none,
  load: () => Effect.succeed([]),
  report: () => Effect.void,
  audit: () => [],
  problems: () => [],
  register: (rows) => Effect.succeed(rows[0]?.row.downstream ?? ""),
  operate: () => none
}

/**
 * The registry of the current context; without {@link layer} it knows nothing and
 * refuses every change.
 *
 * @category references
 * @since 0.1.0
 */
export const Registry: Context.Reference<SettingsRegistry> = Context.Reference<SettingsRegistry>(
  "@failsoft/core/Settings/Registry",
  { defaultValue: () => inert }
)

/**
 * A registry for the rings below it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = Layer.effect(Registry, make)
