/** Checks on what the downstreams are asked for. */
import type { Signal } from "../../Signal.ts"
import { broken, type Check } from "../Check.ts"
import { type Attempt, type LivePolicy, placeOf, type Trace } from "../Trace.ts"

const rowKey = ({ downstream, method }: { readonly downstream: string; readonly method: string }) =>
  `${downstream}/${method}`

/** The row of the region that an attempt was sent to. */
const regionKey = (of: Attempt) => `${placeOf(of)}/${of.method}`

/** What was asked for a call: a look was not. */
const isAsked = ({ region }: Attempt) => region?.look !== true

interface Grouped {
  /** What was asked for calls. */
  readonly byRow: ReadonlyMap<string, ReadonlyArray<Attempt>>
  /** What was sent to a region, by its name. */
  readonly byRegion: ReadonlyMap<string, ReadonlyArray<Attempt>>
}

/** A trace's attempts: several checks of one trace want them grouped, and a trace does not change once it is made. */
const grouped = (trace: Trace): Grouped => {
  const known = attemptsOfTraces.get(trace)
  if (known !== undefined) return known
  const regional = trace.attempts.filter(({ region }) => region !== undefined)
  const made = {
    byRow: Map.groupBy(regional.length === 0 ? trace.attempts : trace.attempts.filter(isAsked), rowKey),
    byRegion: Map.groupBy(regional, placeOf)
  }
  attemptsOfTraces.set(trace, made)
  return made
}

/** Whether a row is that of a region: its policies are one for all methods of the region. */
const isRegion = ({ methods }: Trace, row: string) => !methods.some((of) => rowKey(of) === row)

/** The attempts that pass through the policies of a row. */
const attemptsOf = (trace: Trace, row: string): ReadonlyArray<Attempt> =>
  (isRegion(trace, row) ? grouped(trace).byRegion.get(row.split("/")[0] ?? "") : grouped(trace).byRow.get(row)) ?? []

const attemptsOfTraces = new WeakMap<Trace, Grouped>()

/** The policies of each row, outermost first. */
const rowsOf = ({ policies }: Trace): ReadonlyMap<string, ReadonlyArray<LivePolicy>> => Map.groupBy(policies, rowKey)

const number = (policy: LivePolicy, knob: string): number => {
  const value = policy.knobs[knob]
  return typeof value === "number" ? value : Number.NaN
}

const repeats = new Set(["retry", "hedge"])

/** When each row was told that an attempt had timed out. */
const timeoutsOf = ({ signals }: Trace): ReadonlySet<string> =>
  new Set(signals.flatMap(({ at, signal }) => (signal._tag === "AttemptTimedOut" ? [`${rowKey(signal)} ${at}`] : [])))

/** The attempts of each call: the same request with the same payload object. */
const callsOf = function* ({ attempts }: Trace): Iterable<ReadonlyArray<Attempt>> {
  // Most calls have one attempt, for which no list is made.
  const firsts = new Map<unknown, Attempt>()
  const byPayload = new Map<unknown, Array<Attempt>>()
  for (const attempt of attempts) {
    if (attempt.request < 0 || !isAsked(attempt)) continue
    const first = firsts.get(attempt.payload)
    if (first === undefined) firsts.set(attempt.payload, attempt)
    else {
      const known = byPayload.get(attempt.payload)
      if (known === undefined) byPayload.set(attempt.payload, [first, attempt])
      else known.push(attempt)
    }
  }
  for (const same of byPayload.values()) yield* Map.groupBy(same, (of) => `${of.request} ${rowKey(of)}`).values()
}

/** Where each request's calls of a row ended, among everything that was written down. */
const callEnds = ({ signals }: Trace): ReadonlyMap<string, ReadonlyArray<number>> => {
  const ends = new Map<string, Array<number>>()
  for (const { nth, request, signal } of signals) {
    if (signal._tag !== "CallEnded") continue
    const key = `${request} ${rowKey(signal)}`
    const known = ends.get(key)
    if (known === undefined) ends.set(key, [nth])
    else known.push(nth)
  }
  return ends
}

/** A probe's word may come when nobody waits for it any more. */
const isProbe = ({ circuit, region }: Attempt) => circuit === "half-open" || region?.circuit === "half-open"

