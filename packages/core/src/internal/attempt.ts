/**
 * One attempt: through the gates, under its time limit, and back.
 *
 * All gates that stand next to each other, and the limit within them, share one
 * frame and one object per attempt. The object is the permit: what `enter` took is
 * written into it in the same synchronous block, and the frame's finalizer gives it
 * back, so there is no step between the two in which an interruption could lose it.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type * as Result from "effect/Result"
import type { Call } from "../Call.ts"
import { CallKey } from "../CallKey.ts"
import { Deadline } from "../Deadline.ts"
import { type Attempt, type Gate, Ticket, type Verdict } from "../Gate.ts"
import type { Form, Interceptor, Row } from "../Policy.ts"
import type { Refused } from "../Refused.ts"
import * as TimedOut from "../TimedOut.ts"
import { forkBeside } from "./fork.ts"
import { refusal, refused } from "./refuse.ts"
import { type Entry, Timers } from "./timers.ts"
import { verdictOf } from "./verdict.ts"

type Limit = Extract<Form, { _tag: "Limit" }>
type AnyCall = Call<unknown, unknown, unknown>
type Child = Fiber.Fiber<Result.Result<unknown, unknown>, unknown>
type AnyExit = Exit.Exit<Result.Result<unknown, unknown>, unknown>

/** What the attempts of one place in a stack have in common. */
interface Place {
  readonly row: Row
  readonly gates: ReadonlyArray<Gate>
  readonly limit: Limit | undefined
  readonly limits: Timers
  readonly waits: Timers
}

/** A deadline that the stack keeps at its suspension points instead of with a fiber of its own. */
export interface Bound {
  readonly at: number
  readonly policy: string
}

/** No deadline of the stack's own. */
export const unbound: Bound = { at: Number.POSITIVE_INFINITY, policy: "" }

/**
 * The function that sends a call through the gates and under the limit. `bound` is
 * the deadline that the stack has told it to keep.
 */
export const makeAttempt = (
  row: Row,
  gates: ReadonlyArray<Gate>,
  limit: Limit | undefined
): ((call: AnyCall, bound: Bound) => AnyCall) => {
  const place: Place = { row, gates, limit, limits: new Timers(), waits: new Timers() }
  const nothingToGiveBack = gates.length === 0 && limit?.ended === undefined
  return (call, bound) =>
    Effect.withFiber((fiber) => {
      const run = new Run(place, fiber, call, bound)
      if (nothingToGiveBack) return run.start()
      return Effect.onExitPrimitive(
        Effect.suspend(() => run.start()),
        (exit) => run.ended(exit)
      )
    })
}

/** The same as an interceptor that knows of no deadline of the stack. */
export const alone = (row: Row, gates: ReadonlyArray<Gate>, limit: Limit | undefined): Interceptor => {
  const attempt = makeAttempt(row, gates, limit)
  // It returns the call's own outcomes, a timeout or a refusal.
  return ((call: AnyCall) => attempt(call, unbound)) as Interceptor
}

class Run implements Attempt {
  readonly place: Place
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly call: AnyCall
  readonly bound: Bound
  readonly clock: Clock.Clock
  now = 0
  /** The tokens of the gates that were entered, outermost first. */
  private readonly tokens: Array<number> = []
  private ticket: Ticket | undefined
  private sentAt = -1
  /** How the attempt's own fiber ended, where the caller did not live to see it. */
  private done: AnyExit | undefined
  private entry: Entry | undefined
  private limitMillis = Number.POSITIVE_INFINITY
  private expired: "no" | "limit" | "deadline" = "no"
  /** For how long it goes on when its caller goes away; -1 for not at all. */
  private outliveMillis = -1
  private abandoned = false
  private whose: string | undefined
  private randomness: typeof Random.Random.Service | undefined

  constructor(place: Place, fiber: Fiber.Fiber<unknown, unknown>, call: AnyCall, bound: Bound) {
    this.place = place
    this.fiber = fiber
    this.call = call
    this.bound = bound
    this.clock = fiber.getRef(Clock.Clock)
  }

  get row(): Row {
    return this.place.row
  }

  get deadlineAt(): number {
    return Math.min(this.bound.at, this.fiber.getRef(Deadline))
  }

