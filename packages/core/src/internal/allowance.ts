/**
 * What one key may send: its meter, who waits for it in order of arrival, and what the
 * provider has said.
 */
import { Ticket } from "../Gate.ts"
import type { Quota } from "../Quota.ts"
import { type Meter, type MeterValues, SlidingWindow, TokenBucket } from "./meter.ts"

/** The knobs, as they are now. */
export interface AllowanceValues extends MeterValues {
  readonly algorithm: string
  readonly waitMaxMillis: number
  readonly pauseMaxMillis: number
}

/** The token of a call that was not counted. */
export const uncounted = 0

/** A call that waits for its turn. */
export class Waiter extends Ticket {
  readonly of: Allowance
  readonly since: number

  constructor(of: Allowance, since: number, waitMillis: number) {
    super(waitMillis)
    this.of = of
    this.since = since
  }
}

/** The allowance of one key. */
export class Allowance {
  private readonly values: AllowanceValues
  private readonly meter: Meter
  private readonly queue = new Set<Waiter>()
  /** Calls that were counted and have not ended. */
  private running = 0
  /** What the provider has left for us, until its reset. */
  private granted = Number.POSITIVE_INFINITY
  private grantedUntil = Number.NEGATIVE_INFINITY
  /** Whether it has said itself that nothing is left. */
  private spent = false

  constructor(values: AllowanceValues) {
    this.values = values
    this.meter = values.algorithm === "token-bucket" ? new TokenBucket(values) : new SlidingWindow(values)
  }

  get waiting(): number {
    return this.queue.size
  }

  /** Whether it must not be forgotten: somebody waits, or something is counted. */
  holdsAt(now: number): boolean {
    return this.queue.size > 0 || now < this.grantedUntil || this.meter.resetMillis(now) > 0
  }

  /** How many calls may go at this moment. */
  remaining(now: number): number {
    return Math.max(0, Math.min(this.meter.free(now), this.leftByProvider(now)))
  }

  /** How long until all of it is free again. */
  resetMillis(now: number): number {
    return Math.max(this.meter.resetMillis(now), this.granted <= 0 ? this.grantedUntil - now : 0, 0)
  }

  private leftByProvider(now: number): number {
    return now < this.grantedUntil ? this.granted : Number.POSITIVE_INFINITY
  }

  /** Counts a call where one may go and nobody waits before it: its token, or nothing. */
  tryTake(now: number): number | undefined {
    return this.queue.size === 0 && this.remaining(now) > 0 ? this.take(now) : undefined
  }

  /** Counts a call at a time that may lie ahead. */
  take(at: number): number {
    this.meter.take(at)
    this.granted--
    this.running++
    return at + 1
  }

  /** After how many milliseconds the next call that comes may go. */
  waitMillis(now: number): number {
    return this.waitOf(this.queue.size + 1, now)
  }

  private waitOf(nth: number, now: number): number {
    const from = nth > this.leftByProvider(now) ? this.grantedUntil : now
    return this.meter.freeAt(now, nth, from) - now
  }

  /** Waits behind the others. */
  wait(now: number, waitMillis: number): Waiter {
    const waiter = new Waiter(this, now, waitMillis)
    this.queue.add(waiter)
    return waiter
  }

  /** The time of a waiter has come: it goes, or waits on where its turn has moved, but for no longer than it may. */
  due(waiter: Waiter, now: number): void {
    this.serve(now)
    if (waiter.settled || !this.queue.has(waiter)) return
    const left = this.waitOf([...this.queue].indexOf(waiter) + 1, now)
    if (now + left - waiter.since <= this.values.waitMaxMillis) waiter.rearm?.(Math.max(1, left))
  }

  /** A waiter went away; those behind it move up. */
  forget(waiter: Waiter, now: number): void {
    const [first] = this.queue
    if (this.queue.delete(waiter) && first === waiter) this.remindFirst(now)
  }

  /** A call has ended. One that was never sent is counted no more. */
  ended(token: number, now: number, sent: boolean): void {
    // A call that another allowance counted, before keys were turned on or off, gives nothing back here.
    if (token === uncounted || this.running === 0) return
    this.running--
    if (sent) return
    this.meter.giveBack(token - 1)
    this.granted++
    this.serve(now)
  }

  /**
   * The provider has said what it has left. What else is on its way may not be counted
   * there yet, so it is taken off; the answers that follow put it right. Once nothing is
   * left, an answer that was overtaken changes nothing. Whether this stops us anew.
   */
  learn({ remaining, resetMillis }: Quota, now: number): boolean {
    const until = now + Math.min(resetMillis ?? this.values.windowMillis, this.values.pauseMaxMillis)
    const spent = remaining <= 0
    if (this.spent && now < this.grantedUntil) {
      if (spent) this.grantedUntil = Math.max(this.grantedUntil, until)
      return false
    }
    this.spent = spent
    this.granted = spent ? 0 : Math.max(0, Math.floor(remaining) - Math.max(0, this.running - 1))
    this.grantedUntil = until
    return spent
  }

  /** The knobs were turned: who waits first looks again at once, or all go where there is no limit any more. */
  turned(limits: boolean): void {
    if (limits) {
      const [first] = this.queue
      first?.rearm?.(0)
      return
    }
    for (const waiter of this.queue) waiter.grant(uncounted)
    this.queue.clear()
  }

  private serve(now: number): void {
    let served = false
    for (const waiter of this.queue) {
      if (this.remaining(now) <= 0) break
      this.queue.delete(waiter)
      waiter.grant(this.take(now))
      served = true
    }
    if (served) this.remindFirst(now)
  }

  /** The one in front is woken when its turn comes, which may be earlier than when it arrived. */
  private remindFirst(now: number): void {
    const [first] = this.queue
    first?.rearm?.(Math.max(0, this.waitOf(1, now)))
  }
}
