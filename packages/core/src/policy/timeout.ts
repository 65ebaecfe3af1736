/**
 * The time of one attempt.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Knob from "../Knob.ts"
import * as Policy from "../Policy.ts"

/**
 * Interrupts an attempt that takes longer and fails with the transient
 * `TimedOut`, so that a retry may ask again and a breaker counts it. Put it
 * inside both. An attempt that ends with an answer although it was interrupted
 * keeps its answer.
 *
 * @category policies
 * @since 0.1.0
 */
export const timeout = (limit: Duration.Input, options?: { readonly name?: string }): Policy.Policy<never> => {
  const name = options?.name ?? "timeout"
  return Policy.fromInstance({
    kind: "timeout",
    name,
    knobs: { limitMillis: Knob.millis(limit) },
    make: (values) =>
      Effect.succeed({
        form: { _tag: "Limit", policy: name, limitMillis: () => values.limitMillis },
        state: () => ({})
      })
  })
}
