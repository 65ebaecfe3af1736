/** Checks on what budgets grant: of retries, shared by a downstream, and of hedges, by each hedge alone. */
import { broken, type Check } from "../Check.ts"
import type { LivePolicy, Trace } from "../Trace.ts"

/** Over so long a budget is taken; its window has steps of up to a second. */
const budgetMillis = 10_000
const budgetStepMillis = 1000

const number = (policy: LivePolicy, knob: string): number => {
  const value = policy.knobs[knob]
  return typeof value === "number" ? value : 0
}

/** What one downstream may spend: a share of what it earns, and so much in any case. */
interface Grant {
  readonly downstream: string
  readonly what: string
  readonly ratio: number
  readonly reserve: number
  readonly earned: ReadonlyArray<number>
  readonly spent: ReadonlyArray<number>
}

/** The times of a downstream's signals of one kind. */
const timesOf = ({ signals }: Trace, downstream: string, tag: string, methods?: ReadonlySet<string>) =>
  signals.flatMap(({ at, signal }) =>
    signal._tag === tag && signal.downstream === downstream && (methods?.has(signal.method) ?? true) ? [at] : []
  )

/** Whether more was spent in any ten seconds than was granted; where a clock was set the window begins anew. */
const overspent = (trace: Trace, deadlineMillis: number, { earned, ratio, reserve, spent, ...of }: Grant) => {
  const jumps = (trace.plan.disturbances ?? []).flatMap(({ from, kind }) => (kind === "clockJump" ? [from] : []))
  let from = 0
  for (const [nth, at] of spent.entries()) {
    if (jumps.some((jump) => jump <= at && at <= jump + 2 * budgetMillis)) continue
    while ((spent[from] ?? at) < at - budgetMillis + budgetStepMillis) from++
    const granted = nth - from + 1
    if (granted <= reserve) continue
    const within = earned.filter(
      (when) => at - budgetMillis - budgetStepMillis <= when && when <= at + 2 * deadlineMillis
    ).length
    if (granted > reserve + ratio * within + 1) {
      return broken(
        `${of.downstream}: ${granted} ${of.what} in 10 s, with ${within} calls at ${ratio} and ${reserve} more`,
        at
      )
    }
  }
  return undefined
}

/** No more retries in any ten seconds than the budget grants. */
export const budgetHolds: Check = (trace, { deadlineMillis }) => {
  const retries = trace.policies.filter(({ kind, knobs }) => kind === "retry" && knobs["budget"] === true)
  for (const [downstream, policies] of Map.groupBy(retries, (of) => of.downstream)) {
    const methods = new Set(policies.map(({ method }) => method))
    const over = overspent(trace, deadlineMillis, {
      downstream,
      what: "retries",
      ratio: Math.max(...policies.map((of) => number(of, "budgetRatio"))),
      reserve: (Math.max(...policies.map((of) => number(of, "budgetPerSecond"))) * budgetMillis) / 1000,
      earned: timesOf(trace, downstream, "CallEnded", methods),
      spent: timesOf(trace, downstream, "RetryScheduled", methods)
    })
    if (over !== undefined) return over
  }
  return undefined
}

/** No more hedges in any ten seconds than their budgets grant; a hedge inside of a retry earns with each attempt. */
export const hedgesAreBudgeted: Check = (trace, { deadlineMillis }) => {
  const hedges = trace.policies.filter(({ kind }) => kind === "hedge")
  for (const [downstream, policies] of Map.groupBy(hedges, (of) => of.downstream)) {
    const over = overspent(trace, deadlineMillis, {
      downstream,
      what: "hedges",
      ratio: Math.max(...policies.map((of) => number(of, "budgetRatio"))),
      reserve: (policies.reduce((sum, of) => sum + number(of, "budgetPerSecond"), 0) * budgetMillis) / 1000,
      earned: [...timesOf(trace, downstream, "CallEnded"), ...timesOf(trace, downstream, "RetryScheduled")],
      spent: timesOf(trace, downstream, "Hedged")
    })
    if (over !== undefined) return over
  }
  return undefined
}
