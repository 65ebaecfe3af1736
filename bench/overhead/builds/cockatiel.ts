/** cockatiel 4, composed as its documentation does: fallback > retry > breaker > bulkhead > timeout. */
import {
  bulkhead,
  CountBreaker,
  circuitBreaker,
  ExponentialBackoff,
  fallback as fallbackPolicy,
  handleAll,
  retry,
  TimeoutStrategy,
  timeout,
  wrap
} from "cockatiel"
import { type Build, down, fallback, flaky, never, settings } from "../settings.ts"
import { atOncePromise, oneByOnePromise } from "./loops.ts"

const make = (permits: number, failureRate: number, minimumCalls: number = settings.minimumCalls) =>
  wrap(
    fallbackPolicy(handleAll, fallback),
    retry(handleAll, {
      maxAttempts: settings.retries,
      backoff: new ExponentialBackoff({ initialDelay: settings.backoffMillis, maxDelay: 10 })
    }),
    circuitBreaker(handleAll, {
      halfOpenAfter: 60_000,
      breaker: new CountBreaker({
        threshold: failureRate,
        size: settings.windowCalls,
        minimumNumberOfCalls: minimumCalls
      })
    }),
    bulkhead(permits, 0),
    timeout(settings.timeoutMillis, TimeoutStrategy.Aggressive)
  )

/** A refused call that is retried would measure the retry. */
const makeOnce = (permits: number) => {
  const breaker = circuitBreaker(handleAll, {
    halfOpenAfter: 60_000,
    breaker: new CountBreaker({
      threshold: settings.failureRate,
      size: settings.windowCalls,
      minimumNumberOfCalls: settings.minimumCalls
    })
  })
  return {
    breaker,
    policy: wrap(
      fallbackPolicy(handleAll, fallback),
      breaker,
      bulkhead(permits, 0),
      timeout(settings.timeoutMillis, TimeoutStrategy.Aggressive)
    )
  }
}

export const build: Build = {
  scenarios: {
    closed: async () => {
      const policy = make(settings.permits, settings.failureRate)
      return oneByOnePromise(() => policy.execute(down))
    },
    failing: async () => {
      const policy = make(1_000_000, 0.95, settings.windowCalls)
      return atOncePromise(() => policy.execute(flaky()))
    },
    open: async () => {
      const { breaker, policy } = makeOnce(settings.permits)
      breaker.isolate()
      return oneByOnePromise(() => policy.execute(down))
    },
    full: async () => {
      const { policy } = makeOnce(1)
      const hung = bulkhead(1, 0)
      void hung.execute(never)
      // The breaker of its own would count the refusals and open: what is measured is the full bulkhead.
      const full = wrap(
        fallbackPolicy(handleAll, fallback),
        hung,
        timeout(settings.timeoutMillis, TimeoutStrategy.Aggressive)
      )
      void policy
      return oneByOnePromise(() => full.execute(down))
    }
  },
  hang: async (calls) => {
    const policy = make(calls, settings.failureRate)
    for (let i = 0; i < calls; i++) void policy.execute(never)
    await new Promise(setImmediate)
  }
}
