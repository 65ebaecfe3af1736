/**
 * The default order and the default knobs: what a team gets without thinking.
 */
import type * as Duration from "effect/Duration"
import { toMillis } from "../internal/duration.ts"
import * as Policy from "../Policy.ts"
import * as RetryBudget from "../RetryBudget.ts"
import { adaptiveLimit } from "./adaptiveLimit.ts"
import { circuitBreaker } from "./circuitBreaker.ts"
import { deadline } from "./deadline.ts"
import { retry } from "./retry.ts"
import { timeout } from "./timeout.ts"

/**
 * The knobs of the standard stack; what is absent is derived from the deadline.
 *
 * @category models
 * @since 0.1.0
 */
export interface StandardOptions {
  /** The time of the whole call. Default 1 s. */
  readonly deadline?: Duration.Input
  /** The time of one attempt. Default deadline / 4, so that three attempts, their waits and backoffs fit. */
  readonly attempt?: Duration.Input
  /** How many calls run at once at most, whatever the limit finds. Default 200. */
  readonly limitMax?: number
  /** The budget of retries. Default `RetryBudget.standard`: a tenth of the calls, shared by a downstream's methods. */
  readonly budget?: RetryBudget.RetryBudget
}

/** So many failures in a row are no partial trouble, nor a blip: at half of the calls failing, once in a million million. */
const runOfFailures = 40
/** A timeout costs a caller his time and leaves work behind, a failure at once costs nothing: fewer are enough, where nothing else is heard. */
const runOfTimeouts = 8

/** Longer than this a lock-out costs one that is back more than it spares one that is not, in milliseconds. */
const openMost = 300

const parts = (options: StandardOptions) => {
  const total = toMillis(options.deadline ?? "1 second")
  const attempt = toMillis(options.attempt ?? total / 4)
  const limitMax = options.limitMax ?? 200
  return {
    deadline: deadline(total),
    retry: retry({
      times: 2,
      base: total / 40,
      delayMax: total / 10,
      budget: options.budget ?? RetryBudget.standard
    }),
    // For the dead downstream only: at 50 % it would throw good answers away in every partial fault, which the
    // budget and the limit bear better. It stays open for a moment and lets success bring traffic back: five
    // calls now and then cost a dead downstream nothing, a second of refusals costs one that is back (the outage race).
    // One that hangs is asked with a single call at a time, whose wait is the open time.
    breaker: circuitBreaker({
      failureRate: 0.9,
      minimumCalls: 10,
      consecutiveFailures: runOfFailures,
      consecutiveTimeouts: runOfTimeouts,
      window: Math.max(10_000, 2 * attempt),
      openFor: Math.min(openMost, Math.max(100, attempt)),
      openMax: openMost,
      probes: 5,
      probeMax: Math.max(1000, attempt)
    }),
    limit: adaptiveLimit({
      limitMin: Math.min(4, limitMax),
      limitInitial: Math.min(20, limitMax),
      limitMax,
      queueMax: Math.min(20, limitMax),
      waitMax: total / 20
    }),
    timeout: timeout(attempt)
  }
}

/**
 * `deadline > retry > circuitBreaker > adaptiveLimit > timeout`, for `safe` and
 * `keyed` methods. Retries have a budget, the limit finds itself, and the breaker is
 * kept for the dead downstream.
 *
 * @category policies
 * @since 0.1.0
 */
export const standard = (options: StandardOptions = {}): Policy.Policy<"replays"> => {
  const of = parts(options)
  return Policy.stack(of.deadline, of.retry, of.breaker, of.limit, of.timeout)
}

/**
 * The same without the retry, for `unsafe` methods: a request is sent at most
 * once. An attempt has three quarters of the deadline.
 *
 * @category policies
 * @since 0.1.0
 */
export const standardOnce = (options: Omit<StandardOptions, "budget"> = {}): Policy.Policy<never> => {
  const of = parts({ ...options, attempt: options.attempt ?? (toMillis(options.deadline ?? "1 second") * 3) / 4 })
  return Policy.stack(of.deadline, of.breaker, of.limit, of.timeout)
}
