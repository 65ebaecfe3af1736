/**
 * A limit on how many calls run at once, with a bounded queue before it.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Call } from "../Call.ts"
import { toMillis } from "../internal/duration.ts"
import { durationProblems, integerProblems } from "../internal/problems.ts"
import { refuse } from "../internal/refuse.ts"
import * as Policy from "../Policy.ts"
import type { Refused } from "../Refused.ts"

/**
 * The knobs of a bulkhead.
 *
 * @category models
 * @since 0.1.0
 */
export interface BulkheadOptions {
  readonly name?: string
  /** How many calls run at once. Default 32; by Little's law ⌈rate × p99 latency in seconds × 1.5⌉. */
  readonly permits?: number
  /** How many calls may wait. Default: as many as permits. 0 refuses at once. */
  readonly queueMax?: number
  /** How long a call may wait. Default 200 ms. */
  readonly waitMax?: Duration.Input
}

/** One call at the bulkhead. The flag is the permit: whoever clears `held` gives it back. */
interface Ticket {
  held: boolean
  wake: (() => void) | undefined
}

/**
 * Lets `permits` calls run, `queueMax` wait in order of arrival for at most
 * `waitMax`, and refuses the rest at once with `BULKHEAD_FULL`. An interrupted
 * waiter frees its place, an interrupted call its permit.
 *
 * The same value in two rows is one bulkhead.
 *
 * @category policies
 * @since 0.1.0
 */
export const bulkhead = (options: BulkheadOptions = {}): Policy.Policy<"unbounded"> => {
  const name = options.name ?? "bulkhead"
  const permits = options.permits ?? 32
  const queueMax = options.queueMax ?? permits
  const waitMax = options.waitMax ?? "200 millis"
  const waitMaxMillis = toMillis(waitMax)

  return Policy.fromInstance<"unbounded">({
    kind: "bulkhead",
    name,
    knobs: { permits, queueMax, waitMaxMillis },
    problems: [
      ...integerProblems("permits", permits, 1),
      ...integerProblems("queueMax", queueMax, 0),
      ...durationProblems("waitMax", waitMax)
    ],
    make: Effect.sync(() => {
      let running = 0
      // A Set keeps arrival order and lets an interrupted waiter leave in one step.
      const waiting = new Set<Ticket>()

      const release = (ticket: Ticket): void => {
        waiting.delete(ticket)
        if (!ticket.held) return
        ticket.held = false
        const [next] = waiting
        if (next === undefined) {
          running--
          return
        }
        // The permit passes on directly, so nobody can overtake the queue.
        waiting.delete(next)
        next.held = true
        next.wake?.()
      }

      /** True once the permit is held, false when the wait was too long. */
      const wait = (ticket: Ticket): Effect.Effect<boolean> =>
        Effect.callback<boolean>((resume) => {
          if (ticket.held) return resume(Effect.succeed(true))
          ticket.wake = () => resume(Effect.succeed(true))
        }).pipe(Effect.timeoutOrElse({ duration: waitMaxMillis, orElse: () => Effect.succeed(false) }))

      return {
        bind: (row) => {
          const full = refuse(row, { policy: name, reason: "BULKHEAD_FULL" })
          const late = refuse(row, { policy: name, reason: "BULKHEAD_WAIT_EXCEEDED" })
          return <A, T, P>(call: Call<A, T, P>): Call<A, T, P | Refused> =>
            Effect.suspend(() => {
              const ticket: Ticket = { held: false, wake: undefined }
              // The check and the take are one synchronous block, inside the frame
              // that gives back: there is no step between them to be interrupted in.
              const run = Effect.suspend((): Call<A, T, P | Refused> => {
                if (running < permits) {
                  running++
                  ticket.held = true
                  return call
                }
                if (waiting.size >= queueMax) return full
                waiting.add(ticket)
                return Effect.flatMap(wait(ticket), (held): Call<A, T, P | Refused> => (held ? call : late))
              })
              return Effect.onExit(run, () => Effect.sync(() => release(ticket)))
            })
        },
        state: () => ({ running, waiting: waiting.size })
      }
    })
  })
}
