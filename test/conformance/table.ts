/** All scenarios, by what they are about. */
import type { Scenario } from "./scenario.ts"
import { counting, thresholds, windows } from "./scenarios/breaker.ts"
import { bulkheads } from "./scenarios/bulkhead.ts"
import { byHand, halfOpen, open, ramps } from "./scenarios/recovery.ts"
import { budgets, retries } from "./scenarios/retry.ts"
import { times } from "./scenarios/time.ts"

export const table: Readonly<Record<string, ReadonlyArray<Scenario>>> = {
  "Circuit breaker: when it opens": thresholds,
  "Circuit breaker: windows": windows,
  "Circuit breaker: what counts": counting,
  "Circuit breaker: while it is open": open,
  "Circuit breaker: half-open": halfOpen,
  "Circuit breaker: the ramp": ramps,
  "Circuit breaker: by hand": byHand,
  Bulkhead: bulkheads,
  Retry: retries,
  "Retry budget": budgets,
  "Timeout and deadline": times
}
