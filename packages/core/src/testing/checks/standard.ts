import type { Check } from "../Check.ts"
import * as budgets from "./budgets.ts"
import * as calls from "./calls.ts"
import * as leaks from "./leaks.ts"
import * as reads from "./reads.ts"
import * as requests from "./requests.ts"

/**
 * The checks that every campaign makes, by the sentence that they keep. Recovery
 * stands apart: it is judged against the same run without faults.
 *
 * @category checks
 * @since 0.1.0
 */
export const standard: Readonly<Record<string, Check>> = {
  "the composition runs": leaks.itRuns,
  "time and chance are controlled": leaks.timeIsControlled,
  "nothing deadlocks": leaks.noDeadlock,
  "no request ends with a defect": requests.noDefects,
  "each request ends within the deadline": requests.deadlineKept,
  "a final word is never asked for again": calls.permanentIsFinal,
  "an unsafe write is sent once": calls.unsafeIsSentOnce,
  "attempts stay within the retries": calls.attemptsAreLimited,
  "each attempt has a call, a retry or a hedge": calls.attemptsHaveReason,
  "retries stay within their budget": budgets.budgetHolds,
  "hedges stay within their budgets": budgets.hedgesAreBudgeted,
  "attempts stay within the permits": calls.permitsHold,
  "a circuit lets nothing pass but its probes": calls.circuitsHold,
  "circuits move step by step": calls.circuitsMoveStepByStep,
  "a degraded answer says so": requests.degradedIsLabelled,
  "a stale answer is not too old": requests.staleIsYoung,
  "a cached answer is not too old": requests.cacheIsYoung,
  "a cached answer is as old as it says": requests.cacheAgesAreTrue,
  "a session is never shown anything older than before": reads.readsAreMonotonic,
  "a method that fails closed has no fallback": requests.failsClosed,
  "every permit is given back": leaks.permitsAreBack,
  "no fiber and no timer is left": leaks.nothingIsLeft
}
