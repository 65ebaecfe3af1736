/** What is made of the outcomes of one build in one trace. */
import type { Used, Worked } from "./child.ts"
import type { Outcome } from "./load.ts"
import { phases } from "./settings.ts"
import type { Trace } from "./traces.ts"

export interface Measures {
  /** Worth of all answers in time, per arrival. */
  readonly goodput: number
  /** Shares of arrivals: all fresh in time, degraded in time, neither. */
  readonly fresh: number
  readonly degraded: number
  readonly failed: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
  /** Requests to the essential downstream per arrival, refused connections included. */
  readonly amplification: number
  /** The share of the essential downstream's work whose answer nobody waited for. */
  readonly wasted: number
  /** From the end of the fault until 99 % of a window are of full quality; infinite for not in this trace. */
  readonly recoveryMillis: number
  readonly cpuMicrosPerRequest: number
  /** How often the service gave which reason. */
  readonly reasons: Readonly<Record<string, number>>
  /** Worth per arrival in each {@link binMillis} of the trace. */
  readonly bins: ReadonlyArray<number>
}

export const binMillis = 250
const windowMillis = 1500
const stepMillis = 100

const quantile = (sorted: ReadonlyArray<number>, q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN

const share = (part: number, of: number): number => (of === 0 ? 0 : part / of)

/** Worth per arrival over the time of a trace; `NaN` where nobody came. */
export const binsOf = (outcomes: ReadonlyArray<{ readonly at: number; readonly weight: number }>): Array<number> => {
  const sums = Array.from({ length: Math.ceil(phases.end / binMillis) }, () => ({ weight: 0, count: 0 }))
  for (const { at, weight } of outcomes) {
    const bin = sums[Math.floor(at / binMillis)]
    if (bin === undefined) continue
    bin.weight += weight
    bin.count++
  }
  return sums.map(({ count, weight }) => weight / count)
}

const reasonsOf = (outcomes: ReadonlyArray<Outcome>): Record<string, number> => {
  const reasons: Record<string, number> = {}
  for (const { why } of outcomes) {
    const told = [...why.matchAll(/([\w-]+);quality=\w+[^,]*?reason=([\w-]+)/g)].map(
      ([, of, reason]) => `${of} ${reason}`
    )
    for (const reason of told.length === 0 && why !== "" ? [why] : told) reasons[reason] = (reasons[reason] ?? 0) + 1
  }
  return reasons
}

/** From this moment until 99 % of a window are of full quality. */
export const recovered = (outcomes: ReadonlyArray<Pick<Outcome, "at" | "full">>, from: number): number => {
  for (let at = from; at + windowMillis <= phases.end; at += stepMillis) {
    const seen = outcomes.filter((of) => of.at >= at && of.at < at + windowMillis)
    if (share(seen.filter(({ full }) => full).length, seen.length) >= 0.99) return at - from
  }
  return Number.POSITIVE_INFINITY
}

export const measure = (
  trace: Trace,
  all: ReadonlyArray<Outcome>,
  used: { readonly before: Used; readonly after: Used },
  { counts }: Worked
): Measures => {
  const counted = all.filter(({ at }) => at >= phases.countedFrom)
  const times = counted.map(({ millis }) => millis).sort((one, other) => one - other)
  const fresh = counted.filter(({ full }) => full).length
  const failed = counted.filter(({ weight }) => weight === 0).length
  return {
    goodput: share(
      counted.reduce((sum, { weight }) => sum + weight, 0),
      counted.length
    ),
    fresh: share(fresh, counted.length),
    degraded: share(counted.length - fresh - failed, counted.length),
    failed: share(failed, counted.length),
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    p999: quantile(times, 0.999),
    amplification: share(used.after.asked - used.before.asked, all.length),
    wasted: share(counts.wastedMillis, counts.workMillis),
    recoveryMillis: recovered(all, trace.until),
    cpuMicrosPerRequest: share(used.after.cpuMicros - used.before.cpuMicros, all.length),
    reasons: reasonsOf(counted),
    bins: binsOf(all)
  }
}
