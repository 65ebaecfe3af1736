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

const recovered = (setup: Setup, of: Case, trace: Trace.Trace, promises: Promises): Broken | undefined => {
  const late = owed(trace.requests, trace.faultsEndAt, promises).filter(bad)
  const [first] = late
  if (first === undefined) return undefined
  const control = new Map(run(setup, controlOf(of)).requests.map((request) => [request.id, request]))
  const worse = late.find((request) => {
    const without = control.get(request.id)
    return without !== undefined && Trace.badness(without) < Trace.badness(request)
  })
  const inControl = late.filter(({ id }) => {
    const without = control.get(id)
    return without !== undefined && bad(without)
  })
  if (worse === undefined || late.length <= inControl.length) return undefined
  const how = worse.outcome === "answered" ? worse.quality : `${worse.outcome} (${worse.detail})`
  const after = Math.round(worse.at - trace.faultsEndAt)
  return {
    detail: `${after} ms after the last fault it is still ${how}, and fresh where there were no faults`,
    at: worse.endedAt ?? worse.at,
    request: worse.id
  }
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
