/**
 * How long an attempt may take, found from how long attempts take: a quantile of the
 * recent past times a factor, between a floor and a ceiling.
 *
 * What it must not learn, and how it does not:
 *
 * - *Its own cut-offs.* Of an attempt that timed out only the least is known: it would
 *   have taken longer than the limit. Left out, the quantile of the rest would fall,
 *   and the limit after it, cut by cut. So it counts as long as the limit at least: as
 *   soon as more are cut than the quantile leaves out, the quantile is the limit itself,
 *   and the limit times a factor above 1 is more than before.
 * - *Calls that were given up* (a hedge's loser, a caller who left): the same, as far as
 *   they took longer than the quantile; those that went early say nothing.
 * - *An outage.* While a fifth of what ends has failed, nothing moves. A breaker that
 *   opens goes with this and needs not be asked. But where it is mostly its own limit
 *   that fails them, this may as well be a limit that no longer fits: after a minute of
 *   that it goes up, step by step, to the ceiling at most.
 */
import type { Verdict } from "../Gate.ts"
import { ByTime } from "./outcomes.ts"
import { Quantiles } from "./quantiles.ts"

/** The knobs, as they are now. */
export interface TimeLimitValues {
  readonly limitMillis: number
  readonly floorMillis: number
  readonly quantile: number
  readonly factor: number
  readonly minimumCalls: number
  readonly windowMillis: number
}

/** It moves at most so often, and by at most so much at once. */
const stepMillis = 10_000
const stepShare = 0.2
/** Over so long outcomes are counted, and with such a share of failures nothing is learnt. */
const failuresMillis = 10_000
const failureShareMax = 0.2
/** After so long of mostly its own timeouts it goes up. */
const stuckMillis = 60_000

/** The limit, told of each attempt that has ended. */
export class TimeLimit {
  millis: number
  quantileMillis = 0
  frozen = false
  private readonly values: TimeLimitValues
  private readonly times: Quantiles
  /** Outcomes; among them failures, and as "slow" ones those that this limit cut. */
  private readonly outcomes = new ByTime(failuresMillis)
  private steppedAt = -1
  private stuckSince = -1

  constructor(values: TimeLimitValues) {
    this.values = values
    this.times = new Quantiles(() => values.windowMillis)
    // Nothing is known yet, and a limit that is too short does more harm than one that is too long.
    this.millis = values.limitMillis
  }

  count(now: number): number {
    return this.times.count(now)
  }

  /** The knobs were turned. */
  turned(): void {
    this.millis = this.clamped(this.millis)
  }

  ended(millis: number, verdict: Verdict, now: number): void {
    switch (verdict) {
      case "answered":
      case "permanent":
        this.times.record(now, millis)
        this.outcomes.record(now, false, false)
        break
      case "timedOut":
        this.times.record(now, Math.max(millis, this.millis))
        this.outcomes.record(now, true, true)
        break
      case "aborted":
        if (millis > this.quantileMillis) this.times.record(now, millis)
        return
      case "failed":
      case "overloaded":
      case "violated":
        this.outcomes.record(now, true, false)
        break
      default:
        return
    }
    this.step(now)
  }

  private step(now: number): void {
    // The first step waits as long as any other; a clock that was set back begins anew.
    if (this.steppedAt < 0 || now < this.steppedAt) this.steppedAt = now
    if (now - this.steppedAt < stepMillis) return
    this.steppedAt = now
    const { calls, failures, slow } = this.outcomes.sums(now)
    this.frozen = failures > calls * failureShareMax
    if (this.frozen) this.unstick(now, slow > failures / 2)
    else {
      this.stuckSince = -1
      this.follow(now)
    }
  }

  private follow(now: number): void {
    const { factor, minimumCalls, quantile } = this.values
    if (this.times.count(now) < minimumCalls) return
    this.quantileMillis = this.times.quantile(now, quantile) ?? 0
    this.moveTo(this.quantileMillis * factor)
  }

  private unstick(now: number, byItself: boolean): void {
    if (!byItself) this.stuckSince = -1
    else if (this.stuckSince < 0) this.stuckSince = now
    else if (now - this.stuckSince >= stuckMillis) this.moveTo(Number.POSITIVE_INFINITY)
  }

  private moveTo(millis: number): void {
    const { millis: from } = this
    const step = Math.min(from * (1 + stepShare), Math.max(from * (1 - stepShare), millis))
    this.millis = this.clamped(step)
  }

  private clamped(millis: number): number {
    const { floorMillis, limitMillis } = this.values
    return Math.min(limitMillis, Math.max(floorMillis, millis))
  }
}
