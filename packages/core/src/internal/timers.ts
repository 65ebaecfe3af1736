/**
 * Many deadlines with one sleeper: a sorted list of due times and one fiber that
 * sleeps until the first of them.
 *
 * Calls of one policy mostly share a duration, so a new entry belongs at the end and
 * is put there without a search. A timer and two fibers for each call would cost
 * more than everything else in a stack.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import { forkBeside } from "./fork.ts"

/**
 * One due time, in milliseconds since the epoch. `due` is called once, unless the entry
 * is removed before. An entry is in one list at a time.
 */
export interface Entry {
  at: number
  due(): void
  next: Entry | undefined
  previous: Entry | undefined
  listed: boolean
}

/** The due times of one policy. */
export class Timers {
  private first: Entry | undefined
  private last: Entry | undefined
  private clock: Clock.Clock | undefined
  private context: Context.Context<never> = Context.empty()
  private sleeper: Fiber.Fiber<void> | undefined
  private wakesAt = Number.POSITIVE_INFINITY
  private latest = Number.NEGATIVE_INFINITY

  /** Adds an entry that is due so many milliseconds after `now`. The clock is the calling fiber's. */
  add(entry: Entry, fiber: Fiber.Fiber<unknown, unknown>, now: number, millis: number): void {
    this.attend(fiber)
    this.turnedBack(now)
    entry.at = now + millis
    entry.listed = true
    this.insert(entry)
    if (this.wakesAt > entry.at) this.sleepUntil(entry.at, now)
  }

  /** Forgets an entry. The sleeper sleeps on: it would cost more to wake it. */
  remove(entry: Entry): void {
    if (!entry.listed) return
    entry.listed = false
    if (entry.previous === undefined) this.first = entry.next
    else entry.previous.next = entry.next
    if (entry.next === undefined) this.last = entry.previous
    else entry.next.previous = entry.previous
    entry.next = entry.previous = undefined
  }

  private insert(entry: Entry): void {
    let before = this.last
    while (before !== undefined && before.at > entry.at) before = before.previous
    entry.previous = before
    entry.next = before === undefined ? this.first : before.next
    if (entry.next === undefined) this.last = entry
    else entry.next.previous = entry
    if (before === undefined) this.first = entry
    else before.next = entry
  }

  /** A policy lives in one program, so its callers share a clock and a scheduler: those of the first. */
  private attend(fiber: Fiber.Fiber<unknown, unknown>): void {
    const clock = fiber.getRef(Clock.Clock)
    if (clock === this.clock) return
    this.clock = clock
    this.context = Context.make(Clock.Clock, clock).pipe(
      Context.add(Scheduler.Scheduler, fiber.getRef(Scheduler.Scheduler))
    )
    this.wakesAt = Number.POSITIVE_INFINITY
    this.latest = Number.NEGATIVE_INFINITY
  }

  /** A clock that was set back must not make anybody wait for longer: what is listed moves with it. */
  private turnedBack(now: number): void {
    if (now < this.latest) {
      const by = now - this.latest
      for (let entry = this.first; entry !== undefined; entry = entry.next) entry.at += by
      this.wakesAt += by
    }
    this.latest = now
  }

  private sleepUntil(at: number, now: number): void {
    const earlier = this.sleeper
    this.sleeper = undefined
    earlier?.interruptUnsafe()
    this.wakesAt = at
    const { clock } = this
    if (clock === undefined) return
    const sleeper = forkBeside(this.context, clock.sleep(Duration.millis(Math.max(0, at - now))))
    this.sleeper = sleeper
    sleeper.addObserver(() => {
      if (this.sleeper !== sleeper) return
      const slept = this.wakesAt
      this.sleeper = undefined
      this.wakesAt = Number.POSITIVE_INFINITY
      this.wake(clock.currentTimeMillisUnsafe(), slept)
    })
  }

  private wake(now: number, slept: number): void {
    this.turnedBack(now)
    // It has slept for as long as the first was to wait, whatever a coarse or turned clock says.
    const due = Math.max(now, slept)
    for (let entry = this.first; entry !== undefined && entry.at <= due; entry = this.first) {
      this.remove(entry)
      entry.due()
    }
    if (this.first !== undefined && this.wakesAt > this.first.at) this.sleepUntil(this.first.at, now)
  }
}