  key(): string {
    // Kept, since it is asked for once more when the caller's fiber may be gone.
    this.whose ??= this.fiber.getRef(CallKey)
    return this.whose
  }

  random(): number {
    return (this.randomness ?? this.fiber.getRef(Random.Random)).nextDoubleUnsafe()
  }

  outlive(millis: number): void {
    this.outliveMillis = Math.max(this.outliveMillis, millis)
  }

  start(): AnyCall {
    this.now = this.clock.currentTimeMillisUnsafe()
    if (this.bound.at <= this.now) return this.spent()
    return this.enter()
  }

  /** Enters the gates from the next one on; all that do not make it wait in one synchronous block. */
  private enter(): AnyCall {
    const { gates } = this.place
    for (let at = this.tokens.length; at < gates.length; at++) {
      const gate = gates[at]
      if (gate === undefined) break
      const admitted = gate.enter(this)
      if (typeof admitted === "number") this.tokens.push(admitted)
      else if (admitted instanceof Ticket) return this.wait(gate, admitted)
      else return refused(this, admitted)
    }
    return this.send()
  }

  private wait(gate: Gate, ticket: Ticket): AnyCall {
    this.ticket = ticket
    return Effect.flatMap(
      Effect.callback<void>((resume) => {
        if (ticket.settled) return resume(Effect.void)
        const left = this.bound.at - this.now
        const entry = this.place.waits.add(this.fiber, this.now, Math.min(ticket.waitMillis, left), () => {
          // The place is given up in the same step, so that nobody grants it any more.
          const late = gate.abandon?.(this, ticket, this.clock.currentTimeMillisUnsafe())
          this.ticket = undefined
          ticket.notify = undefined
          resume(Effect.succeed(this.late(late, left <= ticket.waitMillis)))
        })
        ticket.notify = () => {
          this.place.waits.remove(entry)
          // By the scheduler: a queue of calls that end at once must not become a deep stack.
          this.fiber.currentDispatcher.scheduleTask(() => resume(Effect.void), 0)
        }
        return Effect.sync(() => this.place.waits.remove(entry))
      }),
      (): AnyCall => {
        if (this.lateRefusal !== undefined) return refused(this, this.lateRefusal)
        this.now = this.clock.currentTimeMillisUnsafe()
        this.ticket = undefined
        if (ticket.refusal !== undefined) return refused(this, ticket.refusal)
        if (!ticket.again) this.tokens.push(ticket.token)
        return this.bound.at <= this.now ? this.spent() : this.enter()
      }
    )
  }

  private lateRefusal: Refused | undefined

  private late(refusal: Refused | undefined, byDeadline: boolean): void {
    this.now = this.clock.currentTimeMillisUnsafe()
    this.lateRefusal = byDeadline || refusal === undefined ? this.deadlineRefusal() : refusal
  }

  private deadlineRefusal(): Refused {
    return refusal(this, { policy: this.bound.policy, reason: "DEADLINE_EXCEEDED" })
  }

  private spent(): AnyCall {
    return refused(this, this.deadlineRefusal())
  }

  /** The call is the downstream's from here on. */
  private send(): AnyCall {
    this.sentAt = this.now
    const limitMillis = this.place.limit?.limitMillis() ?? Number.POSITIVE_INFINITY
    const leftMillis = this.bound.at - this.now
    if (limitMillis === Number.POSITIVE_INFINITY && leftMillis === Number.POSITIVE_INFINITY && this.outliveMillis < 0) {
      return this.call
    }
    this.limitMillis = limitMillis
    return Effect.callback((resume) => {
      const child = forkBeside(this.childContext(), this.call)
      const done = child.pollUnsafe()
      if (done !== undefined) return resume(done)
      if (leftMillis <= limitMillis) {
        this.arm(leftMillis, () => {
          if (this.aloneMillis() <= 0) return this.expire("deadline", child)
          this.goOnAlone(child)
          resume(this.spent())
        })
      } else this.arm(limitMillis, () => this.expire("limit", child))
      child.addObserver((exit) => {
        this.disarm()
        this.done = exit
        if (this.abandoned) this.leave(this.judge(exit))
        else resume(this.outcome(exit))
      })
      return Effect.suspend(() => this.callerLeft(child))
    })
  }

