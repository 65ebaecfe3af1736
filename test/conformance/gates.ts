/** Scenarios of gates: breakers, bulkheads and limits. What the steps mean is in `world.ts`. */
import { Policy, type RateLimit } from "@failsoft/core"
import { type Scenario, written } from "./scenario.ts"
import type { Source } from "./sources.ts"
import { run } from "./world.ts"

type Extra = { readonly differs?: string; readonly random?: number }

/** What every breaker of the table has unless its row says otherwise. */
export const breakerDefaults = {
  failureRate: 0.5,
  minimumCalls: 4,
  window: 10_000,
  openFor: 1000,
  jitter: 0,
  probes: 1,
  ramp: false
} satisfies Policy.CircuitBreakerOptions

export const breaker = (
  says: string,
  source: Source,
  options: Policy.CircuitBreakerOptions,
  steps: string,
  { random = 0.5, ...extra }: Extra = {}
): Scenario => ({
  says,
  source,
  policy: written("circuitBreaker", options),
  steps,
  ...extra,
  run: () => run(Policy.circuitBreaker({ ...breakerDefaults, ...options }), random, steps)
})

export const bulkhead = (
  says: string,
  source: Source,
  options: Policy.BulkheadOptions,
  steps: string,
  { random = 0.5, ...extra }: Extra = {}
): Scenario => ({
  says,
  source,
  policy: written("bulkhead", options),
  steps,
  ...extra,
  run: () => run(Policy.bulkhead(options), random, steps)
})

export const adaptiveLimit = (
  says: string,
  source: Source,
  options: Policy.AdaptiveLimitOptions,
  steps: string,
  { random = 0.5, ...extra }: Extra = {}
): Scenario => ({
  says,
  source,
  policy: written("adaptiveLimit", options),
  steps,
  ...extra,
  run: () => run(Policy.adaptiveLimit(options), random, steps)
})

export const rateLimit = (
  says: string,
  source: Source,
  options: RateLimit.Options,
  steps: string,
  { random = 0.5, ...extra }: Extra = {}
): Scenario => ({
  says,
  source,
  policy: written("rateLimit", options),
  steps,
  ...extra,
  run: () => run(Policy.rateLimit(options), random, steps)
})
