/**
 * The time of one attempt.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Call } from "../Call.ts"
import { toMillis } from "../internal/duration.ts"
import { durationProblems } from "../internal/problems.ts"
import * as Policy from "../Policy.ts"
import * as TimedOut from "../TimedOut.ts"

/**
 * Interrupts an attempt that takes longer and fails with the transient
 * `TimedOut`, so that a retry may ask again and a breaker counts it. Put it
 * inside both.
 *
 * @category policies
 * @since 0.1.0
 */
export const timeout = (limit: Duration.Input, options?: { readonly name?: string }): Policy.Policy<never> => {
  const name = options?.name ?? "timeout"
  const limitMillis = toMillis(limit)
  return Policy.fromInstance({
    kind: "timeout",
    name,
    knobs: { limitMillis },
    problems: durationProblems("limit", limit),
    make: Effect.succeed({
      bind: (row) => {
        const timedOut = Effect.withFiber((fiber) => {
          if (row.bus.active) {
            row.bus.emit({
              _tag: "AttemptTimedOut",
              at: fiber.getRef(Clock.Clock).currentTimeMillisUnsafe(),
              downstream: row.downstream,
              method: row.method,
              limitMillis
            })
          }
          return Effect.fail(TimedOut.make({ policy: name, limitMillis }))
        })
        return <A, T, P>(call: Call<A, T, P>): Call<A, T | TimedOut.TimedOut, P> =>
          Effect.timeoutOrElse(call, { duration: limitMillis, orElse: () => timedOut })
      },
      state: () => ({})
    })
  })
}
