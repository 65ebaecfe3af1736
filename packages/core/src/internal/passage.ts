/**
 * The way of one attempt through the gates that stand next to each other, and back.
 *
 * What `enter` took is written down in the same synchronous block in which Effect
 * learns whom to tell of an interruption, so there is no step between the two in
 * which one could lose a permit.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import { Attempt as AttemptNumber } from "../Attempt.ts"
import type { Call } from "../Call.ts"
import { CallKey } from "../CallKey.ts"
import { Deadline } from "../Deadline.ts"
import { type Attempt, type Gate, Ticket, type Verdict } from "../Gate.ts"
import type { Form, Row } from "../Policy.ts"
import type { Refused } from "../Refused.ts"
import { refusal, refused } from "./refuse.ts"
import type { Entry, Timers } from "./timers.ts"

export type AnyCall = Call<unknown, unknown, unknown>
export type AnyExit = Exit.Exit<Result.Result<unknown, unknown>, unknown>
export type Limit = Extract<Form, { _tag: "Limit" }>

/** What the attempts of one place in a stack have in common. */
export interface Place {
  readonly row: Row
  readonly gates: ReadonlyArray<Gate>
  /** Those of them that add to the context of what runs within. */
  readonly telling: ReadonlyArray<Gate>
  readonly limit: Limit | undefined
  readonly limits: Timers
  readonly waits: Timers
}

/** A deadline that the stack keeps at its suspension points instead of with a fiber of its own: one for each call. */
export interface Bound {
  readonly at: number
  readonly policy: string
  /** Whether the bus was told that it came: of several attempts at once, the first tells it for the call. */
  told: boolean
}

/** No deadline of the stack's own. */
export const unbound: Bound = { at: Number.POSITIVE_INFINITY, policy: "", told: false }

/** The token of a gate that was left already. */
const left = -1

/**
 * One attempt on its way, as a state machine inside one asynchronous effect. What is
 * sent once all gates are passed is up to the class that extends it: the two share
 * one object, which is the entry in the list of timers and the effect of an
 * interruption as well, since each object per attempt costs as much as a gate.
 */
export abstract class Passage extends Effectable.Class<void> implements Attempt, Entry {
  readonly place: Place
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly bound: Bound
  readonly clock: Clock.Clock
  now = 0
  /** When it passed the last gate; -1 before. */
  protected sentAt = -1
  /** For how long it goes on when its caller goes away; -1 for not at all. */
  protected outliveMillis = -1
  at = 0
  below: Entry | undefined = undefined
  next: Entry | undefined = undefined
  previous: Entry | undefined = undefined
  listed: Entry["listed"] = "no"
  /** The tokens of the gates that were entered, outermost first; of its full size, since a growing array takes more. */
  private readonly tokens: Array<number>
  /** How many gates were entered. */
  private entered = 0
  private ticket: Ticket | undefined = undefined
  /** Whether the limit was told how it ended. */
  private told = false
  /** What its caller's fiber knew, once that may be gone. */
  private detached: Context.Context<never> | undefined = undefined
  /** How the call ends where a gate of somebody's own has thrown. */
  private broken: AnyCall | undefined = undefined

  constructor(place: Place, fiber: Fiber.Fiber<unknown, unknown>, bound: Bound) {
    super()
    this.place = place
    this.fiber = fiber
    this.bound = bound
    this.clock = fiber.getRef(Clock.Clock)
    this.tokens = new Array(place.gates.length)
  }

  get row(): Row {
    return this.place.row
  }

  get deadlineAt(): number {
    return Math.min(this.bound.at, Context.get(this.outer, Deadline))
  }

  get attempt(): number {
    return Context.get(this.outer, AttemptNumber)
  }

  key(): string {
    return Context.get(this.outer, CallKey)
  }

  random(): number {
    return Context.get(this.outer, Random.Random).nextDoubleUnsafe()
  }

