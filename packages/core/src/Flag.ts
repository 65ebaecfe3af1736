/**
 * Flags: typed switches that are evaluated in nanoseconds and changed while the
 * service runs.
 *
 * **Details**
 *
 * A flag is a value with a name, a kind and what the code says. Its values are
 * settings, `flags/<name>/<kind>.<knob>`, so they come from the code, a watched file,
 * the environment, a provider of flags or the admin API, with origin, audit and expiry.
 * {@link live} gives its evaluator: a plain function that reads a field and, where a
 * share decides, hashes the key.
 *
 * A share is sticky: the same key is on the same side in every process and for ever,
 * and raising a share moves nobody back. Flags split independently of each other.
 *
 * **Gotchas**
 *
 * Provide `Settings.layer` or `Settings.layerOf` to whoever calls {@link live}: without
 * it a flag says what the code says. Two flags of one name are a defect. With an empty
 * key nobody is in a share below 100 percent: who has no key has no side.
 *
 * **Example** (a share of the customers)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Flag, Settings } from "@failsoft/core"
 *
 * const ranking = Flag.percentage("new-ranking", { percent: 10 })
 *
 * const program = Effect.gen(function*() {
 *   const isNew = yield* Flag.live(ranking)
 *   console.log(isNew("alice"), isNew("bob"))
 *   const settings = yield* Settings.Registry
 *   yield* settings.set(Flag.setting(ranking, "percent"), 100, { by: "alice" })
 *   console.log(isNew("alice"), isNew("bob")) // true true
 * })
 * Effect.runPromise(program.pipe(Effect.provide(Settings.layer)))
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Record from "effect/Record"
import { known, livingOf } from "./internal/flags.ts"
import { bucket, buckets, type Part, pick, seedOf, thresholdOf } from "./internal/sticky.ts"
import * as Knob from "./Knob.ts"
import type { Facts } from "./Policy.ts"
import * as Settings from "./Settings.ts"

/**
 * What a flag decides: on or off, a share of the keys, one of some variants, or the
 * stage of something new.
 *
 * @category models
 * @since 0.1.0
 */
export type Kind = "boolean" | "percentage" | "variant" | "rollout"

/**
 * A living flag: `evaluate` reads what `changed` made of the values, which are live.
 *
 * @category models
 * @since 0.1.0
 */
export interface Evaluation<out Evaluate> {
  readonly evaluate: Evaluate
  readonly changed: () => void
}

/**
 * A flag whose evaluator is of the type `Evaluate`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Flag<out Evaluate extends Evaluator = Evaluator> {
  readonly name: string
  readonly kind: Kind
  readonly description?: string
  readonly knobs: Knob.Knobs
  readonly problems: (values: Facts) => ReadonlyArray<string>
  readonly make: (values: Facts) => Evaluation<Evaluate>
}

/**
 * What a flag says for a sticky key: a customer, a tenant, a request's key.
 *
 * @category models
 * @since 0.1.0
 */
export type Evaluator = (key: string) => boolean | string

/**
 * On or off, for everybody.
 *
 * @category models
 * @since 0.1.0
 */
export type BooleanFlag = Flag<() => boolean>

/**
 * On for a share of the keys. A {@link BooleanFlag} can stand for one.
 *
 * @category models
 * @since 0.1.0
 */
export type PercentageFlag = Flag<(key: string) => boolean>

/**
 * One of some variants for each key.
 *
 * @category models
 * @since 0.1.0
 */
export type VariantFlag<V extends string> = Flag<(key: string) => V>

/**
 * What a rollout does for a key: the stable way, the same with the candidate in the
 * dark beside it, or the candidate.
 *
 * @category models
 * @since 0.1.0
 */
export type Side = "stable" | "dark" | "candidate"

/**
 * The stage of something new, and for whom.
 *
 * @category models
 * @since 0.1.0
 */
