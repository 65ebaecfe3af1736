/** How a call ended, in the one word that gates judge by. */
import type * as Exit from "effect/Exit"
import type * as Result from "effect/Result"
import { isContractViolation } from "../ContractViolation.ts"
import type { Verdict } from "../Gate.ts"
import type { Row } from "../Policy.ts"
import { Refused } from "../Refused.ts"
import { TimedOut } from "../TimedOut.ts"
import * as hints from "./hints.ts"

/** The verdict of an exit. */
export const verdictOf = (exit: Exit.Exit<Result.Result<unknown, unknown>, unknown>): Verdict => {
  if (exit._tag === "Success") {
    if (exit.value._tag === "Success") return "answered"
    const outcome = exit.value.failure
    if (outcome instanceof Refused) return "refused"
    return isContractViolation(outcome) ? "violated" : "permanent"
  }
  let died = false
  for (const reason of exit.cause.reasons) {
    if (reason._tag === "Fail") {
      if (reason.error instanceof TimedOut) return "timedOut"
      return hints.overloaded(reason.error) ? "overloaded" : "failed"
    }
    if (reason._tag === "Die") died = true
  }
  return died ? "died" : "aborted"
}

/** Whether regions below a row judge their failures by themselves. */
export const judgedBelow = ({ regions = 1 }: Row): boolean => regions > 1

/**
 * The verdict of a call whose regions have gates of their own. A region that fails has
 * been judged there; that it failed says nothing of the others, which may answer the next
 * attempt. Where none takes calls any more they refuse by themselves.
 */
export const ofRegions = (verdict: Verdict): Verdict =>
  verdict === "failed" || verdict === "overloaded" || verdict === "timedOut" || verdict === "violated"
    ? "refused"
    : verdict
