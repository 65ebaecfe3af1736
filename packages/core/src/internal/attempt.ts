/**
 * One attempt: through the gates, under its time limit, and back.
 *
 * An effect runs in a fiber of its own, which can be interrupted apart from its
 * caller; a leaf is one promise and needs none. Either may outlive its caller where a
 * gate wants to know how it ends.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Result from "effect/Result"
import { Deadline } from "../Deadline.ts"
import type { Gate, Verdict } from "../Gate.ts"
import type { Interceptor, Row } from "../Policy.ts"
import * as TimedOut from "../TimedOut.ts"
import { forkBeside } from "./fork.ts"
import * as leaves from "./leaf.ts"
import { type AnyCall, type AnyExit, type Bound, type Limit, Passage, type Place, unbound } from "./passage.ts"
import { Timers } from "./timers.ts"
import { judgedBelow, ofRegions, verdictOf } from "./verdict.ts"

type Child = Fiber.Fiber<Result.Result<unknown, unknown>, unknown>
type Leaf = leaves.Leaf<Result.Result<unknown, unknown>, unknown>

/**
 * The function that sends a call through the gates and under the limit. `bound` is
 * the deadline that the stack has told it to keep.
 */
export const makeAttempt = (
  row: Row,
  gates: ReadonlyArray<Gate>,
  limit: Limit | undefined
): ((call: AnyCall, bound: Bound) => AnyCall) => {
  const telling = gates.filter(({ within }) => within !== undefined)
  const place: Place = { row, gates, telling, limit, limits: new Timers(), waits: new Timers() }
  return (call, bound) =>
    Effect.callback((resume) => {
      const fiber = Fiber.getCurrent()
      if (fiber === undefined) return resume(Effect.die("an attempt runs in a fiber"))
      return new Run(place, fiber, call, bound, resume).begin()
    })
}

/** The same as an interceptor that knows of no deadline of the stack. */
export const alone = (row: Row, gates: ReadonlyArray<Gate>, limit: Limit | undefined): Interceptor => {
  const attempt = makeAttempt(row, gates, limit)
  // It returns the call's own outcomes, a timeout or a refusal.
  return ((call: AnyCall) => attempt(call, unbound)) as Interceptor
}

class Run extends Passage implements leaves.Run {
  private readonly call: AnyCall
  private limitMillis = Number.POSITIVE_INFINITY
  private expired: "no" | "limit" | "deadline" = "no"
  /** Tells the caller, who hears the first outcome only. */
  private readonly resume: (outcome: AnyCall) => void
  /** The fiber that runs it; a leaf has none. */
  private child: Child | undefined = undefined
  private controller: AbortController | undefined = undefined
  /** How it ended. */
  private done: AnyExit | undefined = undefined
  /** Whether its caller was told. */
  private ended = false
  /** Whether it goes on without its caller. */
  private abandoned = false
  /** Whether a promise that was given up has not settled yet. */
  private stillRuns = false

  constructor(
    place: Place,
    fiber: Fiber.Fiber<unknown, unknown>,
    call: AnyCall,
    bound: Bound,
    resume: (outcome: AnyCall) => void
  ) {
    super(place, fiber, bound)
    this.call = call
    this.resume = resume
  }

  get signal(): AbortSignal {
    this.controller ??= new AbortController()
    // Who reads it only after the attempt was given up must not begin.
    if (this.stillRuns) this.controller.abort()
    return this.controller.signal
  }

  /**
   * Starts; what to do if the caller is interrupted, unless it has ended already: the attempt is that effect by itself,
   * since one made for each would be a tenth of what a call allocates, and nearly never run.
   */
  begin(): Effect.Effect<void> | undefined {
    this.advance()
    return this.ended ? undefined : this
  }

  asEffect(): Effect.Effect<void> {
    return this.callerLeft()
  }

  protected tell(outcome: AnyCall): void {
    this.ended = true
    this.resume(outcome)
  }

  protected send(): void {
    const { limit } = this.place
    if (limit !== undefined) this.limitMillis = limit.limitMillis(this)
    const opened = leaves.opened(this.call)
    if (opened instanceof leaves.Leaf) this.runLeaf(opened)
    else this.runEffect(opened)
    if (this.done === undefined) this.arm(Math.min(this.limitMillis, this.bound.at - this.now))
  }

  private runEffect(call: AnyCall): void {
    const child = forkBeside(this.context, call)
    const exit = child.pollUnsafe()
    if (exit !== undefined) this.finished(exit)
    else {
      this.child = child
      child.addObserver((exit) => this.finished(exit))
    }
  }