  protected get outer(): Context.Context<never> {
    return this.detached ?? this.fiber.context
  }

  outlive(millis: number): void {
    this.outliveMillis = Math.max(this.outliveMillis, millis)
  }

  /** Keeps what an attempt needs that goes on without its caller, whose context ends with its fiber. */
  protected detach(): void {
    this.detached = this.fiber.context
  }

  /** The call is the downstream's from here on. */
  protected abstract send(): void

  /** Tells its caller, who hears the first outcome only. */
  protected abstract tell(outcome: AnyCall): void

  /** Its time is over while the downstream has it. */
  protected abstract expire(): void

  /** Ends the call for its caller: with the defect of a gate that has thrown, where one has. */
  protected end(outcome: AnyCall): void {
    this.tell(this.broken ?? outcome)
  }

  /** Goes on, and ends with the defect of a gate of somebody's own that throws: what was taken is given back. */
  protected advance(until = Number.POSITIVE_INFINITY): void {
    try {
      this.enter(until)
    } catch (defect) {
      this.breaks(defect)
      this.leave("died", false)
      this.end(Effect.die(defect))
    }
  }

  private breaks(defect: unknown): void {
    this.broken ??= Effect.die(defect)
  }

  /** Enters the gates from the next one on; all that do not make it wait in one synchronous block. */
  private enter(until: number): void {
    this.now = this.clock.currentTimeMillisUnsafe()
    if (this.bound.at <= this.now) this.refuse(this.deadlineRefusal())
    else if (this.passGates(until)) {
      this.sentAt = this.now
      this.send()
    }
  }

  /** Whether it is through; else it waits, at the first gate no longer than `until`, or has been refused. */
  private passGates(until: number): boolean {
    const { gates } = this.place
    const first = this.entered
    for (let at = first; at < gates.length; at++) {
      const admitted = gates[at]?.enter(this) ?? 0
      if (typeof admitted === "number") {
        this.tokens[this.entered++] = admitted
        continue
      }
      if (admitted instanceof Ticket) this.wait(admitted, at === first ? until : Number.POSITIVE_INFINITY)
      else this.refuse(admitted)
      return false
    }
    return true
  }

  private refuse(why: Refused): void {
    this.leave("refused", false)
    this.end(this.refusedWith(why))
  }

  private wait(ticket: Ticket, until: number): void {
    const millis = Math.max(0, Math.min(ticket.waitMillis, Math.min(until, this.bound.at) - this.now))
    this.ticket = ticket
    if (ticket.settled) {
      this.proceed(ticket, this.now + millis)
      return
    }
    this.place.waits.add(this, this.fiber, this.clock, this.now, millis)
    ticket.rearm = (millis) => this.rearm(ticket, millis)
    ticket.notify = () => {
      this.place.waits.remove(this)
      // By the scheduler: a queue of calls that end at once must not become a deep stack.
      this.fiber.currentDispatcher.scheduleTask(() => this.proceed(ticket, this.place.waits.dueAt(this)), 0)
    }
  }

  private rearm(ticket: Ticket, millis: number): void {
    if (this.ticket !== ticket || ticket.settled) return
    const now = this.clock.currentTimeMillisUnsafe()
    this.place.waits.remove(this)
    this.place.waits.add(this, this.fiber, this.clock, now, Math.min(millis, this.bound.at - now))
  }

  private proceed(ticket: Ticket, until: number): void {
    // Whoever went away meanwhile has handed it back.
    if (this.ticket !== ticket) return
    this.drop(ticket)
    if (ticket.refusal !== undefined) this.refuse(ticket.refusal)
    else {
      if (!ticket.again) this.tokens[this.entered++] = ticket.token
      // Who is sent to the same gate again waits there no longer than it was told the first time.
      this.advance(ticket.again ? until : Number.POSITIVE_INFINITY)
    }
  }