  private childContext(): Context.Context<never> {
    const { context } = this.fiber
    return this.bound.at < this.fiber.getRef(Deadline) ? Context.add(context, Deadline, this.bound.at) : context
  }

  private arm(millis: number, due: () => void): void {
    if (millis === Number.POSITIVE_INFINITY) return
    this.entry = this.place.limits.add(this.fiber, this.now, millis, () => {
      this.entry = undefined
      this.now = this.clock.currentTimeMillisUnsafe()
      due()
    })
  }

  private disarm(): void {
    if (this.entry !== undefined) this.place.limits.remove(this.entry)
    this.entry = undefined
  }

  private expire(by: "limit" | "deadline", child: Child): void {
    this.expired = by
    child.interruptUnsafe(this.fiber.id)
  }

  /** What the caller gets: what really happened, or that it took too long. */
  private outcome(exit: AnyExit): AnyCall {
    if (this.expired === "no" || !isInterruption(exit)) return exit
    this.now = this.clock.currentTimeMillisUnsafe()
    return this.expired === "deadline" ? this.spent() : this.timedOut()
  }

  private timedOut(): AnyCall {
    const { limitMillis } = this
    const { row, limit } = this.place
    if (row.bus.active) {
      const { downstream, method } = row
      row.bus.emit({ _tag: "AttemptTimedOut", at: this.now, downstream, method, limitMillis })
    }
    return Effect.fail(TimedOut.make({ policy: limit?.policy ?? "", limitMillis }))
  }

  /** The caller was interrupted: so is the attempt, unless somebody wants to know how it ends. */
  private callerLeft(child: Child): Effect.Effect<void> {
    // It has ended, and its caller went away before it could be told; or it goes on alone already.
    if (this.done !== undefined || this.abandoned) return Effect.void
    this.disarm()
    this.now = this.clock.currentTimeMillisUnsafe()
    if (this.aloneMillis() <= 0) {
      // A probe that outlived its time has failed, whoever went away meanwhile.
      if (this.outliveMillis >= 0) this.expired = "limit"
      return interrupted(child, this.fiber.id)
    }
    this.goOnAlone(child)
    return Effect.void
  }

  /** For how long it may still go on without its caller. */
  private aloneMillis(): number {
    return Math.min(this.limitMillis, this.outliveMillis) - (this.now - this.sentAt)
  }

  private goOnAlone(child: Child): void {
    this.abandoned = true
    // The fiber's context ends with it.
    this.randomness = this.fiber.getRef(Random.Random)
    this.arm(this.aloneMillis(), () => this.expire("limit", child))
  }

  private judge(exit: AnyExit): Verdict {
    if (this.expired === "no" || !isInterruption(exit)) return verdictOf(exit)
    return this.expired === "limit" ? "timedOut" : "aborted"
  }

  ended(exit: AnyExit): undefined {
    // Whoever outlives its caller gives back when it ends.
    if (!this.abandoned) this.leave(this.done === undefined ? verdictOf(exit) : this.judge(this.done))
    return undefined
  }

  private leave(verdict: Verdict): void {
    const { gates, limit } = this.place
    const timed = limit?.ended !== undefined && this.sentAt >= 0
    if (gates.length === 0 && !timed) return
    const now = this.clock.currentTimeMillisUnsafe()
    if (timed) limit.ended?.(now - this.sentAt, verdict)
    const { ticket, tokens } = this
    if (ticket !== undefined) {
      this.ticket = undefined
      const gate = gates[tokens.length]
      if (ticket.token >= 0) gate?.leave(this, ticket.token, verdict, now, -1)
      else if (!ticket.settled) gate?.abandon?.(this, ticket, now)
    }
    for (let at = tokens.length - 1; at >= 0; at--) {
      gates[at]?.leave(this, tokens[at] ?? 0, verdict, now, this.sentAt)
    }
    tokens.length = 0
  }
}

const isInterruption = (exit: AnyExit): boolean =>
  Exit.isFailure(exit) && exit.cause.reasons.every((reason) => reason._tag === "Interrupt")

/** Interrupts a fiber and waits for its end, as Effect's own timeouts do. */
const interrupted = (child: Child, by: number): Effect.Effect<void> =>
  Effect.callback((resume) => {
    child.interruptUnsafe(by)
    child.addObserver(() => resume(Effect.void))
  })
