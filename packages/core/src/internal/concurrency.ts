/**
 * How many calls a downstream can bear at once, found from how long it takes.
 *
 * The time of a call is its service and, beyond what the downstream can do at once,
 * the wait in the downstream's queue. So the algorithm compares a recent time (the
 * mean of one window, about one round trip) with the time of an unloaded
 * downstream (`baseMillis`), once per window:
 *
 * - *gradient* (after Netflix's Gradient2): limit · clamp(0.5, 1, tolerance · base / recent)
 *   + √limit, smoothed.
 * - *vegas* (after TCP Vegas, Brakmo 1995): the estimated queue is
 *   limit · (1 − base / recent); grow below α, shrink above β.
 *
 * What differs from the named sources, and why:
 *
 * - The base does not follow a long mean while calls are held back by the limit. There a
 *   long mean learns the queue that the limit itself allows, and an overload that
 *   lasts lets the limit grow without end. Instead the limit is halved for one window in
 *   fifty: a queue of ours gets shorter by that, a downstream that has become slower
 *   by itself does not, and only then the base moves up.
 * - It grows only while it holds calls back. There it grows as soon as half of it is in
 *   use, up to twice of what runs in quiet times, which is no limit for a burst.
 * - Timeouts and "too much" shrink by half of their share in the window (as DCTCP does,
 *   RFC 8257), so that one timeout in a thousand is noise and a storm of them is not. The
 *   timeout of a call that was alone there (the probe of a circuit) takes nothing.
 *   What they took comes back by doubling up to three quarters, as TCP's slow start.
 * - The first size is found by doubling too, while calls are held back and times are
 *   short, up to the first drop: a new process meets the whole load at once, and step by
 *   step it would refuse half of it for seconds. It doubles only where it was full at half
 *   of a window's answers, or window after window for as long as a call takes: a small burst fills it for a
 *   moment, among times that say nothing of how long calls take while it is full. The base is an average of the first
 *   windows then, since that of one is mostly noise; it may learn some of the queue that
 *   the doubling made, and loses it again with the first shorter times.
 */
import type { Verdict } from "../Gate.ts"

/** The knobs, as they are now. */
export interface ConcurrencyValues {
  readonly algorithm: string
  readonly limitMin: number
  readonly limitMax: number
  readonly limitInitial: number
}

/** By how much the recent time may exceed the base before the limit shrinks (Netflix). */
const tolerance = 1.5
/** The weight of one window's finding (Netflix). */
const smoothing = 0.2
/** The gradient never takes more than this at once (Netflix). */
const gradientMin = 0.5
/** A window has as many outcomes as the limit, within these bounds: fewer are mostly noise (Netflix: 10). */
const windowCallsMin = 10
const windowCallsMax = 64
/** The weight of a window's time in the recent time: half of the noise, one window of delay. */
const recentWeight = 0.5
/** The weight of a window in the base, up: 600 calls (Netflix) in windows of ten. */
const upWeight = 1 / 60
/** Up at the floor, where few calls come back. */
const floorWeight = 1 / 5
/** So many windows make up the first base. */
const firstWindows = 8
/** Down it goes faster: a short time proves what the downstream can do. */
const downWeight = 1 / 20
/**
 * After so many windows in a row that were held back by the limit the base is measured
 * anew; after twice as many each time that nothing new was found, up to the second.
 */
const probeFirst = 8
const probeEvery = 64
/** A limit of half that makes times shorter by a quarter says that the queue was ours. */
const ourQueue = 0.75
/** One measurement moves the base up by at most this factor: others may fill the queue as well. */
const baseStep = 2
/** How much of what drops took comes back by doubling. TCP takes half; a limit that grows only where it holds back has less to spare. */
const backAtOnce = 0.75
/** The clock counts whole milliseconds: one more on both sides keeps its rounding out of the ratio. */
const clockMillis = 1

