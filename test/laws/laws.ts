/** The laws: each looks at what happened and says what is wrong, or nothing. */
import type { Spec } from "./scenario.ts"
import type { CallTrace, Trace } from "./world.ts"

/** A law over one case. */
export type Law = (trace: Trace) => string | undefined

const specs = <K extends Spec["kind"]>(trace: Trace, kind: K): ReadonlyArray<Extract<Spec, { kind: K }>> =>
  trace.scenario.stack.filter((spec): spec is Extract<Spec, { kind: K }> => spec.kind === kind)

/** The first call of which the check says something. */
const eachCall = (trace: Trace, check: (call: CallTrace) => string | undefined): string | undefined => {
  for (const [nth, call] of trace.calls.entries()) {
    const wrong = check(call)
    if (wrong !== undefined) return `call ${nth} (${call.result}): ${wrong}`
  }
  return undefined
}

/** Nothing runs after a final answer: every attempt ends when its call does, at the latest. */
export const nothingRunsAfterwards: Law = (trace) =>
  eachCall(trace, ({ settledAt, attempts }) => {
    if (settledAt === undefined) return "it never settled"
    const late = attempts.find(({ end }) => end === undefined || end > settledAt)
    return late && `an attempt ran until ${late.end ?? "for ever"}, after the call settled at ${settledAt}`
  })

/** No more attempts than one and the retries. */
export const attemptsAreLimited: Law = (trace) => {
  const most = specs(trace, "retry").reduce((product, { times }) => product * (1 + times), 1)
  return eachCall(trace, ({ attempts }) =>
    attempts.length > most ? `${attempts.length} attempts, not ${most}` : undefined
  )
}

/** A permanent outcome ends its call: nobody asks again. At the very moment of a timeout either may win. */
export const permanentIsAskedOnce: Law = (trace) => {
  const timeouts = new Set(trace.signals.flatMap((signal) => (signal._tag === "AttemptTimedOut" ? [signal.at] : [])))
  return eachCall(trace, ({ attempts }) => {
    const at = attempts.findIndex(({ does, spoke, end }) => does === "permanent" && spoke && !timeouts.has(end ?? -1))
    return at >= 0 && at < attempts.length - 1 ? "asked again after a permanent outcome" : undefined
  })
}

/** Where nothing failed, the circuit never opens, however many permanent outcomes and aborts there were. */
export const onlyFailuresOpen: Law = (trace) => {
  const failed = trace.calls.some(({ attempts }) =>
    attempts.some(({ does }) => does === "transient" || does === "violation")
  )
  const timedOut = trace.signals.some(({ _tag }) => _tag === "AttemptTimedOut")
  const opened = trace.signals.some((signal) => signal._tag === "CircuitChanged" && signal.to === "open")
  return opened && !failed && !timedOut ? "the circuit opened and nothing had failed" : undefined
}

/** A refusal of a call that never waited takes no time. */
export const refusalsAreInstant: Law = (trace) => {
  const kinds = trace.scenario.stack.map(({ kind }) => kind)
  // Behind a queue or a backoff the call may have waited before it came to the policy that refused.
  const behind = (kind: Spec["kind"]) => kinds.slice(0, kinds.indexOf(kind))
  const waited = {
    CIRCUIT_OPEN: behind("circuitBreaker").some((kind) => kind === "bulkhead" || kind === "retry"),
    BULKHEAD_FULL: behind("bulkhead").includes("retry")
  }
  return eachCall(trace, ({ result, attempts, start, settledAt }) => {
    const reason = result.replace("refused:", "")
    if (reason !== "CIRCUIT_OPEN" && reason !== "BULKHEAD_FULL") return undefined
    if (attempts.length > 0 || waited[reason] || settledAt === start) return undefined
    return `${reason} took ${Number(settledAt) - start} ms`
  })
}

/** When all is over, every permit, every place in a queue and every probe is back. */
export const everythingIsGivenBack: Law = ({ state }) => {
  const kept = ["running", "waiting", "probing"].filter((name) => (state[name] ?? 0) !== 0)
  return kept.length > 0 ? `still taken: ${kept.map((name) => `${name} ${state[name]}`).join(", ")}` : undefined
}

/** Never more attempts at once than permits. */
export const permitsHold: Law = (trace) => {
  const permits = Math.min(...specs(trace, "bulkhead").map((spec) => spec.permits))
  return trace.inFlightMost > permits ? `${trace.inFlightMost} at once, with ${permits} permits` : undefined
}

/** Every call ends by its deadline. */
export const deadlinesHold: Law = (trace) => {
  const [deadline] = specs(trace, "deadline")
  if (deadline === undefined) return undefined
  // A retry outside the deadline gives each attempt its own.
  const outer = trace.scenario.stack.slice(0, trace.scenario.stack.indexOf(deadline))
  if (outer.some(({ kind }) => kind === "retry" || kind === "bulkhead")) return undefined
  return eachCall(trace, ({ start, settledAt }) => {
    const took = (settledAt ?? Number.POSITIVE_INFINITY) - start
    return took > deadline.millis ? `took ${took} ms of ${deadline.millis} ms` : undefined
  })
}

/** After the storm a healthy downstream is reached again. */
export const recovers: Law = ({ afterwards }) =>
  afterwards === "answered" ? undefined : `a healthy call ended ${afterwards}`

/** The oracle: where nothing is wrong, every call is answered by one attempt. */
export const healthyAnswers: Law = (trace) =>
  eachCall(trace, ({ result, attempts }) =>
    result === "answered" && attempts.length === 1 ? undefined : `${attempts.length} attempts`
  )

/** The laws that hold for every case. */
export const laws: Readonly<Record<string, Law>> = {
  nothingRunsAfterwards,
  attemptsAreLimited,
  permanentIsAskedOnce,
  onlyFailuresOpen,
  refusalsAreInstant,
  everythingIsGivenBack,
  permitsHold,
  deadlinesHold,
  recovers
}