/** A final word is never asked for again by the stack that heard it; its caller may know better. */
export const permanentIsFinal: Check = (trace) => {
  // Most traces have none that must be looked for.
  let timeouts: ReturnType<typeof timeoutsOf> | undefined
  let ends: ReturnType<typeof callEnds> | undefined
  for (const attempts of callsOf(trace)) {
    for (const [nth, attempt] of attempts.entries()) {
      const { outcome, endedAt, endedNth = 0 } = attempt
      if ((outcome !== "permanent" && outcome !== "violation") || endedAt === undefined || isProbe(attempt)) continue
      const next = attempts.slice(nth + 1).find(({ at }) => at >= endedAt)
      // Another region may know better than one that talks nonsense.
      if (next === undefined || (outcome === "violation" && next.region?.name !== attempt.region?.name)) continue
      // At the very moment of a timeout either may win.
      timeouts ??= timeoutsOf(trace)
      const timedOut = timeouts
      if ([rowKey(attempt), regionKey(attempt)].some((row) => timedOut.has(`${row} ${endedAt}`))) continue
      ends ??= callEnds(trace)
      const told = ends.get(`${next.request} ${rowKey(next)}`) ?? []
      if (told.some((of) => endedNth < of && of < next.nth)) continue
      return broken(`${rowKey(next)} was asked again after a final word`, next.at, next.request)
    }
  }
  return undefined
}

/** What may be applied is not sent again where the contract says that it must not. */
export const unsafeIsSentOnce: Check = (trace) => {
  const unsafe = new Set(trace.methods.filter((of) => of.idempotency === "unsafe").map(rowKey))
  if (unsafe.size === 0) return undefined
  for (const attempts of callsOf(trace)) {
    const [first, second] = attempts.filter(({ certainlyNot, outcome }) => !certainlyNot && outcome !== "refused")
    if (first === undefined || !unsafe.has(rowKey(first))) continue
    const again = second ?? attempts.find(({ nth }) => nth > first.nth)
    if (again !== undefined) {
      return broken(`${rowKey(again)} is unsafe and was sent twice`, again.at, again.request)
    }
  }
  return undefined
}

/**
 * Each attempt of a row has a call, a retry or a hedge that was told: more of them would be load that nobody sees. It
 * bounds what hedges send, whose attempts have no number of their own.
 */
export const attemptsHaveReason: Check = (trace) => {
  if (!trace.requests.every(({ outcome }) => outcome !== "unfinished")) return undefined
  const told = Map.groupBy(
    trace.signals.filter(({ signal: { _tag } }) => reasons.has(_tag)),
    ({ signal }) => rowKey(signal)
  )
  for (const [row, attempts] of grouped(trace).byRow) {
    const known = told.get(row)?.length ?? 0
    const over = attempts[known]
    if (over !== undefined) {
      return broken(`${row}: ${attempts.length} attempts for ${known} calls, retries and hedges`, over.at, over.request)
    }
  }
  return undefined
}

const reasons = new Set(["CallEnded", "RetryScheduled", "Hedged", "FailedOver"])

/** No more attempts than the retries of the stack allow. */
export const attemptsAreLimited: Check = (trace) => {
  const most = new Map<string, number>()
  for (const [row, policies] of rowsOf(trace)) {
    const allowed = policies
      .filter(({ kind }) => kind === "retry")
      .reduce((product, policy) => product * (1 + number(policy, "times")), 1)
    most.set(row, policies.some(({ kind }) => kind === "hedge") ? Number.POSITIVE_INFINITY : allowed)
  }
  const over = trace.attempts.find((of) => of.attempt >= (most.get(rowKey(of)) ?? Number.POSITIVE_INFINITY))
  return (
    over && broken(`${rowKey(over)}: attempt ${over.attempt + 1}, of ${most.get(rowKey(over))}`, over.at, over.request)
  )
}

/** Never more attempts at once than permits, in all or for each key. */
export const permitsHold: Check = (trace) => {
  for (const [row, policies] of rowsOf(trace)) {
    const limits = limitsOf(policies)
    if (limits.length === 0) continue
    // A probe may outlive its caller, and its permit; so may one attempt in each region, to hear of it.
    const mine = attemptsOf(trace, row).filter((of) => !isProbe(of))
    const listeners = regionsOf(trace, row).length
    const byKey = Map.groupBy(mine, ({ key }) => key)
    for (const { keysMax, permits } of limits) {
      // More keys than there is room for share the permits of one.
      const crowds = keysMax === 0 ? [mine] : byKey.size <= keysMax ? [...byKey.values()] : []
      for (const attempts of crowds) {
        const over = crowd(attempts, permits + listeners)
        if (over === undefined) continue
        const whose = keysMax === 0 ? row : `${row} for '${attempts[0]?.key}'`
        return broken(`${whose}: ${over.running} at once, with ${permits} permits`, over.at, over.request)
      }
    }
  }
  return undefined
}

