/**
 * How hard to shed by the delay of the event loop: a level that rises by one step
 * while the delay stands and falls by one step per calm window.
 *
 * Between half of the threshold and the threshold it stays as it is, so that a
 * service at its limit does not flap. A single long turn (a garbage collection, a
 * module compiled at the first request) is one window and raises nothing.
 */

/** The knobs, as they are now. */
export interface DelayValues {
  readonly delayMaxMillis: number
  readonly delayCriticalMillis: number
  readonly delayWindowMillis: number
}

/** The level at which everything is shed. */
export const levelMax = 3

/** So many windows in a row must be over the threshold before the first step. */
const standing = 2
/** A window is calm below this share of the threshold. */
const calmShare = 0.5

/** The level, evaluated when somebody asks; nothing runs in between. */
export class DelayLevel {
  level = 0
  delayMillis = 0
  private over = 0
  private sampledAt = -1
  private readonly values: DelayValues
  private readonly read: () => number

  /** `read` gives the mean delay in milliseconds since it was asked last. */
  constructor(values: DelayValues, read: () => number) {
    this.values = values
    this.read = read
  }

  /** The level at this time. */
  at(now: number): number {
    // The first window, and one on a clock that was set back, begins here.
    if (this.sampledAt < 0 || now < this.sampledAt) {
      this.sampledAt = now
      this.read()
      return this.level
    }
    const windows = (now - this.sampledAt) / this.values.delayWindowMillis
    if (windows < 1) return this.level
    this.sampledAt = now
    this.delayMillis = this.read()
    this.judge(Math.floor(windows))
    return this.level
  }

  private judge(windows: number): void {
    const { delayCriticalMillis, delayMaxMillis } = this.values
    const { delayMillis } = this
    if (delayMillis > delayMaxMillis) {
      this.over++
      if (this.over >= standing) this.level = Math.min(levelMax, this.level + 1)
    } else {
      this.over = 0
      if (delayMillis < delayMaxMillis * calmShare) this.level = Math.max(0, this.level - windows)
    }
    if (this.level === levelMax && delayMillis <= delayCriticalMillis) this.level = levelMax - 1
  }
}
