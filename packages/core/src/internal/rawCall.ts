/**
 * Turns a transport's effect into a `Call`: declared transient errors stay
 * failures, declared permanent errors and contract violations become values.
 */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Call } from "../Call.ts"
import type * as Contract from "../Contract.ts"
import { ContractViolation, isContractViolation } from "../ContractViolation.ts"
import type { Row } from "../Policy.ts"
import { Refused } from "../Refused.ts"
import * as hints from "./hints.ts"
import { stackless } from "./stackless.ts"

/** A method of a transport, once the types have been checked. */
export type RawCall = (payload: unknown) => Effect.Effect<unknown, unknown>

/**
 * How many attempts of one logical call were sent without a known outcome. It is
 * raised before an attempt and lowered when its outcome is known, so an
 * interrupted attempt stays counted without a finalizer.
 */
export interface Sent {
  unknown: number
  /** How many attempts went out at all; a transport that refuses sends nothing. */
  attempts: number
}

/** Makes the function from raw call to `Call` for one method. */
export const makeToCall = (row: Row, method: Contract.Method) => {
  const isPermanent = Schema.is(method.permanent)
  const isTransient = Schema.is(method.transient)

  const violated = (violation: ContractViolation): Call<never, never, unknown> =>
    Effect.withFiber((fiber) => {
      if (row.bus.active) {
        row.bus.emit({
          _tag: "ContractViolated",
          at: fiber.getRef(Clock.Clock).currentTimeMillisUnsafe(),
          downstream: row.downstream,
          method: row.method,
          detail: violation.detail
        })
      }
      return Effect.succeed(Result.fail(violation))
    })

  /** A defect of the transport must not break a page that its contract keeps up. */
  const broken = (cause: Cause.Cause<unknown>): Call<never, never, unknown> =>
    Effect.andThen(
      Effect.logError(`the transport of ${row.downstream}/${row.method} ended with a defect`, cause),
      violated(stackless(() => new ContractViolation({ detail: "the transport ended with a defect" })))
    )

  return (raw: RawCall, payload: unknown, sent: Sent): Call<unknown, unknown, unknown> =>
    Effect.suspend(() => {
      sent.unknown++
      sent.attempts++
      return Effect.matchCauseEffect(
        Effect.suspend(() => raw(payload)),
        {
          onSuccess: (value): Call<unknown, unknown, unknown> => {
            sent.unknown--
            return Effect.succeed(Result.succeed(value))
          },
          // Not run where the caller is interrupted.
          onFailure: (cause): Call<unknown, unknown, unknown> => {
            const failure = cause.reasons.find((reason) => reason._tag === "Fail")
            if (failure === undefined) return broken(cause)
            const { error } = failure
            if (error instanceof Refused) {
              sent.unknown--
              sent.attempts--
              return Effect.succeed(Result.fail(error))
            }
            if (isPermanent(error)) {
              sent.unknown--
              return Effect.succeed(Result.fail(error))
            }
            if (isContractViolation(error)) return violated(error)
            if (isTransient(error)) {
              if (hints.notApplied(error)) sent.unknown--
              return Effect.fail(error)
            }
            // Only a transport whose types were cast away comes here.
            return violated(
              stackless(
                () =>
                  new ContractViolation({
                    detail: `the transport failed with an undeclared error: ${hints.word(error)}`
                  })
              )
            )
          }
        }
      )
    })
}
