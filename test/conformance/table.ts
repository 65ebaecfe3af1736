/** All scenarios, by what they are about. */
import type { Scenario } from "./scenario.ts"
import { adaptiveLimits } from "./scenarios/adaptive.ts"
import { thresholds } from "./scenarios/breaker.ts"
import { budgets } from "./scenarios/budget.ts"
import { bulkheads } from "./scenarios/bulkhead.ts"
import { counting } from "./scenarios/counting.ts"
import { halfOpen, ramps } from "./scenarios/halfOpen.ts"
import { hedges } from "./scenarios/hedge.ts"
import { rates } from "./scenarios/rate.ts"
import { byHand, open } from "./scenarios/recovery.ts"
import { retries } from "./scenarios/retry.ts"
import { times } from "./scenarios/time.ts"
import { windows } from "./scenarios/windows.ts"

export const table: Readonly<Record<string, ReadonlyArray<Scenario>>> = {
  "Circuit breaker: when it opens": thresholds,
  "Circuit breaker: windows": windows,
  "Circuit breaker: what counts": counting,
  "Circuit breaker: while it is open": open,
  "Circuit breaker: half-open": halfOpen,
  "Circuit breaker: the ramp": ramps,
  "Circuit breaker: by hand": byHand,
  Bulkhead: bulkheads,
  "Adaptive limit": adaptiveLimits,
  "Rate limit": rates,
  Retry: retries,
  "Retry budget": budgets,
  Hedge: hedges,
  "Timeout and deadline": times
}