export type RolloutFlag = Flag<(key: string) => Side>

/**
 * What every flag may say of itself.
 *
 * @category models
 * @since 0.1.0
 */
export interface About {
  /** What it is for, and until when: shown beside its value. */
  readonly description?: string
}

const about = ({ description }: About) => (description === undefined ? {} : { description })

const noProblem = (): ReadonlyArray<string> => []

/**
 * A switch. Its knob is `enabled`, off by default.
 *
 * @category constructors
 * @since 0.1.0
 */
export const boolean = (name: string, options: About & { readonly enabled?: boolean } = {}): BooleanFlag => ({
  name,
  kind: "boolean",
  ...about(options),
  knobs: { enabled: Knob.flag(options.enabled ?? false) },
  problems: noProblem,
  make: (values) => ({ evaluate: () => values["enabled"] === true, changed: () => {} })
})

const percentKnob = (percent: number) => Knob.number(percent, { least: 0, most: 100 })

/** Without a key there is no side to be on, unless all are on it. */
const within = (threshold: number, seed: number, key: string): boolean =>
  threshold === buckets || (threshold > 0 && key !== "" && bucket(seed, key) < threshold)

/**
 * A share of the keys, from 0 to 100 percent. Its knob is `percent`, 0 by default;
 * fractions are fine.
 *
 * @category constructors
 * @since 0.1.0
 */
export const percentage = (name: string, options: About & { readonly percent?: number } = {}): PercentageFlag => ({
  name,
  kind: "percentage",
  ...about(options),
  knobs: { percent: percentKnob(options.percent ?? 0) },
  problems: noProblem,
  make: (values) => {
    const seed = seedOf(name)
    let threshold = 0
    return {
      evaluate: (key) => within(threshold, seed, key),
      changed: () => {
        threshold = thresholdOf(Number(values["percent"]))
      }
    }
  }
})

/**
 * One of some variants. Each is a knob, its weight from 0 to 100 among the others;
 * one of them must be above 0. A key moves only to a variant whose weight has grown, or
 * away from one whose weight has shrunk, relative to the others.
 *
 * @category constructors
 * @since 0.1.0
 */
export const variant = <const V extends string>(
  name: string,
  options: About & { readonly weights: Readonly<Record<V, number>> }
): VariantFlag<V> => {
  const variants = Record.keys(options.weights)
  const knobs = Object.fromEntries(variants.map((of) => [of, percentKnob(options.weights[of])]))
  const [first] = variants
  if (first === undefined) throw new Error(`the flag ${name} needs variants, such as { control: 100, candidate: 0 }`)
  return {
    name,
    kind: "variant",
    ...about(options),
    knobs,
    problems: (values) =>
      variants.some((of) => Number(values[of]) > 0) ? [] : [`one of ${variants.join(", ")} must be above 0`],
    make: (values) => {
      const seed = seedOf(name)
      let only: V | undefined = first
      let parts: readonly [Part<V>, ...ReadonlyArray<Part<V>>] = [{ value: first, seed: 0, weight: 1 }]
      return {
        evaluate: (key) => only ?? pick(parts, seed, key),
        changed: () => {
          const [one, ...others] = variants
            .map((value) => ({ value, seed: seedOf(value), weight: Number(values[value]) }))
            .filter(({ weight }) => weight > 0)
          if (one === undefined) return
          parts = [one, ...others]
          only = others.length === 0 ? one.value : undefined
        }
      }
    }
  }
}

/**
 * Something new beside what is proven, for `Fallback.rollout`. Its knobs: the `stage`
 * `off`, `dark` (it runs for `darkPercent` of the keys, is compared and not used) or `on`
 * (it is used for `percent` of the keys). By default `off`, 0 and 100 percent.
 *
 * @category constructors
 * @since 0.1.0
 */
