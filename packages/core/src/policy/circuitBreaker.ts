/**
 * A breaker that stops asking a downstream which mostly fails.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Call } from "../Call.ts"
import { isContractViolation } from "../ContractViolation.ts"
import { toMillis } from "../internal/duration.ts"
import { durationProblems, integerProblems, shareProblems } from "../internal/problems.ts"
import { refuse } from "../internal/refuse.ts"
import * as RollingWindow from "../internal/rollingWindow.ts"
import * as Policy from "../Policy.ts"
import { Refused } from "../Refused.ts"
import type { CircuitState } from "../Signal.ts"

/**
 * The knobs of a breaker.
 *
 * @category models
 * @since 0.1.0
 */
export interface CircuitBreakerOptions {
  readonly name?: string
  /** The share of failures at which it opens, above 0 and up to 1. Default 0.5; it trips at ≥. */
  readonly failureRate?: number
  /** The window over which the share is taken. Default 10 s. */
  readonly window?: Duration.Input
  /** Fewer calls than this in the window never open it. Default 10. */
  readonly minimumCalls?: number
  /** How long it stays open before it probes; the end is inclusive. Default 1 s. */
  readonly openFor?: Duration.Input
  /** How many probes run at once when half-open, and how many must answer to close it. Default 3. */
  readonly probes?: number
}

/** What one outcome says about the downstream's health. */
type Verdict = "good" | "bad" | "ignored"

/**
 * Opens when, of at least `minimumCalls` in the window, a share of at least
 * `failureRate` failed; then refuses with `CIRCUIT_OPEN` and the time left, and
 * after `openFor` lets up to `probes` calls through: it closes when as many have
 * answered, and opens again at the first failure.
 *
 * Only the downstream's outcomes count: transient errors and contract violations
 * are failures, permanent outcomes are proof of health, and a local refusal or a
 * caller's abort is neither, and frees its probe. A result of a call from before
 * the last change of state changes nothing.
 *
 * @category policies
 * @since 0.1.0
 */
export const circuitBreaker = (options: CircuitBreakerOptions = {}): Policy.Policy<"unbounded"> => {
  const name = options.name ?? "circuitBreaker"
  const failureRate = options.failureRate ?? 0.5
  const window = options.window ?? "10 seconds"
  const minimumCalls = options.minimumCalls ?? 10
  const openFor = options.openFor ?? "1 second"
  const probes = options.probes ?? 3
  const openMillis = toMillis(openFor)
  const windowMillis = toMillis(window)

  return Policy.fromInstance<"unbounded">({
    kind: "circuitBreaker",
    name,
    knobs: { failureRate, windowMillis, minimumCalls, openMillis, probes },
    problems: [
      ...shareProblems("failureRate", failureRate),
      ...durationProblems("window", window),
      ...integerProblems("minimumCalls", minimumCalls, 1),
      ...durationProblems("openFor", openFor),
      ...integerProblems("probes", probes, 1)
    ],
    make: Effect.sync(() => {
      const outcomes = RollingWindow.make(windowMillis)
      let state: CircuitState = "closed"
      // Each change of state begins a new generation: results of older ones are late.
      let generation = 0
      let openUntil = 0
      let probing = 0
      let probed = 0

      const change = (row: Policy.Row, to: CircuitState, now: number): void => {
        const { calls, failures } = outcomes.sums(now)
        const from = state
        state = to
        generation++
        probing = 0
        probed = 0
        if (to === "open") openUntil = now + openMillis
        if (to === "closed") outcomes.clear()
        if (row.bus.active) {
          row.bus.emit({
            _tag: "CircuitChanged",
            at: now,
            downstream: row.downstream,
            method: row.method,
            from,
            to,
            calls,
            failures,
            ...(to === "open" ? { openMillis } : {})
          })
        }
      }

      /** Whether a call may pass now: check and take in one synchronous block. */
      const admit = (row: Policy.Row, now: number): boolean => {
        // A clock that was set back must not keep it open for longer than it opened for.
        if (state === "open" && (now >= openUntil || openUntil - now > openMillis)) change(row, "half-open", now)
        if (state === "closed") return true
        if (state === "open" || probing + probed >= probes) return false
        probing++
        return true
      }

      const settle = (row: Policy.Row, now: number, of: number, verdict: Verdict): void => {
        if (of !== generation) return
        if (state === "half-open") {
          probing--
          if (verdict === "bad") change(row, "open", now)
          else if (verdict === "good" && ++probed >= probes) change(row, "closed", now)
          return
        }
        if (verdict === "ignored") return
        outcomes.record(now, verdict === "bad")
        if (verdict === "good") return
        const { calls, failures } = outcomes.sums(now)
        if (calls >= minimumCalls && failures / calls >= failureRate) change(row, "open", now)
      }

      return {
        bind:
          (row) =>
          <A, T, P>(call: Call<A, T, P>): Call<A, T, P | Refused> =>
            Effect.withFiber((fiber) => {
              const clock = fiber.getRef(Clock.Clock)
              let admitted = -1
              // The permission is taken inside the frame that gives it back.
              const run = Effect.suspend((): Call<A, T, P | Refused> => {
                const now = clock.currentTimeMillisUnsafe()
                if (admit(row, now)) {
                  admitted = generation
                  return call
                }
                return refuse(row, {
                  policy: name,
                  reason: "CIRCUIT_OPEN",
                  // While its probes run nobody knows how long it will take.
                  ...(state === "open" ? { retryAfterMillis: Math.max(1, openUntil - now) } : {})
                })
              })
              return Effect.onExit(run, (exit) =>
                Effect.sync(() => {
                  if (admitted >= 0) settle(row, clock.currentTimeMillisUnsafe(), admitted, judge(exit))
                })
              )
            }),
        state: () => ({ circuit: state, probing })
      }
    })
  })
}

const judge = <A, T, P>(exit: Exit.Exit<Result.Result<A, P>, T>): Verdict => {
  if (Exit.isSuccess(exit)) {
    if (Result.isSuccess(exit.value)) return "good"
    const outcome = exit.value.failure
    if (outcome instanceof Refused) return "ignored"
    return isContractViolation(outcome) ? "bad" : "good"
  }
  // A defect or an interruption says nothing about the downstream.
  return exit.cause.reasons.some((reason) => reason._tag === "Fail") ? "bad" : "ignored"
}
