/**
 * Opens a transport's effect for one attempt: declared transient errors stay
 * failures, declared permanent errors and contract violations become values.
 */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Contract from "../Contract.ts"
import { ContractViolation, isContractViolation } from "../ContractViolation.ts"
import { Heard, type Listener, type Said } from "../cache/said.ts"
import type { Row } from "../Policy.ts"
import { Refused } from "../Refused.ts"
import { TimedOut } from "../TimedOut.ts"
import { strictest } from "./cache/limits.ts"
import * as hints from "./hints.ts"
import * as leaves from "./leaf.ts"
import type { AnyCall } from "./passage.ts"
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
  /** Who hears what the downstream says of keeping the answer, where somebody keeps it. */
  readonly heard: Listener | undefined
}

/** What the errors of one method mean. */
export class Classifier {
  private readonly row: Row
  private readonly isPermanent: (error: unknown) => boolean
  private readonly isTransient: (error: unknown) => boolean

  constructor(row: Row, method: Contract.Method) {
    this.row = row
    this.isPermanent = Schema.is(method.permanent)
    this.isTransient = Schema.is(method.transient)
  }

  /** Whether an error of the transport is the downstream's declared final word. */
  isFinalWord(error: unknown): boolean {
    return !(error instanceof Refused) && this.isPermanent(error)
  }

  answered(value: unknown, sent: Sent): AnyCall {
    sent.unknown--
    return Effect.succeed(Result.succeed(value))
  }

  /** An error that the transport failed with. */
  failed(error: unknown, sent: Sent): AnyCall {
    if (error instanceof Refused) {
      sent.unknown--
      sent.attempts--
      return Effect.succeed(Result.fail(error))
    }
    if (this.isPermanent(error)) {
      sent.unknown--
      return Effect.succeed(Result.fail(error))
    }
    if (isContractViolation(error)) return this.violated(error)
    // A transport that knows several regions cuts a slow one by itself.
    if (error instanceof TimedOut) return Effect.fail(error)
    if (this.isTransient(error)) {
      if (hints.notApplied(error)) sent.unknown--
      return Effect.fail(error)
    }
    // Only a transport whose types were cast away comes here.
    return this.violated(violation(`the transport failed with an undeclared error: ${hints.word(error)}`))
  }

  /** A defect of the transport must not break a page that its contract keeps up. */
  broken(cause: Cause.Cause<unknown>): AnyCall {
    return Effect.andThen(
      Effect.logError(`the transport of ${this.row.downstream}/${this.row.method} ended with a defect`, cause),
      this.violated(violation("the transport ended with a defect"))
    )
  }

  private violated(violation: ContractViolation): AnyCall {
    const { row } = this
    return Effect.withFiber((fiber) => {
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
  }
}

const violation = (detail: string) => stackless(() => new ContractViolation({ detail }))

/** The attempts of one call of a transport, as the effect that policies see. */
export class RawAttempts extends leaves.Openable<Result.Result<unknown, unknown>, unknown> {
  private readonly classifier: Classifier
  private readonly raw: RawCall
  private readonly payload: unknown
  private readonly sent: Sent

  constructor(classifier: Classifier, raw: RawCall, payload: unknown, sent: Sent) {
    super()
    this.classifier = classifier
    this.raw = raw
    this.payload = payload
    this.sent = sent
  }

  [leaves.Opening](): AnyCall | leaves.Leaf<Result.Result<unknown, unknown>, unknown> {
    return openRaw(this.classifier, this.raw, this.payload, this.sent)
  }
}

/** Opens one attempt: a leaf where the transport gave one, else an effect. */
const openRaw = (
  classifier: Classifier,
  raw: RawCall,
  payload: unknown,
  sent: Sent
): AnyCall | leaves.Leaf<Result.Result<unknown, unknown>, unknown> => {
  sent.unknown++
  sent.attempts++
  let opened: Effect.Effect<unknown, unknown> | leaves.Leaf<unknown, unknown>
  try {
    opened = leaves.opened(raw(payload))
  } catch (defect) {
    opened = Effect.die(defect)
  }
  const hearing = sent.heard === undefined ? undefined : new Hearing(sent.heard)
  if (opened instanceof leaves.Leaf) return new TransportLeaf(classifier, opened, sent, hearing)
  const ended = Effect.matchCauseEffect(opened, {
    onSuccess: (value) => {
      hearing?.passOn()
      return classifier.answered(value, sent)
    },
    // Not run where the caller is interrupted.
    onFailure: (cause) => classified(classifier, cause, sent, hearing)
  })
  return hearing === undefined ? ended : Effect.provideService(ended, Heard, hearing.listener)
}

/** What one attempt was told: it counts only where that attempt ends with a word of the downstream's. */
class Hearing {
  private readonly to: Listener
  private said: Said | undefined = undefined

  constructor(to: Listener) {
    this.to = to
  }

  readonly listener: Listener = (said) => {
    this.said = strictest(this.said, said)
  }

  passOn(): void {
    if (this.said !== undefined) this.to(this.said)
  }
}

/** What a leaf is told, with a listener in its context. */
class HearingRun implements leaves.Run {
  readonly context: Context.Context<never>
  private readonly of: leaves.Run

  constructor(of: leaves.Run, listener: Listener) {
    this.of = of
    this.context = Context.add(of.context, Heard, listener)
  }

  get signal(): AbortSignal {
    return this.of.signal
  }

  get deadlineAt(): number {
    return this.of.deadlineAt
  }

  get attempt(): number {
    return this.of.attempt
  }
}

const classified = (
  classifier: Classifier,
  cause: Cause.Cause<unknown>,
  sent: Sent,
  hearing: Hearing | undefined
): AnyCall => {
  const failure = cause.reasons.find((reason) => reason._tag === "Fail")
  if (failure === undefined) return classifier.broken(cause)
  if (hearing !== undefined && classifier.isFinalWord(failure.error)) hearing.passOn()
  return classifier.failed(failure.error, sent)
}

/** A transport's leaf whose outcome is classified. */
class TransportLeaf extends leaves.Leaf<Result.Result<unknown, unknown>, unknown> {
  private readonly classifier: Classifier
  private readonly leaf: leaves.Leaf<unknown, unknown>
  private readonly sent: Sent
  private readonly hearing: Hearing | undefined

  constructor(classifier: Classifier, leaf: leaves.Leaf<unknown, unknown>, sent: Sent, hearing: Hearing | undefined) {
    super()
    this.classifier = classifier
    this.leaf = leaf
    this.sent = sent
    this.hearing = hearing
  }

  run(of: leaves.Run): Promise<unknown> {
    return this.leaf.run(this.hearing === undefined ? of : new HearingRun(of, this.hearing.listener))
  }

  onValue(value: unknown): AnyCall {
    return this.outcome(this.leaf.onValue(value))
  }

  onError(error: unknown): AnyCall {
    return this.outcome(this.leaf.onError(error))
  }

  private outcome(of: Effect.Effect<unknown, unknown>): AnyCall {
    // A leaf's outcomes are there at once: `Leaf.make` makes nothing else.
    const exit = Exit.isExit(of) ? of : Exit.die("a leaf must end with an exit")
    if (exit._tag === "Failure") return classified(this.classifier, exit.cause, this.sent, this.hearing)
    this.hearing?.passOn()
    return this.classifier.answered(exit.value, this.sent)
  }
}
