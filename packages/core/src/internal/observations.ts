/** What the calls of one method tell about its downstream, for health and `explain`. */
import type { Observed } from "../Health.ts"

/** Each answer moves the mean by this share. */
const weight = 1 / 32

/** Written by every call, so plain fields. */
export class Observations {
  /** How many calls came from within a retry of somebody else. */
  nestedRetries = 0
  /** The mean of recent answers in milliseconds; `undefined` before the first. */
  meanMillis: number | undefined = undefined
  private lastGoodAt: number | undefined = undefined
  private lastBadAt: number | undefined = undefined
  private lastReason: string | undefined = undefined

  good(now: number, tookMillis: number): void {
    this.lastGoodAt = now
    this.meanMillis =
      this.meanMillis === undefined ? tookMillis : this.meanMillis + (tookMillis - this.meanMillis) * weight
  }

  /** A final word is proof of health, but no measure of an answer's time. */
  permanent(now: number): void {
    this.lastGoodAt = now
  }

  bad(now: number, reason: string): void {
    this.lastBadAt = now
    this.lastReason = reason
  }

  get observed(): Observed {
    return {
      ...(this.lastGoodAt === undefined ? {} : { lastGoodAt: this.lastGoodAt }),
      ...(this.lastBadAt === undefined ? {} : { lastBadAt: this.lastBadAt }),
      ...(this.lastReason === undefined ? {} : { lastReason: this.lastReason })
    }
  }
}
