/**
 * The total time of a call, with all its attempts, waits and backoffs.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Call } from "../Call.ts"
import * as Deadline from "../Deadline.ts"
import { toMillis } from "../internal/duration.ts"
import { durationProblems } from "../internal/problems.ts"
import { refuse } from "../internal/refuse.ts"
import * as Policy from "../Policy.ts"
import type { Refused } from "../Refused.ts"

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
    knobs: { limitMillis: toMillis(limit) },
    problems: durationProblems("limit", limit),
    make: Effect.succeed({
      bind:
        (row) =>
        <A, T, P>(call: Call<A, T, P>): Call<A, T, P | Refused> =>
          Deadline.within(limit, () => refuse(row, { policy: name, reason: "DEADLINE_EXCEEDED" }))(call),
      state: () => ({})
    })
  })
}
