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
 * With `mode: "dark"` it bounds nothing and tells nobody within: it counts the calls
 * that it would have ended, once they have ended. The caller's own deadline still
 * holds. What else is in the stack must bound the call then.
 *
 * @category policies
 * @since 0.1.0
 */
export const deadline = (
  limit: Duration.Input,
  options?: { readonly name?: string; readonly mode?: "on" | "dark" }
): Policy.Policy<never> => {
  const name = options?.name ?? "deadline"
  return Policy.fromInstance({
    kind: "deadline",
    name,
    knobs: { limitMillis: Knob.millis(limit), mode: Knob.word(options?.mode ?? "on", ["on", "dark"]) },
    make: (values) =>
      Effect.sync(() => {
        let passed = 0
        return {
          form: {
            _tag: "Deadline",
            policy: name,
            limitMillis: () => values.limitMillis,
            dark: () => values.mode === "dark",
            passed: () => {
              passed++
            }
          },
          state: () => (passed > 0 ? { passed } : {})
        }
      })
  })
}
