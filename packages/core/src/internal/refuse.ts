/** A refusal told to the bus and returned as a value, in no virtual time. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Call } from "../Call.ts"
import type { Attempt } from "../Gate.ts"
import type { Row } from "../Policy.ts"
import * as Refused from "../Refused.ts"

/** What of an attempt a refusal speaks of. */
type Where = Pick<Attempt, "row" | "now" | "deadlineAt">

/** Makes the record of a refusal, with what is left of the call's deadline. */
export const refusal = (attempt: Where, fields: Refused.Fields): Refused.Refused => {
  const { deadlineAt } = attempt
  return new Refused.Refused(
    deadlineAt === Number.POSITIVE_INFINITY
      ? fields
      : { ...fields, deadlineLeftMillis: Math.max(0, deadlineAt - attempt.now) }
  )
}

/** Tells it and ends the call with it. */
export const refused = ({ row, now }: Where, why: Refused.Refused): Call<never, never, Refused.Refused> => {
  told(row, now, why, false)
  return Effect.succeed(Result.fail(why))
}

/** Tells the bus of a refusal; a `dark` one only counts, and the call goes on. */
export const told = (row: Row, now: number, refused: Refused.Refused, dark: boolean): void => {
  if (!row.bus.active) return
  row.bus.emit({
    _tag: "CallRefused",
    at: now,
    downstream: row.downstream,
    method: row.method,
    policy: refused.policy,
    reason: refused.reason,
    dark,
    refused
  })
}