/** The rows of the regions that stand below a row; none for one that is a region's itself. */
const regionsOf = (trace: Trace, row: string): ReadonlyArray<string> =>
  isRegion(trace, row)
    ? []
    : [...new Set(attemptsOf(trace, row).flatMap((of) => (of.region === undefined ? [] : [regionKey(of)])))]

/** What bounds a row's attempts at once: so many permits, for each of `keysMax` keys or, with 0, for all together. */
const limitsOf = (policies: ReadonlyArray<LivePolicy>) => {
  // What repeats inside of a bulkhead may have more than one attempt at once.
  const inner = policies.findLastIndex(({ kind }) => kind === "hedge")
  return policies.slice(inner + 1).flatMap((of) => {
    const permits = of.kind === "bulkhead" ? number(of, "permits") : number(of, "limitMax")
    return of.kind === "bulkhead" || of.kind === "adaptiveLimit"
      ? [{ keysMax: Number(of.knobs["keysMax"] ?? 0) || 0, permits }]
      : []
  })
}

/** The first attempt at which more than `most` were running. */
const crowd = (attempts: ReadonlyArray<Attempt>, most: number) => {
  const running: Array<Attempt> = []
  for (const attempt of attempts) {
    for (let at = running.length - 1; at >= 0; at--) {
      const { endedAt = Number.POSITIVE_INFINITY, endedNth = Number.POSITIVE_INFINITY } = running[at] ?? {}
      if (endedAt < attempt.at || endedNth < attempt.nth) running.splice(at, 1)
    }
    running.push(attempt)
    if (running.length > most) return { running: running.length, at: attempt.at, request: attempt.request }
  }
  return undefined
}

/** The longest that a call may still wait once a breaker has let it pass; nothing where nobody can tell. */
const waitsInside = (inner: ReadonlyArray<LivePolicy>): number | undefined => {
  const known = new Set(["bulkhead", "adaptiveLimit", "timeout", "adaptiveTimeout", "deadline", "listening"])
  if (inner.some(({ kind }) => repeats.has(kind) || !known.has(kind))) return undefined
  return waitsOf(inner)
}

const waitsOf = (policies: ReadonlyArray<LivePolicy>): number =>
  policies.reduce(
    (sum, { knobs }) => sum + (Number(knobs["waitMaxMillis"]) || 0) + (Number(knobs["probeWaitMillis"]) || 0),
    0
  )

/** The longest that a call may wait in the regions below a row: one that refuses it in the end leaves no attempt. */
const waitsInRegions = (rows: ReadonlyMap<string, ReadonlyArray<LivePolicy>>, regions: ReadonlyArray<string>) =>
  regions.reduce((sum, row) => sum + waitsOf(rows.get(row) ?? []), 0)

/** A row's attempts as its own policies let them pass: what another region took over within the same attempt came later. */
const letIn = (attempts: ReadonlyArray<Attempt>): ReadonlyArray<Attempt> => {
  // The attempts of each call, which has a payload of its own, as bits.
  const seen = new Map<unknown, number>()
  return attempts.filter(({ attempt, payload, region }) => {
    if (region === undefined) return true
    const known = seen.get(payload) ?? 0
    seen.set(payload, known | (1 << attempt))
    return (known & (1 << attempt)) === 0
  })
}

interface Change {
  readonly at: number
  readonly to: string
}

/** When the state of a circuit began, for a key where each has its own, as its signals tell. */
const sinceOf = (trace: Trace, breaker: LivePolicy, key: string | undefined): ReadonlyArray<Change> => {
  // All methods of a region share its circuit, which tells each change in one of them.
  const shared = isRegion(trace, rowKey(breaker))
  return changesOf(trace).flatMap(({ at, signal }) =>
    signal.downstream === breaker.downstream &&
    (shared || signal.method === breaker.method) &&
    (key === undefined || signal.key === key)
      ? [{ at, to: signal.to }]
      : []
  )
}

type Changed = Extract<Signal, { readonly _tag: "CircuitChanged" }>

/** The changes of all circuits of a trace, looked for once. */
const changesOf = (trace: Trace): ReadonlyArray<{ readonly at: number; readonly signal: Changed }> => {
  const known = changesOfTraces.get(trace)
  if (known !== undefined) return known
  const made = trace.signals.flatMap(({ at, signal }) => (signal._tag === "CircuitChanged" ? [{ at, signal }] : []))
  changesOfTraces.set(trace, made)
  return made
}

