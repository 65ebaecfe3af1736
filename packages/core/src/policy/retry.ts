/**
 * Asking again after a transient error, a limited number of times.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { Attempt } from "../Attempt.ts"
import type { Call } from "../Call.ts"
import { Deadline } from "../Deadline.ts"
import { toMillis } from "../internal/duration.ts"
import * as hints from "../internal/hints.ts"
import { durationProblems, integerProblems } from "../internal/problems.ts"
import * as Policy from "../Policy.ts"

/**
 * The knobs of a retry.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryOptions {
  readonly name?: string
  /** How many times to ask again, 1 to 20. Default 2. */
  readonly times?: number
  /** The first backoff before jitter; it doubles. Default 50 ms. */
  readonly base?: Duration.Input
  /** The longest wait, whoever asks for it: the backoff, a schedule or the downstream. Default 1 s. */
  readonly delayMax?: Duration.Input
  /**
   * Delays of your own instead of the full-jitter backoff. It sees the error,
   * may end the retries early, and stays within `times` and `delayMax`.
   */
  readonly schedule?: Schedule.Schedule<unknown, unknown>
}

/**
 * Exponential backoff with full jitter: random(0, min(cap, base · 2ⁿ)), which
 * spreads a crowd of callers best (AWS architecture blog, "Exponential Backoff
 * and Jitter", 2015).
 *
 * @category schedules
 * @since 0.1.0
 */
export const fullJitter = (options: {
  readonly base: Duration.Input
  readonly cap: Duration.Input
}): Schedule.Schedule<Duration.Duration> => {
  const cap = Duration.fromInputUnsafe(options.cap)
  return Schedule.exponential(options.base, 2).pipe(
    Schedule.modifyDelay(({ duration }) =>
      Effect.map(Random.next, (share) => Duration.times(Duration.min(duration, cap), share))
    )
  )
}

/**
 * Asks again after a transient error, at most `times` times, with full jitter by
 * default. The downstream's `Retry-After` is honoured as a lower bound, capped by
 * `delayMax`. A wait that would reach the deadline is not begun: the last error
 * is returned at once. Permanent outcomes and refusals are never repeated.
 *
 * Only for `safe` and `keyed` methods: the type carries the mark `replays`.
 *
 * @category policies
 * @since 0.1.0
 */
export const retry = (options: RetryOptions = {}): Policy.Policy<"replays" | "unbounded"> => {
  const times = options.times ?? 2
  const base = options.base ?? "50 millis"
  const delayMax = options.delayMax ?? "1 second"
  const delayMaxMillis = toMillis(delayMax)
  const schedule = options.schedule ?? fullJitter({ base, cap: delayMax })

  return Policy.fromInstance<"replays" | "unbounded">({
    kind: "retry",
    name: options.name,
    knobs: { times, baseMillis: toMillis(base), delayMaxMillis, ownSchedule: options.schedule !== undefined },
    problems: [
      ...integerProblems("times", times, 1, 20),
      ...durationProblems("base", base),
      ...durationProblems("delayMax", delayMax)
    ],
    make: Effect.succeed({
      bind: (row) => {
        const backoff = makeBackoff(row, delayMaxMillis)
        // Nothing is built before the first failure: most calls never retry.
        return <A, T, P>(call: Call<A, T, P>): Call<A, T, P> =>
          Effect.catch(call, (first) =>
            Effect.flatMap(Schedule.toStep(schedule), (step) => {
              const again = (error: T, attempt: number): Call<A, T, P> =>
                attempt > times
                  ? Effect.fail(error)
                  : Effect.flatMap(backoff(step, error, attempt), (go) =>
                      go
                        ? Effect.provideService(call, Attempt, attempt).pipe(
                            Effect.catch((next) => again(next, attempt + 1))
                          )
                        : Effect.fail(error)
                    )
              return again(first, 1)
            })
          )
      },
      state: () => ({})
    })
  })
}

type Step = Effect.Success<ReturnType<typeof Schedule.toStep<unknown, unknown, never, never>>>

/** Waits before the given attempt; false where the schedule or the deadline says no. */
const makeBackoff =
  (row: Policy.Row, delayMaxMillis: number) =>
  (step: Step, error: unknown, attempt: number): Effect.Effect<boolean> =>
    Effect.withFiber((fiber) => {
      const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
      const left = fiber.getRef(Deadline) - now
      return step(now, error).pipe(
        Effect.flatMap(([, delay]) => {
          const asked = Math.max(Duration.toMillis(delay), hints.retryAfterMillis(error) ?? 0)
          const delayMillis = Math.min(asked, delayMaxMillis)
          if (delayMillis >= left) return Effect.succeed(false)
          if (row.bus.active) {
            row.bus.emit({
              _tag: "RetryScheduled",
              at: now,
              downstream: row.downstream,
              method: row.method,
              attempt,
              delayMillis,
              cause: hints.word(error)
            })
          }
          return Effect.as(Effect.sleep(delayMillis), true)
        }),
        Pull.catchDone(() => Effect.succeed(false))
      )
    })
