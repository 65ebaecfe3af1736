/**
 * What answers in an outage: steps that are tried in order, each naming the
 * quality of what it gives.
 *
 * **Details**
 *
 * A fallback works at the end of a `degrade` method, after every policy. Its type
 * says which payload it needs, what it answers, and two facts: `partial` (it may
 * have no answer) and `enqueues` (it takes the request for later, so the method must
 * be `keyed`).
 *
 * **Gotchas**
 *
 * Permanent errors never reach a fallback: "card declined" is an answer, not an
 * outage. A step that fails or dies passes on to the next one.
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
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Answer, DegradedQuality } from "./Answer.ts"
import type { Build } from "./internal/shared.ts"
import { sharedByValue } from "./internal/shared.ts"
import type { Facts } from "./Policy.ts"
import type { Unavailable } from "./Unavailable.ts"

/**
 * What a fallback's type remembers.
 *
 * @category models
 * @since 0.1.0
 */
export type Mark = "partial" | "enqueues"

/**
 * The call for which an answer is sought. `key` is a canonical text of row and
 * payload; `now` is milliseconds since the epoch.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  readonly payload: unknown
  readonly key: () => string
  readonly idempotencyKey: () => string | undefined
  readonly now: number
}

/**
 * The living step of a built ring. `answer` gives nothing where the step has
 * nothing to give; `observe` sees each fresh answer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Instance {
  readonly answer: (request: Request, failure: Unavailable) => Effect.Effect<Option.Option<Answer<unknown>>>
  readonly observe?: (request: Request, value: unknown) => void
}

/**
 * One step: its kind, its quality, its knobs, what is wrong with them, and how to
 * build it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Step {
  readonly kind: string
  readonly quality: DegradedQuality
  readonly knobs: Facts
  readonly problems: ReadonlyArray<string>
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

/**
 * Makes a fallback of one step: the way in which those of this package are made.
 * The same value in two rows is the same state.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromInstance = <A, Payload = unknown, Marks extends Mark = never>(options: {
  readonly kind: string
  readonly quality: DegradedQuality
  readonly knobs?: Facts
  readonly problems?: ReadonlyArray<string>
  readonly make: Effect.Effect<Instance, never, Scope.Scope>
}): Fallback<A, Payload, Marks> => ({
  steps: [
    {
      kind: options.kind,
      quality: options.quality,
      knobs: options.knobs ?? {},
      problems: options.problems ?? [],
      build: sharedByValue(options.make)
    }
  ]
})
