/** What the calls of one method tell about its downstream, for health and `explain`. */
import type { Observed } from "../Health.ts"
import type { Seen } from "../Signal.ts"
import { ByTime } from "./outcomes.ts"

/** Each answer moves the mean by this share. */
const weight = 1 / 32

/** Two windows of the same rate tell a spike from an outage that stays. */
const shortMillis = 10_000
const longMillis = 300_000
const high = 0.1

/** Written by every call, so plain fields. */
export class Observations {
  /** How many calls came from within a retry of somebody else. */
  nestedRetries = 0
  /** The mean of recent answers in milliseconds; `undefined` before the first. */
  meanMillis: number | undefined = undefined
  private lastGoodAt: number | undefined = undefined
  private lastBadAt: number | undefined = undefined
  private lastReason: string | undefined = undefined
  private failingSince: number | undefined = undefined
  private readonly short = new ByTime(shortMillis)
  private readonly long = new ByTime(longMillis)

  good(now: number, tookMillis: number): void {
    this.permanent(now)
    this.meanMillis =
      this.meanMillis === undefined ? tookMillis : this.meanMillis + (tookMillis - this.meanMillis) * weight
  }

  /** A final word is proof of health, but no measure of an answer's time. */
  permanent(now: number): void {
    this.lastGoodAt = now
    this.failingSince = undefined
    this.record(now, false)
  }

  bad(now: number, reason: string): void {
    this.lastBadAt = now
    this.lastReason = reason
    this.failingSince ??= now
    this.record(now, true)
  }

  /** How its calls went of late, as of `now`. */
  seen(now: number): Seen {
    const errorRate = rateOf(this.short, now)
    const errorRateLong = rateOf(this.long, now)
    const { meanMillis } = this
    return {
      errorRate,
      errorRateLong,
      ...(meanMillis === undefined ? {} : { meanMillis }),
      outage:
        errorRate >= high
          ? errorRateLong >= high
            ? "persistent"
            : "spike"
          : errorRateLong >= high
            ? "recovering"
            : "none"
    }
  }

  private record(now: number, failed: boolean): void {
    this.short.record(now, failed, false)
    this.long.record(now, failed, false)
  }

  get observed(): Observed {
    return {
      ...(this.lastGoodAt === undefined ? {} : { lastGoodAt: this.lastGoodAt }),
      ...(this.lastBadAt === undefined ? {} : { lastBadAt: this.lastBadAt }),
      ...(this.lastReason === undefined ? {} : { lastReason: this.lastReason }),
      ...(this.failingSince === undefined ? {} : { failingSince: this.failingSince })
    }
  }
}

const rateOf = (window: ByTime, now: number): number => {
  const { calls, failures } = window.sums(now)
  return calls === 0 ? 0 : failures / calls
}