  /** What runs within sees: the caller's context, its deadline, and what the gates add. */
  get context(): Context.Context<never> {
    const { bound, outer } = this
    // Without a deadline of the stack's own nobody needs to look for the caller's.
    const sooner = bound !== unbound && bound.at < Context.get(outer, Deadline)
    let within = sooner ? Context.add(outer, Deadline, bound.at) : outer
    for (const gate of this.place.telling) within = gate.within?.(this, within) ?? within
    return within
  }

  private runLeaf(leaf: Leaf): void {
    try {
      leaf.run(this).then(
        (value) => this.settled(heard(leaf, "onValue", value)),
        (error) => this.settled(heard(leaf, "onError", error))
      )
    } catch (error) {
      this.settled(heard(leaf, "onError", error))
    }
  }

  /** The promise of a leaf has settled: in time, or after it was given up. */
  private settled(outcome: AnyCall): void {
    if (this.stillRuns) {
      this.stillRuns = false
      this.leave(this.judge(), false)
    } else if (isDone(outcome)) this.finished(outcome)
    else this.runEffect(outcome)
  }

  private finished(exit: AnyExit): void {
    this.place.limits.remove(this)
    this.done = exit
    this.leave(this.judge(), this.stillRuns)
    if (!this.ended) this.end(this.outcome(exit))
  }

  private arm(millis: number): void {
    if (millis === Number.POSITIVE_INFINITY) return
    this.place.limits.add(this, this.fiber, this.clock, this.now, Math.max(0, millis))
  }

  protected expire(): void {
    if (this.abandoned || this.limitMillis < this.bound.at - this.sentAt) this.giveUp("limit")
    else if (this.aloneMillis() <= 0) this.giveUp("deadline")
    else {
      this.goOnAlone()
      this.end(this.spent())
    }
  }

  /** Stops it: a fiber ends by itself, a promise may go on for a while. */
  private giveUp(by: "limit" | "deadline"): void {
    this.expired = by
    if (this.child !== undefined) this.child.interruptUnsafe(this.fiber.id)
    else {
      this.stillRuns = true
      this.detach()
      this.controller?.abort()
      this.finished(interruption)
    }
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
  private callerLeft(): Effect.Effect<void> {
    // It ended before, and its caller went away before it could go on; or it goes on alone already.
    if (this.ended) return Effect.void
    this.ended = true
    if (this.sentAt < 0) {
      this.leave("aborted", false)
      return Effect.void
    }
    this.place.limits.remove(this)
    this.now = this.clock.currentTimeMillisUnsafe()
    if (this.aloneMillis() > 0) {
      this.goOnAlone()
      return Effect.void
    }
    // A probe that outlived its time has failed, whoever went away meanwhile.
    if (this.outliveMillis >= 0) this.expired = "limit"
    if (this.child !== undefined) return interrupted(this.child, this.fiber.id)
    this.giveUp(this.expired === "limit" ? "limit" : "deadline")
    return Effect.void
  }

  /** For how long it may still go on without its caller. */
  private aloneMillis(): number {
    return Math.min(this.limitMillis, this.outliveMillis) - (this.now - this.sentAt)
  }

  private goOnAlone(): void {
    this.abandoned = true
    this.detach()
    this.arm(this.aloneMillis())
  }

  /** An attempt that was stopped for its limit timed out; for its deadline or its caller, it says nothing. */
  private judge(): Verdict {
    const { done, expired } = this
    if (done === undefined) return "aborted"
    if (expired === "no" || !isInterruption(done)) {
      const verdict = verdictOf(done)
      return judgedBelow(this.place.row) ? ofRegions(verdict) : verdict
    }
    return expired === "limit" ? "timedOut" : "aborted"
  }
}

/** Nobody listens to what is thrown where a promise settles: it would end the process, and the call never. */
const heard = (leaf: Leaf, by: "onValue" | "onError", of: unknown): AnyCall => {
  try {
    return leaf[by](of)
  } catch (defect) {
    return Exit.die(defect)
  }
}

/** How a promise that was given up has ended for those who waited. */
const interruption: AnyExit = Exit.interrupt()

/** An outcome that is there already, as most are, rather than an effect that finds it. */
const isDone = (outcome: AnyCall): outcome is AnyCall & AnyExit => Exit.isExit(outcome)

const isInterruption = (exit: AnyExit): boolean =>
  Exit.isFailure(exit) && exit.cause.reasons.every((reason) => reason._tag === "Interrupt")

/** Interrupts a fiber and waits for its end, as Effect's own timeouts do. */
const interrupted = (child: Child, by: number): Effect.Effect<void> =>
  Effect.callback((resume) => {
    child.interruptUnsafe(by)
    child.addObserver(() => resume(Effect.void))
  })
