/** A share of recent calls that may be spent on extra ones: retries, hedges. */
import { ByTime } from "./outcomes.ts"

/** Over how long the share is taken. */
const windowMillis = 10_000

/** A budget over the last 10 s. */
export class Budget {
  /** Calls, and among them as "failures" the extra ones that were granted. */
  private readonly window = new ByTime(windowMillis)
  private readonly ratio: () => number
  private readonly perSecond: () => number

  constructor(ratio: () => number, perSecond: () => number) {
    this.ratio = ratio
    this.perSecond = perSecond
  }

  /** A call that earns its share. */
  earn(now: number): void {
    this.window.record(now, false, false)
  }

  /** Takes one extra call, where there is one left. */
  take(now: number): boolean {
    const { calls, failures } = this.window.sums(now)
    const allowed = this.ratio() * (calls - failures) + (this.perSecond() * windowMillis) / 1000
    // A tenth of ten calls is one, whatever the sum of binary fractions says.
    if (failures + 1 > allowed + 1e-9) return false
    this.window.record(now, true, false)
    return true
  }
}
