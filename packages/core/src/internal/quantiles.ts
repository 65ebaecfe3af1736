/**
 * Quantiles of durations over a recent past, within a relative error of 2 %.
 *
 * A DDSketch (Masson, Rim, Lee: VLDB 2019): counts in buckets whose bounds grow by a
 * constant factor, so that the middle of a bucket is within the error of everything
 * in it. Two halves take turns: the current one is written, both are read, and the
 * older is cleared after half of the window. So it holds between one half and the whole of
 * the window, in a fixed memory, and a record costs a logarithm and an addition.
 */

/** The relative error of a quantile. */
export const relativeError = 0.02

const growth = (1 + relativeError) / (1 - relativeError)
const perBucket = 1 / Math.log(growth)

/** What is shorter is 0: the clock counts whole milliseconds. */
const leastMillis = 0.5
/** What is longer counts as this: an hour. */
const mostMillis = 3_600_000

const indexOf = (millis: number): number =>
  // The first bucket is for what is shorter than the least, and for what is no number.
  millis >= leastMillis ? 1 + Math.floor(Math.log(Math.min(millis, mostMillis) / leastMillis) * perBucket) : 0

const buckets = indexOf(mostMillis) + 1

/** The value within the error of everything in the bucket. */
const valueOf = (index: number): number =>
  index === 0 ? 0 : (leastMillis * growth ** (index - 1) * 2 * growth) / (1 + growth)

/** The durations of the last `windowMillis`; written and read with the current time. */
export class Quantiles {
  private current = new Uint32Array(buckets)
  private previous = new Uint32Array(buckets)
  private currentCount = 0
  private previousCount = 0
  /** The length of a half, and which one since the epoch is written now. */
  private half = 0
  private epoch = 0
  private readonly windowMillis: () => number

  constructor(windowMillis: () => number) {
    this.windowMillis = windowMillis
  }

  record(now: number, millis: number): void {
    this.turn(now)
    const index = indexOf(millis)
    this.current[index] = (this.current[index] ?? 0) + 1
    this.currentCount++
  }

  /** How many durations it holds. */
  count(now: number): number {
    this.turn(now)
    return this.currentCount + this.previousCount
  }

  /** The duration below which a share of them lies; nothing where it holds none. */
  quantile(now: number, share: number): number | undefined {
    const count = this.count(now)
    if (count === 0) return undefined
    let rank = Math.floor(share * (count - 1))
    for (let index = 0; index < buckets; index++) {
      rank -= (this.current[index] ?? 0) + (this.previous[index] ?? 0)
      if (rank < 0) return valueOf(index)
    }
    return undefined
  }

  private clear(): void {
    this.current.fill(0)
    this.previous.fill(0)
    this.currentCount = this.previousCount = 0
  }

  /** The halves change places when one is over; after a whole window without a word both are old. */
  private turn(now: number): void {
    const half = this.windowMillis() / 2
    const epoch = Math.floor(now / half)
    if (epoch === this.epoch && half === this.half) return
    // A clock that was set back and a window that was resized begin anew and forget nothing.
    if (half === this.half && epoch > this.epoch) {
      if (epoch > this.epoch + 1) this.clear()
      else this.swap()
    }
    this.half = half
    this.epoch = epoch
  }

  private swap(): void {
    const old = this.previous
    this.previous = this.current
    this.previousCount = this.currentCount
    this.current = old.fill(0)
    this.currentCount = 0
  }
}