export const rollout = (
  name: string,
  options: About & {
    readonly stage?: "off" | "dark" | "on"
    readonly percent?: number
    readonly darkPercent?: number
  } = {}
): RolloutFlag => ({
  name,
  kind: "rollout",
  ...about(options),
  knobs: {
    stage: Knob.word(options.stage ?? "off", ["off", "dark", "on"]),
    percent: percentKnob(options.percent ?? 0),
    darkPercent: percentKnob(options.darkPercent ?? 100)
  },
  problems: noProblem,
  make: (values) => {
    const seed = seedOf(name)
    let side: Side = "stable"
    let threshold = 0
    return {
      evaluate: (key) => (side !== "stable" && within(threshold, seed, key) ? side : "stable"),
      changed: () => {
        const { darkPercent, percent, stage } = values
        side = stage === "on" ? "candidate" : stage === "dark" ? "dark" : "stable"
        threshold = thresholdOf(Number(side === "dark" ? darkPercent : percent))
      }
    }
  }
})

/**
 * The name of the setting that is a flag's knob: `flags/new-ranking/percentage.percent`.
 *
 * @category accessors
 * @since 0.1.0
 */
export const setting = (flag: Pick<Flag, "name" | "kind">, knob: string): string =>
  `flags/${flag.name}/${flag.kind}.${knob}`

/**
 * The evaluator of a flag: it follows every later change. Call it once, where the layer
 * is built, and keep what it gives.
 *
 * @category accessors
 * @since 0.1.0
 */
export const live = <Evaluate extends Evaluator>(flag: Flag<Evaluate>): Effect.Effect<Evaluate> =>
  Effect.map(livingOf(flag), ({ evaluate }) => evaluate)

/**
 * Registers flags when the service starts, so that they are shown and can be changed
 * before the first call of {@link live}.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (...flags: ReadonlyArray<Flag>): Layer.Layer<never> =>
  Layer.effectDiscard(Effect.forEach(flags, live, { discard: true }))

/**
 * How the answers of one side of a rollout went: how many there were, how often there
 * was none, and the mean time to the answer in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface SideCounts {
  readonly answered: number
  readonly withoutAnswer: number
  readonly meanMillis: number | undefined
}

/**
 * How the candidate compared in the dark: its answer was the `same` or `different`, only
 * one side had an answer, it failed with a defect, or it was left out because too many
 * ran already.
 *
 * @category models
 * @since 0.1.0
 */
export type DarkResult = "same" | "different" | "stable-only" | "candidate-only" | "failed" | "skipped"

/**
 * The counters of a rollout by variant, since the service started.
 *
 * @category models
 * @since 0.1.0
 */
export interface Counts {
  readonly stable: SideCounts
  readonly candidate: SideCounts
  readonly dark: Readonly<Record<DarkResult, number>>
}

/**
 * A flag as it is now: its settings, and the counters of those that roll something out.
 *
 * @category models
 * @since 0.1.0
 */
export interface Shown {
  readonly name: string
  readonly kind: Kind
  readonly description?: string
  readonly settings: ReadonlyArray<Settings.Setting>
  readonly counts?: Counts
}

/**
 * The flags of a registry, by name.
 *
 * @category accessors
 * @since 0.1.0
 */
export const list = (settings: Settings.SettingsRegistry): ReadonlyArray<Shown> =>
  [...known(settings).values()]
    .map(({ counts, flag }) => ({
      name: flag.name,
      kind: flag.kind,
      ...about(flag),
      settings: Object.keys(flag.knobs).flatMap((knob) => settings.get(setting(flag, knob)) ?? []),
      ...(counts === undefined ? {} : { counts: counts.shown() })
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))

/**
 * What a flag of a registry says for a key; nothing where there is no such flag.
 *
 * @category accessors
 * @since 0.1.0
 */
export const evaluate = (
  settings: Settings.SettingsRegistry,
  name: string,
  key: string
): boolean | string | undefined => known(settings).get(name)?.evaluate(key)
