/** Answers that need nothing: a constant, or nothing at all. */
import * as Effect from "effect/Effect"
import * as Answer from "../Answer.ts"
import * as Fallback from "../Fallback.ts"

const constant = (kind: string, quality: Answer.DegradedQuality, value: unknown) => ({
  kind,
  quality,
  immediate: true,
  make: () =>
    Effect.succeed<Fallback.Living>({
      answer: (_, failure) => Effect.succeedSome(Answer.degraded(value, { quality, reason: failure.reason }))
    })
})

/**
 * A value that stands in: quality `substituted`, or the one you name.
 *
 * @category fallbacks
 * @since 0.1.0
 */
export const value = <A>(
  instead: A,
  options?: { readonly quality?: "substituted" | "optimistic" }
): Fallback.Fallback<A, unknown, never> =>
  Fallback.fromInstance(constant("value", options?.quality ?? "substituted", instead))

/**
 * Leaves the part out: quality `omitted`, with the value that stands for
 * "nothing" (an empty list, say).
 *
 * @category fallbacks
 * @since 0.1.0
 */
export const omit = <A>(nothing: A): Fallback.Fallback<A, unknown, never> =>
  Fallback.fromInstance(constant("omit", "omitted", nothing))