/** One limit that learns. It knows nothing of fibers, and a call is told to it only once it has ended. */
export class Concurrency {
  limit: number
  /** The time of an unloaded downstream and of the last window; 0 as long as none is known. */
  baseMillis = 0
  recentMillis = 0
  private learnt = false
  private readonly values: ConcurrencyValues
  private readonly times = new Float64Array(windowCallsMax)
  private answers = 0
  private drops = 0
  private peak = 0
  /** How many of the window's answers came while it was full. */
  private full = 0
  /** When it was last seen full, and since when it is, window after window; -1 for not. */
  private fullAt = -1
  private fullFrom = -1
  /** When a call last ended. */
  private endedAt = -1
  private windowAt = -1
  /** Up to where the limit doubles: at first, and after drops took it. */
  private doubleTo = 0
  /** Until the first drop it is looked for how far to go; that drop is the answer (TCP's ssthresh). */
  private searching = true
  private doubled = false
  /** How many windows were judged. */
  private windows = 0
  private heldBack = 0
  private probeAfter = probeFirst
  /** When the measurement with half of the limit began; -1 for none. */
  private probeAt = -1

  constructor(values: ConcurrencyValues) {
    this.values = values
    this.limit = clamp(values.limitInitial, values)
    // A new process meets the whole load at once: it looks for its first size as after an outage.
    this.doubleTo = values.limitMax
  }

  /** How many calls may run now. */
  get permits(): number {
    return Math.floor(this.probeAt < 0 ? this.limit : clamp(this.limit / 2, this.values))
  }

  /** The knobs were turned. */
  turned(): void {
    this.limit = clamp(this.limit, this.values)
    this.doubleTo = Math.min(this.doubleTo, this.values.limitMax)
  }

  /** One of so many running calls has ended. Only the downstream's own outcomes teach. */
  ended(verdict: Verdict, now: number, startedAt: number, running: number): void {
    if (running > this.peak) this.peak = running
    // Nobody was there with it from its beginning to its end: it says nothing of how many are too many.
    const alone = running <= 1 && this.endedAt <= startedAt
    this.endedAt = now
    if (startedAt < 0) return
    if (now < this.windowAt) this.turnedBack(now)
    // What began before the measurement has still waited in the longer queue.
    if (startedAt < this.probeAt) return
    if (verdict === "answered" || verdict === "permanent") {
      this.times[this.answers++ % windowCallsMax] = Math.max(0, now - startedAt)
      // Of those that come back at the same time only the first sees how many there were.
      if (running >= this.permits) {
        this.fullAt = now
        if (this.fullFrom < 0) this.fullFrom = now
      }
      if (this.fullAt === now) this.full++
    } else if (verdict === "overloaded" || (verdict === "timedOut" && !alone)) this.drops++
    else return
    if (this.windowAt < 0) this.windowAt = Math.min(startedAt, now)
    const enough = this.answers + this.drops >= this.windowCalls()
    if (enough && now - this.windowAt >= this.windowMillis()) this.close(now)
  }

  /** A clock that was set back must not hold the window open until it has caught up. */
  private turnedBack(now: number): void {
    this.windowAt = now
    this.probeAt = Math.min(this.probeAt, now)
    this.fullFrom = -1
  }

  private windowCalls(): number {
    const calls = Math.min(windowCallsMax, Math.max(windowCallsMin, this.limit))
    // The first to come back are the fastest: the first window takes more.
    if (!this.learnt) return 2 * calls
    // A few calls at a time must not take ten round trips to be judged, except by a measurement.
    return this.probeAt < 0 ? Math.min(calls, 2 * this.limit) : calls
  }

  private windowMillis(): number {
    // For the same reason a measurement takes longer, since it counts only what began within it.
    return this.probeAt < 0 ? this.recentMillis : 2 * this.recentMillis
  }

  /** Judges the window and begins the next. */
  private close(now: number): void {
    const { answers, drops } = this
    const heldBack = this.peak >= this.permits
    const used = this.peak * 2 >= this.permits
    if (answers > 0) {
      const before = this.recentMillis
      const found = typical(this.times.subarray(0, Math.min(answers, windowCallsMax)))
      // A measurement and the first window stand for themselves.
      const weight = this.probeAt >= 0 || !this.learnt ? 1 : recentWeight
      this.recentMillis += (found - before) * weight
      if (!this.learnt) this.baseMillis = found
      else if (this.probeAt >= 0) this.measured(before)
      else this.learn(heldBack)
      this.learnt = true
      this.windows++
    }
    if (drops > 0) this.shrink(drops / (answers + drops))
    else if (used && this.probeAt < 0) {
      const next = this.next(heldBack)
      // Where nobody waits there is nothing to gain: a limit far above what runs is none when a burst comes.
      if (next < this.limit || heldBack) this.limit = clamp(next, this.values)
    }
    // A window of drops alone measures nothing: the measurement goes on.
    if (answers > 0) this.probeAt = -1
    this.heldBack = heldBack ? this.heldBack + 1 : 0
    if (!heldBack) this.fullFrom = -1
    // At the floor the limit cannot be halved.
    if (this.heldBack > this.probeAfter && this.limit > this.values.limitMin) {
      this.heldBack = 0
      this.probeAfter = Math.min(probeEvery, 2 * this.probeAfter)
      this.probeAt = now
    }
    this.answers = this.drops = this.peak = this.full = 0
    this.windowAt = now
  }

