/** How many calls may go, and when the next ones may: the two ways to count them, each for one key. */

/** The knobs that a meter counts by, as they are now. */
export interface MeterValues {
  readonly permits: number
  readonly windowMillis: number
  readonly burst: number
}

/** Counts calls. Times are milliseconds since the epoch; one that goes back gives nothing and takes nothing. */
export interface Meter {
  /** How many may go now; below zero where some were let go ahead of their time. */
  readonly free: (now: number) => number
  /** When the nth call from now may go, if none goes before `from`. */
  readonly freeAt: (now: number, nth: number, from: number) => number
  /** Counts a call, which may lie ahead. */
  readonly take: (at: number) => void
  /** Takes back a call that was counted at that time and not sent. */
  readonly giveBack: (at: number) => void
  /** How long until everything is free again. */
  readonly resetMillis: (now: number) => number
}

/**
 * A bucket of at most `burst` tokens that gains `permits` per window, evenly: over t
 * milliseconds never more than burst + t · permits / window calls.
 *
 * A token counts as `windowMillis` units and each millisecond brings `permits` of them,
 * so that with whole milliseconds all of it is exact: no rate is ever rounded.
 */
export class TokenBucket implements Meter {
  private readonly values: MeterValues
  private units: number
  private unitsPerToken: number
  private permits: number
  private at = Number.NEGATIVE_INFINITY

  constructor(values: MeterValues) {
    this.values = values
    this.unitsPerToken = values.windowMillis
    this.permits = values.permits
    this.units = this.full
  }

  private get full(): number {
    return this.values.burst * this.values.windowMillis
  }

  private refill(now: number): void {
    const { permits, windowMillis } = this.values
    if (windowMillis !== this.unitsPerToken) {
      this.units *= windowMillis / this.unitsPerToken
      this.unitsPerToken = windowMillis
    }
    // When a knob was turned meanwhile, nobody knows: the lower rate is never too much.
    if (now > this.at) this.units += (now - this.at) * Math.min(permits, this.permits)
    this.permits = permits
    this.units = Math.min(this.units, this.full)
    this.at = now
  }

  free(now: number): number {
    this.refill(now)
    return Math.floor(this.units / this.unitsPerToken)
  }

  freeAt(now: number, nth: number, from: number): number {
    this.refill(now)
    const { permits } = this.values
    const { full, unitsPerToken } = this
    let units = Math.min(full, this.units + (from - now) * permits)
    const after = (missing: number) => Math.max(0, Math.ceil(missing / permits))
    if (full >= unitsPerToken + permits) return from + after(nth * unitsPerToken - units)
    // So small a bucket is full before the millisecond is over in which its token is taken.
    let at = from
    for (let left = nth; left > 0; left--) {
      const millis = after(unitsPerToken - units)
      at += millis
      units = Math.min(full, units + millis * permits) - unitsPerToken
    }
    return at
  }

  take(): void {
    this.units -= this.unitsPerToken
  }

  giveBack(): void {
    this.units = Math.min(this.full, this.units + this.unitsPerToken)
  }

  resetMillis(now: number): number {
    this.refill(now)
    return Math.ceil((this.full - this.units) / this.values.permits)
  }
}

/** Above so many permits calls are counted together, so that the memory of a key has an end. */
const entriesMax = 128

/**
 * The calls of the last window, of which there are never more than `permits`: in no
 * window, wherever it begins.
 *
 * Each moment has an entry of its own. With more than 128 permits the calls of one
 * 128th of a window share the entry of the latest of them, which holds some for that
 * much longer and none for less.
 */
export class SlidingWindow implements Meter {
  private readonly values: MeterValues
  private times: Array<number> = []
  private counts: Array<number> = []
  /** Where the entries begin that are still within the window. */
  private head = 0
  private total = 0
  private seen = Number.NEGATIVE_INFINITY

  constructor(values: MeterValues) {
    this.values = values
  }

  private pass(now: number): void {
    if (now < this.seen) this.times = this.times.map((at) => at + now - this.seen)
    this.seen = now
    const { windowMillis } = this.values
    const { counts, times } = this
    while (this.head < times.length && (times[this.head] ?? 0) + windowMillis <= now) {
      this.total -= counts[this.head] ?? 0
      this.head++
    }
    if (this.head > entriesMax || this.head === times.length) {
      times.splice(0, this.head)
      counts.splice(0, this.head)
      this.head = 0
    }
  }

  free(now: number): number {
    this.pass(now)
    return this.values.permits - this.total
  }

  freeAt(now: number, nth: number, from: number): number {
    this.pass(now)
    const { permits, windowMillis } = this.values
    // Who goes now leaves the window one window later, and makes room for one more.
    const rounds = Math.floor((nth - 1) / permits)
    let mustLeave = this.total - permits + nth - rounds * permits
    let at = from
    for (let entry = this.head; mustLeave > 0 && entry < this.times.length; entry++) {
      mustLeave -= this.counts[entry] ?? 0
      at = Math.max(from, (this.times[entry] ?? 0) + windowMillis)
    }
    return at + rounds * windowMillis
  }

  take(at: number): void {
    this.total++
    const last = this.times.length - 1
    const latest = this.times[last]
    if (last >= this.head && latest !== undefined && this.together(latest, at)) {
      this.times[last] = Math.max(latest, at)
      this.counts[last] = (this.counts[last] ?? 0) + 1
    } else {
      this.times.push(at)
      this.counts.push(1)
    }
  }

  private together(one: number, other: number): boolean {
    const { permits, windowMillis } = this.values
    if (permits <= entriesMax) return one === other
    const slot = windowMillis / entriesMax
    return Math.floor(one / slot) === Math.floor(other / slot)
  }

  giveBack(at: number): void {
    let found = -1
    for (let entry = this.times.length - 1; entry >= this.head; entry--) {
      if ((this.times[entry] ?? 0) < at) break
      found = entry
    }
    // It may have left the window meanwhile.
    if (found < 0 || !this.together(this.times[found] ?? 0, at)) return
    this.total--
    this.counts[found] = (this.counts[found] ?? 0) - 1
    if (this.counts[found] !== 0) return
    this.times.splice(found, 1)
    this.counts.splice(found, 1)
  }

  resetMillis(now: number): number {
    this.pass(now)
    const latest = this.times.at(-1)
    return latest === undefined ? 0 : latest + this.values.windowMillis - now
  }
}
