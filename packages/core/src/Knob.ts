/**
 * A knob: one value of a policy that an operator may turn while the service runs.
 *
 * **Details**
 *
 * A policy declares its knobs by name, each with its initial value and the rule
 * that every later value must keep. Units are last in names (`limitMillis`), so a
 * knob's value is a plain number, word or flag that JSON can carry. The same rule
 * judges the value in the code, in a file, in the environment and of the admin API.
 *
 * **Gotchas**
 *
 * A knob knows only its own rule. What two knobs must keep together is said by the
 * policy (`problems`) or by `Composition`.
 *
 * **Example** (a knob and what it refuses)
 *
 * ```ts
 * import { Knob } from "@failsoft/core"
 *
 * const permits = Knob.count(32)
 * console.log(permits.initial, permits.problem("permits", 0))
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import { toMillis } from "./internal/duration.ts"

/**
 * What a knob can hold.
 *
 * @category models
 * @since 0.1.0
 */
export type Value = number | string | boolean

/**
 * One knob: its initial value, what a value must be in words, and the check of a
 * value that comes from outside: a sentence, or nothing where it fits.
 *
 * @category models
 * @since 0.1.0
 */
export interface Knob<out V extends Value = Value> {
  readonly initial: V
  readonly expected: string
  readonly problem: (name: string, value: unknown) => string | undefined
}

/**
 * The knobs of a policy by name.
 *
 * @category models
 * @since 0.1.0
 */
export type Knobs = Readonly<Record<string, Knob>>

/** A literal's own type, so that `32` as an initial value does not fix the knob at 32. */
type Wide<V> = V extends number ? number : V extends boolean ? boolean : V

/**
 * The values of knobs by name.
 *
 * @category type utils
 * @since 0.1.0
 */
export type Values<K extends Knobs> = { readonly [N in keyof K]: Wide<K[N]["initial"]> }

const make = <V extends Value>(initial: V, expected: string, fits: (value: unknown) => boolean): Knob<V> => ({
  initial,
  expected,
  problem: (name, value) =>
    fits(value)
      ? undefined
      : `${name} must be ${expected}, but is ${String(value)}${name.endsWith("Millis") ? " ms" : ""}`
})

/**
 * A duration in milliseconds, finite and above zero; with `zero`, 0 is allowed and
 * means "none".
 *
 * @category constructors
 * @since 0.1.0
 */
export const millis = (initial: Duration.Input, options: { readonly zero?: boolean } = {}): Knob<number> =>
  make(
    toMillis(initial),
    options.zero === true ? "a finite duration, or 0 for none" : "a finite duration above zero",
    (value) =>
      typeof value === "number" && Number.isFinite(value) && (value > 0 || (options.zero === true && value === 0))
  )

/**
 * A whole number of at least `least` (1 by default) and at most `most`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const count = (
  initial: number,
  options: { readonly least?: number; readonly most?: number } = {}
): Knob<number> => {
  const least = options.least ?? 1
  const most = options.most ?? Number.MAX_SAFE_INTEGER
  return make(
    initial,
    `a whole number of at least ${least}${options.most === undefined ? "" : ` and at most ${most}`}`,
    (value) => typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most
  )
}

/**
 * A share above 0 and up to 1; with `zero`, 0 is allowed and means "none".
 *
 * @category constructors
 * @since 0.1.0
 */
export const share = (initial: number, options: { readonly zero?: boolean } = {}): Knob<number> =>
  make(
    initial,
    options.zero === true ? "a share from 0 to 1" : "a share above 0 and up to 1",
    (value) => typeof value === "number" && (value > 0 || (options.zero === true && value === 0)) && value <= 1
  )

/**
 * A finite number from `least` to `most`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const number = (initial: number, options: { readonly least: number; readonly most: number }): Knob<number> =>
  make(
    initial,
    `a number from ${options.least} to ${options.most}`,
    (value) => typeof value === "number" && value >= options.least && value <= options.most
  )

/**
 * One of some words.
 *
 * @category constructors
 * @since 0.1.0
 */
export const word = <const W extends string>(initial: W, words: ReadonlyArray<W>): Knob<W> =>
  make(initial, `one of ${words.join(", ")}`, (value) => typeof value === "string" && words.some((of) => of === value))

/**
 * On or off.
 *
 * @category constructors
 * @since 0.1.0
 */
export const flag = (initial: boolean): Knob<boolean> =>
  make<boolean>(initial, "true or false", (value) => typeof value === "boolean")

/**
 * A value that is shown and cannot be turned: it says how the policy was built.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fixed = <V extends Value>(initial: V): Knob<V> =>
  make(initial, `${String(initial)} (set in the code only)`, (value) => value === initial)

/**
 * The initial values of knobs.
 *
 * @category accessors
 * @since 0.1.0
 */
export const initials = <K extends Knobs>(knobs: K): Values<K> => {
  const values: Record<string, Value> = {}
  for (const [name, knob] of Object.entries(knobs)) values[name] = knob.initial
  // One value was taken from each knob of K.
  return values as Values<K>
}

/**
 * What is wrong with values: a sentence for each unknown name and each value that
 * its knob refuses.
 *
 * @category validation
 * @since 0.1.0
 */
export const problemsOf = (knobs: Knobs, values: Readonly<Record<string, unknown>>): ReadonlyArray<string> =>
  Object.entries(values).flatMap(([name, value]) => {
    const knob = knobs[name]
    if (knob === undefined) return [`there is no knob ${name}; there are ${Object.keys(knobs).join(", ")}`]
    const problem = knob.problem(name, value)
    return problem === undefined ? [] : [problem]
  })