  /** The base follows what was seen; up only where the limit held nobody back. */
  private learn(heldBack: boolean): void {
    const { recentMillis } = this
    // One window says little of the base, the first ones together say more.
    if (this.windows < firstWindows && recentMillis < tolerance * this.baseMillis) {
      this.baseMillis += (recentMillis - this.baseMillis) / 2
    } else if (recentMillis < this.baseMillis) this.baseMillis += (recentMillis - this.baseMillis) * downWeight
    // At the floor there is no queue of ours left to be learnt.
    else if (this.limit <= this.values.limitMin) this.rise(floorWeight)
    // Within the tolerance it is noise, which must not pull the base down only.
    else if (!heldBack || recentMillis < tolerance * this.baseMillis) this.rise(upWeight)
  }

  private rise(weight: number): void {
    const to = Math.min(this.recentMillis, this.baseMillis * baseStep + clockMillis)
    this.baseMillis += (to - this.baseMillis) * weight
  }

  /** What half of the limit says of the time before. */
  private measured(before: number): void {
    const { recentMillis } = this
    if (recentMillis <= before * ourQueue || recentMillis <= this.baseMillis) this.learn(true)
    else {
      if (recentMillis > this.baseMillis * tolerance) this.probeAfter = probeFirst
      this.rise(1)
    }
  }

  private shrink(share: number): void {
    // Else it would double for ever into a downstream that refuses at once, whose times stay short.
    // Half of where it has doubled to was enough; of where it began a drop says no more than any other.
    const known = this.searching ? 0 : this.doubleTo
    this.doubleTo = this.searching && this.doubled ? this.limit / 2 : Math.max(known, this.limit * backAtOnce)
    this.searching = false
    this.limit = clamp(this.limit * (1 - share / 2), this.values)
  }

  /** What drops took comes back at once; a size that was never reached must be needed for longer than a burst takes. */
  private get mayDouble(): boolean {
    const isFullFor = this.fullFrom < 0 ? 0 : this.fullAt - this.fullFrom
    return !this.searching || isFullFor >= Math.max(clockMillis, this.recentMillis) || this.full * 2 >= this.answers
  }

  private next(heldBack: boolean): number {
    const { limit } = this
    const ratio = (this.baseMillis + clockMillis) / (this.recentMillis + clockMillis)
    if (ratio * tolerance < 1) this.doubleTo = 0
    // Only a limit that holds calls back is known to be too low.
    else if (heldBack && this.doubleTo > limit && this.mayDouble) {
      this.doubled = true
      return Math.min(this.doubleTo, limit * 2)
    }
    return this.values.algorithm === "vegas" ? vegas(limit, ratio) : gradient(limit, ratio)
  }
}

const gradient = (limit: number, ratio: number): number => {
  const found = limit * Math.min(1, Math.max(gradientMin, tolerance * ratio)) + Math.sqrt(limit)
  return limit + (found - limit) * smoothing
}

/** α and β are three and six times log₁₀ of the limit, steps are that logarithm (Netflix). */
const vegas = (limit: number, ratio: number): number => {
  const step = Math.max(1, Math.log10(limit))
  const queue = limit * (1 - ratio)
  if (queue < 3 * step) return limit + step
  return queue > 6 * step ? limit - step : limit
}

const clamp = (limit: number, { limitMin, limitMax }: ConcurrencyValues): number =>
  Math.min(limitMax, Math.max(limitMin, limit))

/** The mean without the slowest tenth: a heavy tail is not a queue. */
const typical = (times: Float64Array): number => {
  times.sort()
  const kept = Math.ceil(times.length * 0.9)
  let sum = 0
  for (let nth = 0; nth < kept; nth++) sum += times[nth] ?? 0
  return sum / kept
}
