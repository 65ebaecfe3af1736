/**
 * Calls, failures and slow calls of a recent past: the last so many milliseconds, or
 * the last so many calls. Both have a bounded memory, and can be resized while they
 * run without forgetting what they hold.
 */

/** Sums over a window. */
export interface Sums {
  readonly calls: number
  readonly failures: number
  readonly slow: number
}

/** A window, written and read with the current time in milliseconds since the epoch. */
export interface Outcomes {
  readonly record: (now: number, failed: boolean, slow: boolean) => void
  readonly sums: (now: number) => Sums
  readonly clear: () => void
  /** Puts what it holds into an empty window of the given size, as far as that one reaches back. */
  readonly copyTo: (next: Outcomes, size: number) => void
}

/** How many buckets a window by time has: it forgets in steps of a tenth of its length. */
export const bucketsPerWindow = 10

interface Bucket {
  epoch: number
  calls: number
  failures: number
  slow: number
}

/** The last `windowMillis`, in a fixed ring of buckets. */
export class ByTime implements Outcomes {
  private width: number
  private buckets: Array<Bucket>

  constructor(windowMillis: number) {
    this.width = Math.max(1, Math.ceil(windowMillis / bucketsPerWindow))
    this.buckets = emptyBuckets()
  }

  record(now: number, failed: boolean, slow: boolean): void {
    this.add(now, 1, failed ? 1 : 0, slow ? 1 : 0)
  }

  /** Records several outcomes at once. */
  add(now: number, calls: number, failures: number, slow: number): void {
    const epoch = Math.floor(now / this.width)
    const bucket = this.buckets[epoch % bucketsPerWindow]
    if (bucket === undefined) return
    if (bucket.epoch !== epoch) {
      bucket.epoch = epoch
      bucket.calls = bucket.failures = bucket.slow = 0
    }
    bucket.calls += calls
    bucket.failures += failures
    bucket.slow += slow
  }

  sums(now: number): Sums {
    const epoch = Math.floor(now / this.width)
    let calls = 0
    let failures = 0
    let slow = 0
    for (const bucket of this.buckets) {
      const age = epoch - bucket.epoch
      if (age < 0 || age >= bucketsPerWindow) continue
      calls += bucket.calls
      failures += bucket.failures
      slow += bucket.slow
    }
    return { calls, failures, slow }
  }

  clear(): void {
    this.buckets = emptyBuckets()
  }

  copyTo(next: Outcomes, size: number): void {
    const latest = Math.max(...this.buckets.map(({ epoch }) => epoch))
    const known = this.buckets
      .filter(({ calls, epoch }) => calls > 0 && latest - epoch < bucketsPerWindow)
      .sort((a, b) => a.epoch - b.epoch)
    for (const bucket of known) replay(next, bucket.epoch * this.width, bucket, size)
  }
}

/**
 * Records the outcomes of a bucket as if they came at its beginning. Their order is not known: the failures come
 * first, so that a window by count forgets them first. Where it is smaller than the bucket, the rates are kept.
 */
const replay = (next: Outcomes, at: number, { calls, failures, slow }: Sums, atMost: number): void => {
  if (next instanceof ByTime) {
    next.add(at, calls, failures, slow)
    return
  }
  const share = Math.min(1, atMost / calls)
  const kept = Math.round(calls * share)
  const keptFailures = Math.round(failures * share)
  const keptSlow = Math.round(slow * share)
  for (let nth = 0; nth < kept; nth++) next.record(at, nth < keptFailures, nth < keptSlow)
}

const emptyBuckets = (): Array<Bucket> =>
  Array.from({ length: bucketsPerWindow }, () => ({ epoch: -bucketsPerWindow, calls: 0, failures: 0, slow: 0 }))

const failedBit = 1
const slowBit = 2

/** The last `size` calls, however long ago they were. */
export class ByCount implements Outcomes {
  private readonly ring: Uint8Array
  private next = 0
  private calls = 0
  private failures = 0
  private slow = 0
  private latestAt = 0

  constructor(size: number) {
    this.ring = new Uint8Array(size)
  }

  record(now: number, failed: boolean, slow: boolean): void {
    const { ring, next } = this
    this.latestAt = now
    if (this.calls === ring.length) this.count(ring[next] ?? 0, -1)
    const bits = (failed ? failedBit : 0) | (slow ? slowBit : 0)
    ring[next] = bits
    this.count(bits, 1)
    this.next = next + 1 === ring.length ? 0 : next + 1
  }

  private count(bits: number, by: 1 | -1): void {
    this.calls += by
    if ((bits & failedBit) !== 0) this.failures += by
    if ((bits & slowBit) !== 0) this.slow += by
  }

  sums(): Sums {
    return { calls: this.calls, failures: this.failures, slow: this.slow }
  }

  clear(): void {
    this.next = this.calls = this.failures = this.slow = 0
  }

  copyTo(next: Outcomes): void {
    for (let age = this.calls; age > 0; age--) {
      const bits = this.ring[(this.next - age + this.ring.length) % this.ring.length] ?? 0
      // It knows only when the latest came: a window by time takes them all as of then.
      next.record(this.latestAt, (bits & failedBit) !== 0, (bits & slowBit) !== 0)
    }
  }
}
