/** The laws: each looks at what happened and says what is wrong, or nothing. */
import type { Signal } from "@failsoft/core"
import { rateWindowMillis, type Spec } from "./scenario.ts"
import { mannersOf } from "./turns.ts"
import { type CallTrace, probeMaxMillis, type Trace } from "./world.ts"

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

/** Sums of virtual milliseconds with a fraction differ in their last digits. */
const rounding = 1e-6

/**
 * Nothing runs after a final answer: every attempt ends when its call does, at the latest. Only a probe of a half-open
 * circuit may outlive its caller, and not for longer than it was told.
 */
export const nothingRunsAfterwards: Law = (trace) => {
  const halfOpen = halfOpenTimes(trace)
  return eachCall(trace, ({ settledAt, attempts }) => {
    if (settledAt === undefined) return "it never settled"
    const late = attempts.find(({ end }, nth) => {
      if (end !== undefined && end <= settledAt) return false
      // A probe may ask again within itself, and does so when the circuit is half-open no more.
      const probed = attempts
        .slice(0, nth + 1)
        .filter(({ start }) => halfOpen.some(({ from, until }) => from <= start && start <= until))
      return end === undefined || !probed.some(({ start }) => end - start <= probeMaxMillis + rounding)
    })
    return late && `an attempt ran until ${late.end ?? "for ever"}, after the call settled at ${settledAt}`
  })
}

/** From when until when a circuit was half-open: the one for all, or that of a key. */
const halfOpenTimes = ({ signals }: Trace) => {
  const times: Array<{ readonly key: string | undefined; readonly from: number; until: number }> = []
  for (const signal of signals) {
    if (signal._tag !== "CircuitChanged") continue
    const { at, from, key, to } = signal
    const last = times.findLast((of) => of.key === key)
    if (from === "half-open" && last !== undefined) last.until = at
    if (to === "half-open") times.push({ key, from: at, until: Number.POSITIVE_INFINITY })
  }
  return times
}

/** No more attempts than one and the retries, each with its hedges. */
export const attemptsAreLimited: Law = (trace) => {
  const most = trace.scenario.stack.reduce((product, spec) => product * attemptsOf(spec), 1)
  return eachCall(trace, ({ attempts }) =>
    attempts.length > most ? `${attempts.length} attempts, not ${most}` : undefined
  )
}

/** How many attempts a policy makes of one. */
const attemptsOf = (spec: Spec): number =>
  spec.kind === "retry" ? 1 + spec.times : spec.kind === "hedge" ? 1 + spec.hedgesMax : 1

/** Where nobody retries, what is sent beyond one for each call is within the budget of the hedge. */
export const hedgesKeepBudget: Law = (trace) => {
  const [hedge] = specs(trace, "hedge")
  if (hedge === undefined || specs(trace, "retry").length > 0) return undefined
  const extra = trace.calls.reduce((sum, { attempts }) => sum + Math.max(0, attempts.length - 1), 0)
  return extra > hedge.budget ? `${extra} extra attempts, with a budget of ${hedge.budget}` : undefined
}

