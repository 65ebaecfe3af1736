/** Runs a case and says which promise it breaks, if any. */
import type { Broken, Check, Promises } from "../Check.ts"
import { owed } from "../checks/requests.ts"
import * as Trace from "../Trace.ts"
import { type Case, run, type Setup } from "./run.ts"

/** A broken promise. */
export interface Violation extends Broken {
  readonly rule: string
}

/** A case that was run. */
export interface Judged {
  readonly trace: Trace.Trace
  readonly violation: Violation | undefined
}

/** What is judged by, apart from recovery. */
export interface Rules {
  readonly checks: Readonly<Record<string, Check>>
  readonly promises: Promises
  /** Whether each case is run twice and compared. */
  readonly deterministic: boolean
}

/** The rule of recovery, judged against the same run without faults. */
export const recovery = "full quality is back in time"

/** The rule that a run must be repeatable. */
export const repeatable = "the same seed gives the same run"

/** The same without faults. */
export const controlOf = (of: Case): Case => ({ ...of, plan: { faults: [] } })

const bad = (of: Trace.Request) => Trace.badness(of) > 0

/** One moment at which a burst was too large is no lack of recovery; a share of a kind at several moments is. */
const lateShare = 0.2
const lateMoments = 3

const recovered = (setup: Setup, of: Case, trace: Trace.Trace, promises: Promises): Broken | undefined => {
  const due = owed(trace.requests, trace.faultsEndAt, promises)
  if (!due.some(bad)) return undefined
  const control = new Map(run(setup, controlOf(of)).requests.map((request) => [request.id, Trace.badness(request)]))
  for (const requests of Map.groupBy(due, ({ name }) => name).values()) {
    const worse = requests.filter((request) => Trace.badness(request) > (control.get(request.id) ?? 0))
    const moments = new Set(worse.map(({ at }) => at)).size
    const [first] = worse
    if (first === undefined || moments < lateMoments || worse.length < lateShare * requests.length) continue
    const how = first.outcome === "answered" ? first.quality : `${first.outcome} (${first.detail})`
    const after = Math.round(first.at - trace.faultsEndAt)
    return {
      detail: `${after} ms after the last fault ${first.name} is still ${how}, ${worse.length} of ${requests.length} from then on; without faults they are better`,
      at: first.endedAt ?? first.at,
      request: first.id
    }
  }
  return undefined
}

const firstDifference = (a: Trace.Trace, b: Trace.Trace): Broken | undefined => {
  const [one, other] = [Trace.lines(a), Trace.lines(b)]
  const at = one.findIndex((line, nth) => line !== other[nth])
  if (at < 0 && one.length === other.length) return undefined
  return {
    detail: `line ${at + 1} of the trace is "${one[at] ?? ""}", and then "${other[at] ?? ""}"`,
    at: Number.parseFloat(one[at] ?? "0") || 0,
    request: undefined
  }
}

/** Runs and judges. */
export const judge = (setup: Setup, of: Case, { checks, promises, deterministic }: Rules): Judged => {
  const trace = run(setup, of)
  const violated = (rule: string, broken: Broken | undefined): Judged | undefined =>
    broken && { trace, violation: { rule, ...broken } }
  if (deterministic) {
    const moved = violated(repeatable, firstDifference(trace, run(setup, of)))
    if (moved !== undefined) return moved
  }
  for (const [rule, check] of Object.entries(checks)) {
    const found = violated(rule, check(trace, promises))
    if (found !== undefined) return found
  }
  return violated(recovery, recovered(setup, of, trace, promises)) ?? { trace, violation: undefined }
}
