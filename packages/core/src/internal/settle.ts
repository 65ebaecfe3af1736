/**
 * The end of a call: the only place that turns what a stack returned back into
 * an error or a labelled answer.
 */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Answer } from "../Answer.ts"
import type * as Contract from "../Contract.ts"
import { isContractViolation } from "../ContractViolation.ts"
import type * as Fallback from "../Fallback.ts"
import { Journal } from "../Journal.ts"
import type { Row } from "../Policy.ts"
import * as Refused from "../Refused.ts"
import { TimedOut } from "../TimedOut.ts"
import { Unavailable } from "../Unavailable.ts"
import { cameAtOf } from "./cameAt.ts"
import * as hints from "./hints.ts"
import type { Observations } from "./observations.ts"
import type { Sent } from "./rawCall.ts"
import type { SessionRead } from "./sessionRead.ts"
import { stackless } from "./stackless.ts"

/** A transient error that outlasted the stack. */
export const fromError = (row: Row, method: Contract.Method, sent: Sent, error: unknown): Unavailable =>
  unavailable(row, method, sent, {
    reason: error instanceof TimedOut ? "TIMEOUT" : "TRANSIENT_FAILURE",
    detail: hints.word(error),
    retryable: true,
    ...retryAfter(hints.retryAfterMillis(error))
  })

/** A final outcome that is no word of the downstream's: a refusal or a violated contract. Nothing for its own word. */
export const fromFinal = (row: Row, method: Contract.Method, sent: Sent, outcome: unknown): Unavailable | undefined => {
  if (outcome instanceof Refused.Refused) {
    return unavailable(row, method, sent, {
      reason: outcome.reason,
      detail: `refused by ${outcome.policy}`,
      retryable: outcome.reason !== "UNSENDABLE_REQUEST",
      refusal: Refused.record(outcome),
      ...retryAfter(outcome.retryAfterMillis)
    })
  }
  return isContractViolation(outcome)
    ? unavailable(row, method, sent, { reason: "CONTRACT_VIOLATION", detail: outcome.detail, retryable: false })
    : undefined
}

const unavailable = (
  row: Row,
  method: Contract.Method,
  sent: Sent,
  of: Pick<Unavailable, "reason" | "detail" | "retryable"> & {
    readonly retryAfterMillis?: number
    readonly refusal?: Refused.Record
  }
): Unavailable =>
  stackless(
    () =>
      new Unavailable({
        downstream: row.downstream,
        method: row.method,
        applied: method.idempotency !== "safe" && sent.unknown > 0 ? "unknown" : "no",
        ...of
      })
  )

const retryAfter = (millis: number | undefined) => (millis === undefined ? {} : { retryAfterMillis: millis })

/** The first step that has an answer, else the failure; each step is bounded, so the whole is. */
export const degrade = (
  row: Row,
  steps: ReadonlyArray<Fallback.Instance>,
  request: Fallback.Request,
  failure: Unavailable,
  observations: Observations,
  read: SessionRead | undefined
): Effect.Effect<Answer<unknown>, Unavailable> =>
  Effect.gen(function* () {
    for (const step of steps) {
      // A step that dies has no answer; where the caller is interrupted this is not run.
      const answer = yield* Effect.suspend(() => step.answer(request, failure)).pipe(
        Effect.catchCause((cause) => Effect.as(stepFailed(row, cause), Option.none<Answer<unknown>>()))
      )
      if (Option.isNone(answer)) continue
      const { asOf } = answer.value
      // A time that is none, of a step of the user's own, would end the promise for this key: it counts as not stated.
      if (read !== undefined && asOf !== undefined && Number.isFinite(asOf)) {
        const cameAt = cameAtOf(answer.value) ?? asOf
        if (!read.mayShow(asOf, cameAt)) {
          const behindMillis = read.behindMillis(asOf, request.now)
          yield* tooOld(row, { step: step.kind, behindMillis, reason: failure.reason })
          continue
        }
        read.shown(asOf, cameAt)
      }
      yield* told(row, answer.value, failure.reason, step.kind, observations)
      return answer.value
    }
    // Only a `degrade-or-fail` method comes here: the others have a total fallback by type. But for a step of one's own
    // that always answers and states an `asOf`: of two promises that cannot both be kept, an error breaks neither in silence.
    return yield* failure
  })

/** The session was shown something later: the step counts as one without an answer. */
const tooOld = (
  { bus, downstream, method }: Row,
  of: { readonly step: string; readonly behindMillis: number; readonly reason: string }
): Effect.Effect<void> =>
  bus.active
    ? Effect.map(Clock.currentTimeMillis, (at) => bus.emit({ _tag: "ReadTooOld", at, downstream, method, ...of }))
    : Effect.void

const stepFailed = (row: Row, cause: Cause.Cause<unknown>) =>
  Effect.logError(`a fallback of ${row.downstream}/${row.method} ended with a defect`, cause)

/** Tells the journal and the bus, so that nothing degrades in silence. */
export const told = (
  row: Row,
  answer: Pick<Answer<unknown>, "quality" | "asOf">,
  reason: string,
  step: string,
  observations: Observations
): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const { quality } = answer
    if (quality === "fresh") return Effect.void
    const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
    fiber.getRef(Journal)?.add({
      downstream: row.downstream,
      method: row.method,
      quality,
      reason,
      ...(answer.asOf === undefined ? {} : { ageMillis: Math.max(0, now - answer.asOf) })
    })
    if (row.bus.active) {
      row.bus.emit({
        _tag: "AnswerDegraded",
        at: now,
        downstream: row.downstream,
        method: row.method,
        quality,
        reason,
        step,
        seen: observations.seen(now)
      })
    }
    return Effect.void
  })