/** A permanent outcome ends its call: nobody asks again. At the very moment of a timeout either may win. */
export const permanentIsAskedOnce: Law = (trace) => {
  const hedged = specs(trace, "hedge").length > 0
  const timeouts = new Set(trace.signals.flatMap((signal) => (signal._tag === "AttemptTimedOut" ? [signal.at] : [])))
  // A probe that outlives its timeout may say its word before the attempt that comes after it.
  const unheard = (start: number, end: number) => [...timeouts].some((of) => start <= of && of <= end)
  return eachCall(trace, ({ attempts, probes }) => {
    const at = attempts.findIndex(
      ({ does, spoke, start, end = -1 }) =>
        does === "permanent" && spoke && !timeouts.has(end) && !(probes && unheard(start, end))
    )
    const next = attempts[at + 1]
    // A probe that outlived its timeout says its word too late for the attempt that came after it.
    const end = attempts[at]?.end ?? 0
    // A hedge that is due at that very moment may be sent before the word is heard.
    const heard = next !== undefined && (hedged ? next.start > end : next.start >= end)
    return at >= 0 && heard ? "asked again after a permanent outcome" : undefined
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

/** Where a call may wait before it comes to what stands within. */
const waits: ReadonlySet<Spec["kind"]> = new Set(["bulkhead", "adaptiveLimit", "rateLimit", "retry"])

/** A refusal of a call that never waited takes no time. */
export const refusalsAreInstant: Law = (trace) => {
  const kinds = trace.scenario.stack.map(({ kind }) => kind)
  // Behind a queue or a backoff the call may have waited before it came to the policy that refused.
  const behind = (kind: Spec["kind"]) => kinds.slice(0, kinds.indexOf(kind))
  const waited = {
    CIRCUIT_OPEN: behind("circuitBreaker").some((kind) => waits.has(kind)),
    BULKHEAD_FULL: behind("bulkhead").some((kind) => waits.has(kind))
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

/**
 * Never more attempts at once than permits; a hedge within makes several of one. Whose `keysMax` is turned has those for
 * all beside those of the one key that the callers have.
 */
export const permitsHold: Law = (trace) => {
  const { stack } = trace.scenario
  const hedged = stack.some(({ kind }) => kind === "hedge")
  // Which attempts go on as probes, and which beside each other, cannot be told apart.
  if (hedged && stack.some(({ kind }) => kind === "circuitBreaker")) return undefined
  // Whether an attempt is the probe of a key cannot be told once the key's circuit is out of sight.
  if (mannersOf(trace.scenario, "circuitBreaker").keyed) return undefined
  const most = stack.map((spec, at) => {
    if (spec.kind !== "bulkhead" && spec.kind !== "adaptiveLimit") return Number.POSITIVE_INFINITY
    const { alwaysOn, keyed } = mannersOf(trace.scenario, spec.kind)
    if (!alwaysOn) return Number.POSITIVE_INFINITY
    return stack
      .slice(at)
      .reduce(
        (product, inner) => product * (inner.kind === "hedge" ? attemptsOf(inner) : 1),
        (keyed ? 2 : 1) * spec.permits
      )
  })
  const permits = Math.min(...most)
  return trace.inFlightMost > permits ? `${trace.inFlightMost} at once, with ${permits} permits` : undefined
}

/** In no window, wherever it begins, more attempts than a rate limit allows. */
export const ratesHold: Law = (trace) => {
  const { stack } = trace.scenario
  const at = stack.findIndex(({ kind }) => kind === "rateLimit")
  const [rate] = specs(trace, "rateLimit")
  // What queues or asks again within it sends at other times, and more often, than it counted.
  if (rate === undefined || stack.slice(at + 1).some(({ kind }) => waits.has(kind) || kind === "hedge"))
    return undefined
  const starts = trace.calls.flatMap(({ attempts }) => attempts.map(({ start }) => start)).sort((a, b) => a - b)
  const nth = starts.findIndex((start, from) => {
    const later = starts[from + rate.permits]
    return later !== undefined && later - start < rateWindowMillis - rounding
  })
  return nth < 0 ? undefined : `more than ${rate.permits} from ${starts[nth]} to ${starts[nth + rate.permits]} ms`
}

/** Every call ends by its deadline. */
export const deadlinesHold: Law = (trace) => {
  const [deadline] = specs(trace, "deadline")
  if (deadline === undefined || !mannersOf(trace.scenario, "deadline").alwaysOn) return undefined
  // A retry or a hedge outside the deadline gives each attempt its own.
  const outer = trace.scenario.stack.slice(0, trace.scenario.stack.indexOf(deadline))
  if (outer.some(({ kind }) => waits.has(kind) || kind === "hedge")) return undefined
  return eachCall(trace, ({ start, settledAt }) => {
    const took = (settledAt ?? Number.POSITIVE_INFINITY) - start
    return took > deadline.millis + rounding ? `took ${took} ms of ${deadline.millis} ms` : undefined
  })
}

const signalsOf = <T extends Signal.Signal["_tag"]>(
  { signals }: Trace,
  tag: T
): ReadonlyArray<Extract<Signal.Signal, { _tag: T }>> =>
  signals.filter((signal): signal is Extract<Signal.Signal, { _tag: T }> => signal._tag === tag)

/**
 * Every refusal is told, and once. Who goes away or is cut at that moment, and a probe that goes on without its caller,
 * may be told of and not be heard.
 */
export const refusalsAreToldOnce: Law = (trace) => {
  // Of several attempts beside each other each may be refused, and the call is not.
  if (specs(trace, "hedge").length > 0) return undefined
  const told = signalsOf(trace, "CallRefused").filter(({ dark }) => !dark).length
  const refused = trace.calls.filter(({ result }) => result.startsWith("refused:")).length
  const cut = signalsOf(trace, "AttemptTimedOut").length
  const unheard = cut + trace.calls.filter(({ probes, result }) => result === "interrupted" || probes).length
  if (told < refused) return `${refused} calls were refused, and ${told} refusals told`
  return told > refused + unheard ? `${refused} calls were refused, and ${told} refusals told` : undefined
}

/** Who asks again, or beside, says so: each attempt beyond the first of a call was told. */
export const extraAttemptsAreTold: Law = (trace) => {
  const extra = trace.calls.reduce((sum, { attempts }) => sum + Math.max(0, attempts.length - 1), 0)
  const told = signalsOf(trace, "RetryScheduled").length + signalsOf(trace, "Hedged").length
  return extra > told ? `${extra} extra attempts, and ${told} told` : undefined
}

/** Nobody tells of more retries than could be: each asks again what has just failed. */
export const retriesAreToldOnce: Law = (trace) => {
  const times = specs(trace, "retry").reduce((sum, spec) => sum + spec.times, 0)
  const most = trace.scenario.stack.reduce(
    (product, spec) => product * (spec.kind === "hedge" ? attemptsOf(spec) : 1),
    times
  )
  const told = signalsOf(trace, "RetryScheduled").length
  return told > most * trace.calls.length
    ? `${told} retries were told of ${trace.calls.length} calls, with ${most} each at most`
    : undefined
}

/** A limit that cuts an attempt tells it once: at no moment more often than there are attempts for it to cut. */
export const timeoutsAreToldOnce: Law = (trace) => {
  const perCall = trace.scenario.stack.reduce(
    (product, spec) => product * (spec.kind === "hedge" ? attemptsOf(spec) : 1),
    1
  )
  const counts = new Map<number, number>()
  for (const { at } of signalsOf(trace, "AttemptTimedOut")) counts.set(at, (counts.get(at) ?? 0) + 1)
  for (const [at, told] of counts) {
    const alive = trace.calls.filter(
      ({ attempts, settledAt, start }) =>
        start <= at && ((settledAt ?? Number.POSITIVE_INFINITY) >= at || attempts.some(({ end }) => (end ?? at) >= at))
    ).length
    if (told > alive * perCall) return `at ${at} ms ${told} timeouts were told, with ${alive} calls under way`
  }
  return undefined
}

/** After the storm a healthy downstream is reached again, and its circuit is closed. */
export const recovers: Law = ({ afterwards }) =>
  afterwards === "answered" ? undefined : `after ten healthy calls: ${afterwards}`

/** A circuit moves from where it was: nobody puts it somewhere else without saying so. */
export const circuitsMoveStepByStep: Law = ({ signals }) => {
  const states = new Map<string | undefined, string>()
  for (const signal of signals) {
    if (signal._tag !== "CircuitChanged") continue
    const { at, from, key, to } = signal
    const state = states.get(key) ?? "closed"
    if (from !== state) return `at ${at} ms it moved from ${from}, but was ${state}`
    states.set(key, to)
  }
  return undefined
}

/** The oracle: where nothing is wrong, every call is answered by one attempt. */
export const healthyAnswers: Law = (trace) =>
  eachCall(trace, ({ result, attempts }) =>
    result === "answered" && attempts.length === 1 ? undefined : `${attempts.length} attempts`
  )

/** The laws that hold for every case. */
export const laws: Readonly<Record<string, Law>> = {
  nothingRunsAfterwards,
  attemptsAreLimited,
  hedgesKeepBudget,
  permanentIsAskedOnce,
  onlyFailuresOpen,
  refusalsAreInstant,
  everythingIsGivenBack,
  permitsHold,
  ratesHold,
  deadlinesHold,
  circuitsMoveStepByStep,
  refusalsAreToldOnce,
  extraAttemptsAreTold,
  retriesAreToldOnce,
  timeoutsAreToldOnce,
  recovers
}
