/**
 * Many deadlines with one sleeper: due times in order and one fiber that sleeps until
 * the first of them.
 *
 * Calls of one policy mostly share a duration, so a new entry belongs at the end of a
 * sorted list, or close to it, and is put there without a search. What does not, as
 * where each caller brings a deadline of its own, goes to a heap beside the list, so
 * that nobody's durations make the others search. A timer and two fibers for each
 * call would cost more than everything else in a stack.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import { forkBeside } from "./fork.ts"
import { type Node, PairingHeap } from "./pairingHeap.ts"

/**
 * One due time, in milliseconds of a clock that never goes back. `due` is called once,
 * unless the entry is removed before. An entry is in one `Timers` at a time, and its
 * fields belong to that.
 */
export interface Entry extends Node<Entry> {
  at: number
  due(): void
  listed: "no" | "sorted" | "heap"
}

/**
 * It sleeps for no longer than this at once: where nobody waits any more, a sleeper must not keep a program from its
 * end until a deadline of minutes is over.
 */
const napMillis = 1000

/** So many entries are passed in the list before the heap takes a new one. */
const stepsMax = 8

/** The due times of one policy. */
export class Timers {
  private first: Entry | undefined
  private last: Entry | undefined
  private clock: Clock.Clock | undefined
  private context: Context.Context<never> = Context.empty()
  private sleeper: Fiber.Fiber<void> | undefined
  private readonly heap = new PairingHeap<Entry>()
  private wakesAt = Number.POSITIVE_INFINITY
  /** By how much the clock was set back in all. */
  private setBack = 0
  private latest = Number.NEGATIVE_INFINITY

  /** Adds an entry that is due so many milliseconds after `now`. The clock is the calling fiber's, which was asked for that. */
  add(entry: Entry, fiber: Fiber.Fiber<unknown, unknown>, clock: Clock.Clock, now: number, millis: number): void {
    if (clock !== this.clock) this.attend(fiber, clock)
    this.turnedBack(now)
    entry.at = now + this.setBack + millis
    this.insert(entry)
    if (this.wakesAt > entry.at) this.sleepUntil(entry.at, now)
  }

  /** When an entry is or was due, in milliseconds since the epoch. */
  dueAt(entry: Entry): number {
    return entry.at - this.setBack
  }

  /** Forgets an entry. The sleeper sleeps on: it would cost more to wake it. */
  remove(entry: Entry): void {
    const { listed } = entry
    entry.listed = "no"
    if (listed === "heap") this.heap.remove(entry)
    else if (listed === "sorted") this.unlink(entry)
  }

  private unlink(entry: Entry): void {
    if (entry.previous === undefined) this.first = entry.next
    else entry.previous.next = entry.next
    if (entry.next === undefined) this.last = entry.previous
    else entry.next.previous = entry.previous
    entry.next = entry.previous = undefined
  }

  private insert(entry: Entry): void {
    let before = this.last
    for (let steps = 0; before !== undefined && before.at > entry.at; steps++) {
      if (steps === stepsMax) {
        entry.listed = "heap"
        this.heap.add(entry)
        return
      }
      before = before.previous
    }
    entry.listed = "sorted"
    entry.previous = before
    entry.next = before === undefined ? this.first : before.next
    if (entry.next === undefined) this.last = entry
    else entry.next.previous = entry
    if (before === undefined) this.first = entry
    else before.next = entry
  }

  /** A policy lives in one program, so its callers share a clock and a scheduler: those of the first. */
  private attend(fiber: Fiber.Fiber<unknown, unknown>, clock: Clock.Clock): void {
    this.clock = clock
    this.context = Context.make(Clock.Clock, clock).pipe(
      Context.add(Scheduler.Scheduler, fiber.getRef(Scheduler.Scheduler))
    )
    this.wakesAt = Number.POSITIVE_INFINITY
    this.latest = Number.NEGATIVE_INFINITY
  }

  /** A clock that was set back must not make anybody wait for longer. */
  private turnedBack(now: number): void {
    if (now < this.latest) this.setBack += this.latest - now
    this.latest = now
  }

  private earliest(): Entry | undefined {
    const { first } = this
    const { least } = this.heap
    return first === undefined || (least !== undefined && least.at < first.at) ? least : first
  }

  private sleepUntil(at: number, now: number): void {
    const earlier = this.sleeper
    this.sleeper = undefined
    earlier?.interruptUnsafe()
    const nap = Math.min(Math.max(0, at - this.setBack - now), napMillis)
    this.wakesAt = Math.min(at, now + this.setBack + nap)
    const { clock } = this
    if (clock === undefined) return
    const sleeper = forkBeside(this.context, clock.sleep(Duration.millis(nap)))
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
    const due = Math.max(now + this.setBack, slept)
    let entry = this.earliest()
    for (; entry !== undefined && entry.at <= due; entry = this.earliest()) {
      this.remove(entry)
      entry.due()
    }
    if (entry !== undefined && this.wakesAt > entry.at) this.sleepUntil(entry.at, now)
  }
}
