/**
 * The total time of a call, with all its attempts, waits and backoffs.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Knob from "../Knob.ts"
import * as Policy from "../Policy.ts"

/**
 * Bounds the whole call. The deadline travels in the fiber's context to every
 * attempt, retry and nested downstream call; where the request's own deadline is
 * earlier, that one holds. At its end the call is interrupted and refused with
 * `DEADLINE_EXCEEDED`; where it is spent on arrival nothing is sent.
 *
 * It waits for the interrupted call to end: a transport that cannot be interrupted
 * for a while holds the answer back for as long.
 *
 * @category policies
 * @since 0.1.0
 */
export const deadline = (limit: Duration.Input, options?: { readonly name?: string }): Policy.Policy<never> => {
  const name = options?.name ?? "deadline"
  return Policy.fromInstance({
    kind: "deadline",
    name,
    knobs: { limitMillis: Knob.millis(limit) },
    make: (values) =>
      Effect.succeed({
        form: { _tag: "Deadline", policy: name, limitMillis: () => values.limitMillis },
        state: () => ({})
      })
  })
}
