/**
 * One hedged call: the first attempt, and after a while a second beside it.
 *
 * The first that has something to say wins: an answer, a permanent outcome, or a
 * defect. A transient error or a refusal does not while another still runs, since
 * that one may answer. Who lost is interrupted, and the outcome waits for its
 * finalizers, so that nothing runs afterwards.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Result from "effect/Result"
import { Attempt } from "../Attempt.ts"
import type { Call } from "../Call.ts"
import type { Verdict } from "../Gate.ts"
import { Region } from "../Region.ts"
import { Beside } from "./beside.ts"
import { forkBeside } from "./fork.ts"
import type { Entry, Timers } from "./timers.ts"
import { verdictOf } from "./verdict.ts"

/** What the calls of one row have in common. */
export interface Hedging {
  readonly downstream: string
  readonly timers: Timers
  readonly hedgesMax: () => number
  /** The region of the extra attempts, `""` for the same. */
  readonly region: string
  /** Whether an extra attempt may be sent now; told when one is due. */
  readonly allowed: (now: number, delayMillis: number) => boolean
  /** An extra attempt has won. */
  readonly won: (now: number) => void
  /** How long the first attempt took, and how it ended. */
  readonly took: (now: number, millis: number, verdict: Verdict, delayMillis: number) => void
}

/** A call on its way; the entry in the list of timers as well. */
export class HedgeRace<A, T, P> implements Entry {
  at = 0
  below: Entry | undefined = undefined
  next: Entry | undefined = undefined
  previous: Entry | undefined = undefined
  listed: Entry["listed"] = "no"
  private readonly hedging: Hedging
  private readonly fiber: Fiber.Fiber<unknown, unknown>
  private readonly clock: Clock.Clock
  private readonly call: Call<A, T, P>
  private readonly delayMillis: number
  private readonly deadlineAt: number
  private readonly resume: (outcome: Exit.Exit<Result.Result<A, P>, T>) => void
  private readonly children = new Set<Fiber.Fiber<Result.Result<A, P>, T>>()
  private readonly beside: Beside
  private startedAt = 0
  private sent = 0
  private running = 0
  /** What is told if nobody wins: the last error, and a refusal only where there is no error. */
  private last: Exit.Exit<Result.Result<A, P>, T> | undefined = undefined
  private lastRefused = false
  private outcome: Exit.Exit<Result.Result<A, P>, T> | undefined = undefined
  private left: (() => void) | undefined = undefined

  constructor(
    hedging: Hedging,
    fiber: Fiber.Fiber<unknown, unknown>,
    call: Call<A, T, P>,
    delayMillis: number,
    deadlineAt: number,
    resume: (outcome: Exit.Exit<Result.Result<A, P>, T>) => void
  ) {
    this.hedging = hedging
    this.fiber = fiber
    this.clock = fiber.getRef(Clock.Clock)
    this.call = call
    this.delayMillis = delayMillis
    this.deadlineAt = deadlineAt
    this.resume = resume
    this.beside = { downstream: hedging.downstream, regions: [] }
  }

  /** Starts; what to do when the caller is interrupted. */
  begin(now: number): Effect.Effect<void> {
    this.startedAt = now
    this.launch()
    this.arm(now)
    return Effect.suspend(() => this.callerLeft())
  }

  /** Another attempt after the delay, unless the deadline comes first. */
  private arm(now: number): void {
    const more = this.outcome === undefined && this.sent <= this.hedging.hedgesMax()
    if (!more || now + this.delayMillis >= this.deadlineAt) return
    this.hedging.timers.add(this, this.fiber, this.clock, now, this.delayMillis)
  }

  due(): void {
    const now = this.clock.currentTimeMillisUnsafe()
    if (now >= this.deadlineAt || !this.hedging.allowed(now, this.delayMillis)) return
    this.launch()
    this.arm(now)
  }

  private launch(): void {
    const nth = this.sent++
    this.running++
    const child = forkBeside(this.contextOf(nth), this.call)
    const exit = child.pollUnsafe()
    if (exit !== undefined) this.ended(nth, exit)
    else {
      this.children.add(child)
      child.addObserver((exit) => {
        this.children.delete(child)
        this.ended(nth, exit)
      })
    }
  }

  private contextOf(nth: number): Context.Context<never> {
    const context = Context.add(this.fiber.context, Beside, this.beside)
    if (nth === 0) return context
    const numbered = Context.add(context, Attempt, this.fiber.getRef(Attempt) + nth)
    return this.hedging.region === "" ? numbered : Context.add(numbered, Region, this.hedging.region)
  }

  private ended(nth: number, exit: Exit.Exit<Result.Result<A, P>, T>): void {
    this.running--
    const verdict = verdictOf(exit)
    const now = this.clock.currentTimeMillisUnsafe()
    if (nth === 0) this.hedging.took(now, now - this.startedAt, verdict, this.delayMillis)
    if (this.left !== undefined || this.outcome !== undefined) this.tell()
    else if (decides(verdict)) {
      if (nth > 0 && verdict !== "died" && verdict !== "aborted") this.hedging.won(now)
      this.settle(exit)
    } else {
      if (this.counts(nth, verdict, now)) {
        this.last = exit
        this.lastRefused = verdict === "refused"
      }
      // Hedges are for what is slow; what fails is for a retry.
      this.hedging.timers.remove(this)
      if (this.running === 0) this.settle(this.last ?? exit)
    }
  }

  /** A refused extra attempt counts as never sent, except at the deadline: that one is the call's own. */
  private counts(nth: number, verdict: Verdict, now: number): boolean {
    if (verdict !== "refused" || this.last === undefined || now >= this.deadlineAt) return true
    return nth === 0 && this.lastRefused
  }

  private settle(exit: Exit.Exit<Result.Result<A, P>, T>): void {
    this.outcome = exit
    this.stop()
    this.tell()
  }

  private stop(): void {
    this.hedging.timers.remove(this)
    for (const child of [...this.children]) child.interruptUnsafe(this.fiber.id)
  }

  /** Tells the outcome, or that all have gone, once nothing runs any more. */
  private tell(): void {
    if (this.running > 0) return
    if (this.left !== undefined) this.left()
    else if (this.outcome !== undefined) this.resume(this.outcome)
  }

  private callerLeft(): Effect.Effect<void> {
    return Effect.callback((resume) => {
      this.left = () => resume(Effect.void)
      this.stop()
      this.tell()
    })
  }
}

/** Whether an outcome ends the call although another attempt still runs. */
const decides = (verdict: Verdict): boolean =>
  verdict === "answered" ||
  verdict === "permanent" ||
  verdict === "violated" ||
  verdict === "died" ||
  verdict === "aborted"
