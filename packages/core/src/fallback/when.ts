/** A fallback that serves only some outages. */
import * as Effect from "effect/Effect"
import type { Fallback, Mark, Step } from "../Fallback.ts"
import type { RefusalReason } from "../Refused.ts"
import type { Unavailable } from "../Unavailable.ts"

/**
 * Why there was no answer: what a policy refused for, or how the attempts ended.
 *
 * @category models
 * @since 0.1.0
 */
export type Reason = RefusalReason | "TIMEOUT" | "TRANSIENT_FAILURE" | "CONTRACT_VIOLATION"

/**
 * The reasons that a fallback serves, or those that it does not.
 *
 * @category models
 * @since 0.1.0
 */
export type Condition = { readonly reasons: ReadonlyArray<Reason> } | { readonly except: ReadonlyArray<Reason> }

/**
 * The same fallback, asked only where there was no answer for one of these reasons:
 * else the chain goes on with its next step. It may have no answer, so it is never the
 * last of a chain.
 *
 * @category combinators
 * @since 0.1.0
 */
export const when = <A, Payload, Marks extends Mark>(
  fallback: Fallback<A, Payload, Marks>,
  condition: Condition
): Fallback<A, Payload, Marks | "partial"> => {
  const serves =
    "reasons" in condition
      ? (failure: Unavailable) => condition.reasons.some((reason) => reason === failure.reason)
      : (failure: Unavailable) => !condition.except.some((reason) => reason === failure.reason)
  return { steps: fallback.steps.map((step) => conditional(step, serves)) }
}

/** The state and the knobs are those of the step itself, also where it stands elsewhere without a condition. */
const conditional = (step: Step, serves: (failure: Unavailable) => boolean): Step => ({
  ...step,
  total: false,
  build: Effect.map(step.build, (instance) => ({
    ...instance,
    answer: (request, failure) => (serves(failure) ? instance.answer(request, failure) : Effect.succeedNone)
  }))
})
