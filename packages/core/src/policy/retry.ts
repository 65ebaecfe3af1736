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
import type { BudgetSize } from "../internal/budget.ts"
import * as hints from "../internal/hints.ts"
import * as Knob from "../Knob.ts"
import * as Policy from "../Policy.ts"
import type { Budgets, RetryBudget } from "../RetryBudget.ts"

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
  /** The first backoff before jitter. Default 50 ms. */
  readonly base?: Duration.Input
  /** The shortest wait. Default 0. */
  readonly delayMin?: Duration.Input
  /** The longest wait, whoever asks for it: the backoff, a schedule or the downstream. Default 1 s. */
  readonly delayMax?: Duration.Input
  /**
   * How the waits grow and spread: `full` is random(0, min(cap, base · 2ⁿ)),
   * `decorrelated` is min(cap, random(base, 3 · previous)), `exponential` is
   * min(cap, base · 2ⁿ) without jitter. Default `full`, which spreads a crowd best
   * (AWS architecture blog, "Exponential Backoff and Jitter", 2015).
   */
  readonly backoff?: "full" | "decorrelated" | "exponential"
  /**
   * Delays of your own instead of the backoff. It sees the error, may end the
   * retries early, and stays within `times`, `delayMin` and `delayMax`.
   */
  readonly schedule?: Schedule.Schedule<unknown, unknown>
  /** How many retries the downstream has to bear in all. Default: no budget; `standard` has one. */
  readonly budget?: RetryBudget
}

/**
 * Asks again after a transient error, at most `times` times, with full jitter by
 * default. The downstream's `Retry-After` is honoured as a lower bound, capped by
 * `delayMax`; its "do not retry" is obeyed, and its "overloaded" is, unless it says
 * when to come again. A wait that would reach the deadline is not begun, and
 * neither is a retry that the budget does not grant: the last error is returned at
 * once, with a `RetryDenied` signal. Permanent outcomes and refusals are never
 * repeated.
 *
 * Only for `safe` and `keyed` methods: the type carries the mark `replays`.
 *
 * @category policies
 * @since 0.1.0
 */
export const retry = (options: RetryOptions = {}): Policy.Policy<"replays" | "unbounded"> =>
  make(options, ["replays", "unbounded"], false)

/**
 * The same, limited to errors that say the request was certainly not applied
 * (`applied: "no"`: a refused connection, a request that was shed). So it fits
 * `unsafe` methods too: the type carries the mark `resends`.
 *
 * @category policies
 * @since 0.1.0
 */
export const retryUnsent = (options: RetryOptions = {}): Policy.Policy<"resends" | "unbounded"> =>
  make(options, ["resends", "unbounded"], true)

const make = <const M extends Policy.Mark>(
  options: RetryOptions,
  marks: ReadonlyArray<M>,
  unsentOnly: boolean
): Policy.Policy<M> =>
  Policy.fromInstance({
    kind: "retry",
    name: options.name,
    marks,
    knobs: {
      times: Knob.count(options.times ?? 2, { least: 0, most: 20 }),
      baseMillis: Knob.millis(options.base ?? "50 millis"),
      delayMinMillis: Knob.millis(options.delayMin ?? 0, { zero: true }),
      delayMaxMillis: Knob.millis(options.delayMax ?? "1 second"),
      backoff: Knob.word(options.backoff ?? "full", ["full", "decorrelated", "exponential"]),
      budgetRatio: Knob.share(options.budget?.ratio ?? 0, { zero: true }),
      budgetPerSecond: Knob.number(options.budget?.perSecond ?? 0, { least: 0, most: 1_000_000 }),
      budget: Knob.fixed(options.budget !== undefined),
      ownSchedule: Knob.fixed(options.schedule !== undefined),
      unsentOnly: Knob.fixed(unsentOnly)
    },
    problems: ({ delayMinMillis, delayMaxMillis }) =>
      delayMinMillis > delayMaxMillis
        ? [`delayMinMillis (${delayMinMillis} ms) must not be longer than delayMaxMillis (${delayMaxMillis} ms)`]
        : [],
    make: (values) =>
      Effect.gen(function* () {
        const budgets = options.budget === undefined ? undefined : yield* options.budget.build
        let retried = 0
        let denied = 0
        return {
          form: {
            _tag: "Repeat",
            bind: (row) => {
              const budget = budgets?.(row.downstream)
              const decide = (error: unknown, state: State, now: number, left: number, asked: Asked) => {
                const verdict =
                  asked === undefined ? "schedule" : judge(error, asked, left, unsentOnly, values, budget, now)
                if (typeof verdict === "number") {
                  retried++
                  state.previousMillis = verdict
                  if (row.bus.active) {
                    const { downstream, method } = row
                    const cause = hints.word(error)
                    row.bus.emit({
                      _tag: "RetryScheduled",
                      at: now,
                      downstream,
                      method,
                      attempt: state.attempt,
                      delayMillis: verdict,
                      cause
                    })
                  }
                  return verdict
                }
                denied++
                if (row.bus.active) {
                  const { downstream, method } = row
                  row.bus.emit({
                    _tag: "RetryDenied",
                    at: now,
                    downstream,
                    method,
                    attempt: state.attempt,
                    reason: verdict
                  })
                }
                return undefined
              }
              const waits = options.schedule === undefined ? undefined : scheduled(options.schedule)
              return <A, T, P>(call: Call<A, T, P>, deadlineAt: number): Call<A, T, P> => {
                // Nothing is built before the first failure, as most calls never retry: not even what finds the error in
                // its cause, which Effect.catch makes at once.
                const first = Effect.catchCause(call, (cause) =>
                  Effect.catch(Effect.failCause(cause), (error) => {
                    const state: State = { attempt: 1, previousMillis: values.baseMillis }
                    return waits === undefined
                      ? again(call, error, deadlineAt, state, values, decide, backedOff(values))
                      : Effect.flatMap(waits, (wait) => again(call, error, deadlineAt, state, values, decide, wait))
                  })
                )
                if (budget === undefined) return first
                return Effect.withFiber((fiber) => {
                  budget.earn(fiber.getRef(Clock.Clock).currentTimeMillisUnsafe())
                  return first
                })
              }
            }
          },
          state: () => ({ retried, denied })
        }
      })
  })

