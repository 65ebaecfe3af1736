/** A fallback behind a flag. */
import * as Effect from "effect/Effect"
import type { Fallback, Mark, Step } from "../Fallback.ts"
import { live, type PercentageFlag } from "../Flag.ts"
import { keyOf } from "../internal/stickyKey.ts"

/**
 * The same fallback, asked only where a flag is on: for everybody, or for a share of the
 * keys. Else the chain goes on with its next step; what it remembers it goes on
 * remembering. The key is the request's own (its method and payload), or what `key` takes
 * from the payload.
 *
 * @category combinators
 * @since 0.1.0
 */
export const flagged = <A, Payload, Marks extends Mark>(
  fallback: Fallback<A, Payload, Marks>,
  flag: PercentageFlag,
  options: { readonly key?: (payload: Payload) => string } = {}
): Fallback<A, Payload, Marks | "partial"> => {
  const key = keyOf(options.key)
  return {
    steps: fallback.steps.map(
      (step): Step => ({
        ...step,
        total: false,
        build: Effect.flatMap(live(flag), (isOn) =>
          Effect.map(step.build, (instance) => ({
            ...instance,
            answer: (request, failure) => (isOn(key(request)) ? instance.answer(request, failure) : Effect.succeedNone)
          }))
        )
      })
    )
  }
}