const changesOfTraces = new WeakMap<Trace, ReturnType<typeof changesOf>>()

/** The attempts that share a circuit: all of a row, or those of a key. More keys than there is room for share one. */
const sharing = (breaker: LivePolicy, attempts: ReadonlyArray<Attempt>) => {
  const keysMax = Number(breaker.knobs["keysMax"] ?? 0)
  if (keysMax === 0) return [{ key: undefined, attempts }]
  const byKey = Map.groupBy(attempts, ({ key }) => key)
  return byKey.size > keysMax ? [] : [...byKey].map(([key, of]) => ({ key, attempts: of }))
}

/** An open circuit lets nothing pass, a half-open one its probes. */
export const circuitsHold: Check = (trace) => {
  const rows = rowsOf(trace)
  for (const [row, policies] of rows) {
    const place = policies.findIndex(({ kind }) => kind === "circuitBreaker")
    const breaker = policies[place]
    const inside = waitsInside(policies.slice(place + 1))
    if (breaker === undefined || inside === undefined) continue
    const waits = inside + waitsInRegions(rows, regionsOf(trace, row))
    const inRegion = isRegion(trace, row)
    const circuitOf = ({ circuit, region }: Attempt) => (inRegion ? region?.circuit : circuit)
    const mine = inRegion ? attemptsOf(trace, row) : letIn(attemptsOf(trace, row))
    for (const { attempts, key } of sharing(breaker, mine)) {
      const changes = sinceOf(trace, breaker, key)
      const whose = key === undefined ? row : `${row} for '${key}'`
      const open = attempts.find((of) => circuitOf(of) === "open" && openFor(changes, of.at) > waits)
      if (open !== undefined) return broken(`${whose} was asked although its circuit is open`, open.at, open.request)
      const probes = number(breaker, "probes")
      const over = crowd(
        attempts.filter((of) => circuitOf(of) === "half-open" && outFor(changes, of.at) > waits),
        probes
      )
      if (over !== undefined) {
        return broken(
          `${whose}: ${over.running} at once through a half-open circuit, of ${probes} probes`,
          over.at,
          over.request
        )
      }
    }
  }
  return undefined
}

const until = (changes: ReadonlyArray<Change>, now: number) => changes.filter(({ at }) => at <= now)

/** For how long nothing can have passed: also a probe may wait, and others fail meanwhile. */
const openFor = (changes: ReadonlyArray<Change>, now: number): number => {
  const opened = until(changes, now).findLast(({ to }) => to === "open")
  // A circuit of several rows tells its changes in one of them: here nobody knows since when.
  return opened === undefined ? 0 : now - opened.at
}

/** For how long nothing but probes can have passed. */
const outFor = (changes: ReadonlyArray<Change>, now: number): number => {
  const past = until(changes, now)
  const opened = past.findLast(({ to }, nth) => to === "open" && past[nth - 1]?.to !== "half-open")
  return opened === undefined ? 0 : now - opened.at
}

const legal: Readonly<Record<string, ReadonlyArray<string>>> = {
  closed: ["open"],
  open: ["half-open"],
  // To itself where its probes were lost: others are let out.
  "half-open": ["closed", "ramp", "open", "half-open"],
  ramp: ["closed", "open"]
}

/** A circuit moves from where it was, and only along its edges. */
export const circuitsMoveStepByStep: Check = (trace) => {
  const at = new Map<string, string>()
  for (const { at: when, request, signal } of trace.signals) {
    if (signal._tag !== "CircuitChanged") continue
    const circuit = `${rowKey(signal)} ${signal.policy} ${signal.key ?? ""}`
    const was = at.get(circuit)
    at.set(circuit, signal.to)
    if (signal.reason === "by-hand" || signal.reason === "reported-healthy") continue
    // A circuit that several rows share tells each change in one of them.
    const shared =
      trace.policies.filter(({ kind, name }) => kind === "circuitBreaker" && name === signal.policy).length > 1
    if (!shared && was !== undefined && was !== signal.from) {
      return broken(`${circuit.trim()} moved from ${signal.from}, but was ${was}`, when, request)
    }
    if (!(legal[signal.from] ?? []).includes(signal.to)) {
      return broken(`${circuit.trim()} moved from ${signal.from} to ${signal.to}`, when, request)
    }
  }
  return undefined
}
