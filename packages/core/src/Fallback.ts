/**
 * What answers in an outage: steps that are tried in order, each naming the
 * quality of what it gives.
 *
 * **Details**
 *
 * A fallback works at the end of a `degrade` method, after every policy. Its type
 * says which payload it needs, what it answers, and three facts: `partial` (it may
 * have no answer), `enqueues` (it takes the request for later, so the method must
 * be `keyed`) and `keeps` (it answers with what was kept under the request's key, so
 * the contract must say whose that is: `scope`).
 *
 * **Gotchas**
 *
 * Permanent errors never reach a fallback: "card declined" is an answer, not an
 * outage. A step that fails or dies passes on to the next one, as does one that was
 * switched off (`downstream/method/fallback.stale.enabled`).
 *
 * **Example** (the last good answer, else an empty list)
 *
 * ```ts
 * import { Fallback } from "@failsoft/core"
 *
 * const recommendations = Fallback.chain(
 *   Fallback.stale({ maxAge: "1 hour", entriesMax: 1000 }),
 *   Fallback.omit<ReadonlyArray<string>>([])
 * )
 * console.log(recommendations.steps.map((step) => step.quality))
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Answer, DegradedQuality } from "./Answer.ts"
import * as Deadline from "./Deadline.ts"
import type { Build } from "./internal/shared.ts"
import { sharedByValue } from "./internal/shared.ts"
import * as Knob from "./Knob.ts"
import type { Facts } from "./Policy.ts"
import type { Unavailable } from "./Unavailable.ts"

/**
 * What a fallback's type remembers.
 *
 * @category models
 * @since 0.1.0
 */
export type Mark = "partial" | "enqueues" | "keeps"

/**
 * The call for which an answer is sought. `key` is a canonical text of row, owner (as
 * the contract's `scope` says) and payload: what is kept under it is found by nobody
 * else. It is nothing where the answer belongs to somebody and nobody knows to whom:
 * then keep nothing and find nothing. So is `idempotencyKey`, which has the owner in it
 * too. `startedAt` is when the call began, and `now` when its answer or its failure came,
 * in milliseconds since the epoch: what is kept was true at `startedAt` or later, so that
 * is its `asOf`. Of two answers the one with the later `startedAt` is to be kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  readonly payload: unknown
  readonly key: () => string | undefined
  readonly idempotencyKey: () => string | undefined
  readonly startedAt: number
  readonly now: number
}

/**
 * What a step's `make` returns: `answer` gives nothing where the step has nothing to
 * give, `observe` sees each fresh answer, `changed` is called once knobs were turned.
 *
 * @category models
 * @since 0.1.0
 */
export interface Living {
  readonly answer: (request: Request, failure: Unavailable) => Effect.Effect<Option.Option<Answer<unknown>>>
  readonly observe?: (request: Request, value: unknown) => void
  readonly changed?: () => void
}

/**
 * The living step of a built ring, with the values of its knobs as they are now.
 * `assign` turns several at once; it does not check them. A step that is not
 * `enabled` has no answer, and goes on observing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Instance extends Omit<Living, "changed"> {
  readonly kind: string
  readonly values: Facts
  readonly assign: (values: Facts) => void
}

/**
 * One step: its kind, its quality, whether it always answers, whether it keeps what was
 * answered or assumed for who asks again, its knobs (`enabled`
 * and those of its kind), what is wrong with values of them, and how to build it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Step {
  readonly kind: string
  readonly quality: DegradedQuality
  readonly total: boolean
  readonly keeps: boolean
  readonly knobs: Knob.Knobs
  readonly problems: (values: Facts) => ReadonlyArray<string>
  readonly build: Effect.Effect<Instance, never, Build>
}

declare const types: unique symbol

/**
 * A fallback that answers `A` for payloads of `Payload`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fallback<out A, in Payload = unknown, out Marks extends Mark = Mark> {
  readonly steps: ReadonlyArray<Step>
  readonly [types]?: { readonly answer: A; readonly payload: (payload: Payload) => void; readonly marks: Marks }
}

/** Where the type has marks, the value has them too: types are gone when a setting is judged. */
type Marked<Marks extends Mark> = [Marks] extends [never] ? unknown : { readonly marks: ReadonlyArray<Marks> }

/**
 * Makes a fallback of one step: the way in which those of this package are made.
 * The same value in two rows is the same state. The values that `make` is given are
 * live, so read them at each decision and do not keep them. Each step has a knob
 * `enabled` beside its own, and `withinMillis`: where its answer takes longer, it has
 * none. A step that is `immediate` suspends nowhere and needs no limit.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromInstance = <
  A,
  Payload = unknown,
  Marks extends Mark = never,
  const K extends Knob.Knobs = Record<never, never>
>(
  options: {
    readonly kind: string
    readonly quality: DegradedQuality
    readonly marks?: ReadonlyArray<Mark>
    readonly knobs?: K
    /** How long an answer may take. Default 100 ms, and never beyond the caller's deadline. */
    readonly within?: Duration.Input
    readonly immediate?: boolean
    readonly make: (values: Knob.Values<K>) => Effect.Effect<Living, never, Scope.Scope>
  } & Marked<Marks>
): Fallback<A, Payload, Marks> => {
  const limit = options.immediate === true ? {} : { withinMillis: Knob.millis(options.within ?? "100 millis") }
  const knobs: Knob.Knobs = { ...options.knobs, ...limit, enabled: Knob.flag(true) }
  return {
    steps: [
      {
        kind: options.kind,
        quality: options.quality,
        total: options.marks?.includes("partial") !== true,
        keeps: options.marks?.includes("keeps") === true,
        knobs,
        problems: (values) => Knob.problemsOf(knobs, values),
        build: sharedByValue(
          Effect.suspend(() => {
            const values: Record<string, Knob.Value> = { ...Knob.initials(knobs) }
            // `values` holds one value for each knob of K.
            return Effect.map(options.make(values as Knob.Values<K>), (living) =>
              instanceOf(options.kind, living, values)
            )
          })
        )
      }
    ]
  }
}

const instanceOf = (kind: string, living: Living, values: Record<string, Knob.Value>): Instance => ({
  kind,
  answer: (request, failure) => {
    if (values["enabled"] !== true) return Effect.succeedNone
    const { withinMillis } = values
    // The request's own deadline holds here too, also for calls that the step makes.
    return typeof withinMillis === "number"
      ? Deadline.within(withinMillis, () => Effect.succeedNone)(Effect.suspend(() => living.answer(request, failure)))
      : living.answer(request, failure)
  },
  ...(living.observe === undefined ? {} : { observe: (request, value) => living.observe?.(request, value) }),
  values,
  assign: (next) => {
    Object.assign(values, next)
    living.changed?.()
  }
})
