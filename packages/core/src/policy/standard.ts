/**
 * The default order and the default knobs: what a team gets without thinking.
 */
import type * as Duration from "effect/Duration"
import { toMillis } from "../internal/duration.ts"
import * as Policy from "../Policy.ts"
import { bulkhead } from "./bulkhead.ts"
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
  /** The time of one attempt. Default deadline / 4, so that three attempts and their backoffs fit. */
  readonly attempt?: Duration.Input
  /** How many calls run at once. Default 32. */
  readonly permits?: number
}

const parts = (options: StandardOptions) => {
  const total = toMillis(options.deadline ?? "1 second")
  const attempt = toMillis(options.attempt ?? total / 4)
  return {
    deadline: deadline(total),
    retry: retry({ times: 2, base: total / 40, delayMax: total / 10 }),
    // A breaker for the dead downstream: a binary breaker at 50 % throws away
    // good answers in every partial fault.
    breaker: circuitBreaker({
      failureRate: 0.9,
      minimumCalls: 10,
      window: Math.max(10_000, 2 * attempt),
      openFor: Math.max(500, attempt),
      probes: 3
    }),
    bulkhead: bulkhead({ permits: options.permits ?? 32, waitMax: total / 20 }),
    timeout: timeout(attempt)
  }
}

/**
 * `deadline > retry > circuitBreaker > bulkhead > timeout`, for `safe` and
 * `keyed` methods.
 *
 * @category policies
 * @since 0.1.0
 */
export const standard = (options: StandardOptions = {}): Policy.Policy<"replays"> => {
  const of = parts(options)
  return Policy.stack(of.deadline, of.retry, of.breaker, of.bulkhead, of.timeout)
}

/**
 * The same without the retry, for `unsafe` methods: a request is sent at most
 * once.
 *
 * @category policies
 * @since 0.1.0
 */
export const standardOnce = (options: StandardOptions = {}): Policy.Policy<never> => {
  const of = parts({ ...options, attempt: options.attempt ?? (toMillis(options.deadline ?? "1 second") * 3) / 4 })
  return Policy.stack(of.deadline, of.breaker, of.bulkhead, of.timeout)
}