/** The knobs that decide about a retry. */
interface Values extends BudgetSize {
  readonly times: number
  readonly baseMillis: number
  readonly delayMinMillis: number
  readonly delayMaxMillis: number
  readonly backoff: string
}

/** Where one logical call stands: the number of the next attempt, and the last wait. */
interface State {
  attempt: number
  previousMillis: number
}

/** The wait that the backoff asks for, in milliseconds; nothing where a schedule has ended. */
type Asked = number | undefined

/** The wait before the next attempt. */
type Wait = (error: unknown, state: State, now: number) => Effect.Effect<Asked>

/** The wait that is granted, or why none is. */
const judge = (
  error: unknown,
  asked: number,
  leftMillis: number,
  unsentOnly: boolean,
  values: Values,
  budget: ReturnType<Budgets> | undefined,
  now: number
): number | "budget" | "deadline" | "callee" | "may-be-applied" => {
  if (unsentOnly && !hints.notApplied(error)) return "may-be-applied"
  const { delayMinMillis, delayMaxMillis } = values
  const retryAfter = hints.retryAfterMillis(error)
  if (hints.doNotRetry(error) || (hints.overloaded(error) && retryAfter === undefined)) return "callee"
  const delayMillis = Math.min(Math.max(asked, retryAfter ?? 0, delayMinMillis), delayMaxMillis)
  if (delayMillis >= leftMillis) return "deadline"
  return budget === undefined || budget.take(now, values) ? delayMillis : "budget"
}

const again = <A, T, P>(
  call: Call<A, T, P>,
  error: T,
  deadlineAt: number,
  state: State,
  values: Values,
  decide: (error: unknown, state: State, now: number, left: number, asked: Asked) => number | undefined,
  wait: Wait
): Call<A, T, P> =>
  state.attempt > values.times
    ? Effect.fail(error)
    : Effect.withFiber((fiber) => {
        const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
        const left = Math.min(deadlineAt, fiber.getRef(Deadline)) - now
        return Effect.flatMap(wait(error, state, now), (asked): Call<A, T, P> => {
          const delayMillis = decide(error, state, now, left, asked)
          if (delayMillis === undefined) return Effect.fail(error)
          const next = Effect.catch(Effect.provideService(call, Attempt, state.attempt), (later) => {
            state.attempt++
            return again(call, later, deadlineAt, state, values, decide, wait)
          })
          return delayMillis > 0 ? Effect.andThen(Effect.sleep(delayMillis), next) : next
        })
      })

/** The waits that the knobs say, with Effect's randomness. */
const backedOff =
  ({ backoff, baseMillis, delayMaxMillis }: Values): Wait =>
  (_error, { attempt, previousMillis }) =>
    Effect.withFiber((fiber) => {
      const random = fiber.getRef(Random.Random).nextDoubleUnsafe()
      const ceiling = Math.min(delayMaxMillis, baseMillis * 2 ** (attempt - 1))
      if (backoff === "exponential") return Effect.succeed(ceiling)
      if (backoff === "full") return Effect.succeed(ceiling * random)
      return Effect.succeed(
        Math.min(delayMaxMillis, baseMillis + random * Math.max(0, 3 * previousMillis - baseMillis))
      )
    })

/** The waits of a schedule, each logical call with a run of its own. */
const scheduled = (schedule: Schedule.Schedule<unknown, unknown>): Effect.Effect<Wait> =>
  Effect.map(
    Schedule.toStep(schedule),
    (step): Wait =>
      (error, _, now) =>
        step(now, error).pipe(
          Effect.map(([, delay]): Asked => Duration.toMillis(delay)),
          Pull.catchDone(() => Effect.succeed(undefined))
        )
  )