  /** The timer of a wait or of an attempt is due. */
  due(): void {
    this.now = this.clock.currentTimeMillisUnsafe()
    const { ticket } = this
    if (ticket === undefined) this.expire()
    else if (!this.waitsOn(ticket)) this.waitedTooLong(ticket)
  }

  /** Whether its gate has settled it now, or wants it to wait on. */
  private waitsOn(ticket: Ticket): boolean {
    const gate = this.place.gates[this.entered]
    if (gate?.due === undefined || this.bound.at <= this.now) return false
    try {
      gate.due(ticket, this.now)
    } catch (defect) {
      this.breaks(defect)
      return false
    }
    return ticket.settled || this.listed !== "no"
  }

  /** A gate may remember a ticket for a while, and must not hold the call by it. */
  private drop(ticket: Ticket): void {
    this.ticket = undefined
    ticket.notify = ticket.rearm = undefined
  }

  private waitedTooLong(ticket: Ticket): void {
    // The place is given up in the same step, so that nobody grants it any more.
    this.drop(ticket)
    const late = this.takenBack(ticket, this.now)
    const byDeadline = late === undefined || this.bound.at - this.now <= 0
    this.refuse(byDeadline ? this.deadlineRefusal() : late)
  }

  private deadlineRefusal(): Refused {
    return refusal(this, { policy: this.bound.policy, reason: "DEADLINE_EXCEEDED" })
  }

  /** Refuses it because its deadline has come. */
  protected spent(): AnyCall {
    return this.refusedWith(this.deadlineRefusal())
  }

  private refusedWith(why: Refused): AnyCall {
    if (why.reason !== "DEADLINE_EXCEEDED" || this.bound === unbound) return refused(this, why)
    if (this.bound.told) return Effect.succeed(Result.fail(why))
    this.bound.told = true
    return refused(this, why)
  }

  /**
   * Gives back what was taken, innermost first. With `stillRuns` the gates that hold a
   * permit for what runs keep it; they are left by a second call.
   */
  protected leave(verdict: Verdict, stillRuns: boolean): void {
    const { gates, limit } = this.place
    const timed = limit?.ended !== undefined && this.sentAt >= 0 && !this.told
    if (gates.length === 0 && !timed) return
    const now = this.clock.currentTimeMillisUnsafe()
    this.told = true
    if (timed) this.tellLimit(limit, verdict, now)
    if (this.ticket !== undefined) this.handBack(this.ticket, verdict, now)
    const { tokens } = this
    for (let at = this.entered - 1; at >= 0; at--) {
      const gate = gates[at]
      const token = tokens[at] ?? left
      if (gate === undefined || token === left || (stillRuns && gate.holds === true)) continue
      tokens[at] = left
      this.leaveGate(gate, token, verdict, now, this.sentAt)
    }
  }

  private tellLimit(limit: Limit, verdict: Verdict, now: number): void {
    try {
      limit.ended?.(now - this.sentAt, verdict, this, now)
    } catch (defect) {
      this.breaks(defect)
    }
  }

  /** The others are left, whatever a gate of somebody's own does. */
  private leaveGate(gate: Gate | undefined, token: number, verdict: Verdict, now: number, startedAt: number): void {
    try {
      gate?.leave(this, token, verdict, now, startedAt)
    } catch (defect) {
      this.breaks(defect)
    }
  }

  private takenBack(ticket: Ticket, now: number): Refused | undefined {
    try {
      return this.place.gates[this.entered]?.abandon?.(this, ticket, now)
    } catch (defect) {
      this.breaks(defect)
      return undefined
    }
  }

  /** A ticket that was granted or not, with nobody left to use it. */
  private handBack(ticket: Ticket, verdict: Verdict, now: number): void {
    this.drop(ticket)
    this.place.waits.remove(this)
    if (ticket.token >= 0) this.leaveGate(this.place.gates[this.entered], ticket.token, verdict, now, -1)
    else if (!ticket.settled) this.takenBack(ticket, now)
  }
}
