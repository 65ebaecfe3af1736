/** A share of recent calls that may be spent on extra ones: retries, hedges. */
import { ByTime } from "./outcomes.ts"

/** Over how long the share is taken. */
const windowMillis = 10_000

/** How large it is, as the one who asks has it. */
export interface BudgetSize {
  /** Extra calls per call. */
  readonly budgetRatio: number
  /** So many extra calls per second on top. */
  readonly budgetPerSecond: number
}

/** A budget over the last 10 s. */
export class Budget {
  /** Calls, and among them as "failures" the extra ones that were granted. */
  private readonly window = new ByTime(windowMillis)

  /** A call that earns its share. */
  earn(now: number): void {
    this.window.record(now, false, false)
  }

  /** Takes one extra call, where there is one left. */
  take(now: number, { budgetRatio, budgetPerSecond }: BudgetSize): boolean {
    const { calls, failures } = this.window.sums(now)
    const allowed = budgetRatio * (calls - failures) + (budgetPerSecond * windowMillis) / 1000
    // A tenth of ten calls is one, whatever the sum of binary fractions says.
    if (failures + 1 > allowed + 1e-9) return false
    this.window.record(now, true, false)
    return true
  }
}
