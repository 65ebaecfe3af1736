/** opossum 10: timeout, capacity, breaker and fallback in one. It has no retry and cancels nothing. */
import CircuitBreaker from "opossum"
import { type Build, down, fallback, never, settings } from "../settings.ts"
import { oneByOnePromise } from "./loops.ts"

const make = (action: () => Promise<number>, capacity: number) => {
  const breaker = new CircuitBreaker(action, {
    timeout: settings.timeoutMillis,
    errorThresholdPercentage: settings.failureRate * 100,
    volumeThreshold: settings.minimumCalls,
    resetTimeout: 60_000,
    capacity
  })
  breaker.fallback(() => fallback)
  return breaker
}

export const build: Build = {
  scenarios: {
    closed: async () => {
      const breaker = make(down, settings.permits)
      return oneByOnePromise(() => breaker.fire())
    },
    open: async () => {
      const breaker = make(down, settings.permits)
      breaker.open()
      return oneByOnePromise(() => breaker.fire())
    },
    full: async () => {
      // It counts a refusal as a failure and would open: so many more calls are needed that it does not.
      const breaker = new CircuitBreaker(never, {
        timeout: false,
        capacity: 1,
        volumeThreshold: Number.MAX_SAFE_INTEGER
      })
      breaker.fallback(() => fallback)
      void breaker.fire()
      return oneByOnePromise(() => breaker.fire())
    }
  },
  hang: async (calls) => {
    const breaker = make(never, calls)
    for (let i = 0; i < calls; i++) void breaker.fire()
    await new Promise(setImmediate)
  }
}
