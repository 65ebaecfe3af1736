/** Checks on what the callers get. */
import { broken, type Check } from "../Check.ts"
import type { Request } from "../Trace.ts"

/** Sums of virtual milliseconds with a fraction differ in their last digits. */
export const rounding = 0.01

/** Each request ends within the deadline. */
export const deadlineKept: Check = ({ requests }, { deadlineMillis }) => {
  for (const { id, at, endedAt, outcome } of requests) {
    if (endedAt === undefined) return broken("it never ended", at + deadlineMillis, id)
    const took = endedAt - at
    if (outcome !== "aborted" && took > deadlineMillis + rounding) {
      return broken(`it took ${Math.round(took)} ms of ${deadlineMillis} ms`, endedAt, id)
    }
  }
  return undefined
}

/** No request ends with a defect. */
export const noDefects: Check = ({ requests }) => {
  const died = requests.find(({ outcome }) => outcome === "died")
  return died && broken(`it died: ${died.detail}`, died.endedAt ?? died.at, died.id)
}

const key = (downstream: string, method: string) => `${downstream}/${method}`

/** The calls of each request that ended without an answer and were not made good by a later one of the same method. */
const unanswered = (signals: Parameters<Check>[0]["signals"]): Map<number, Map<string, string>> => {
  const calls = new Map<number, Map<string, string>>()
  for (const { request, signal } of signals) {
    if (signal._tag !== "CallEnded" || request < 0) continue
    const name = key(signal.downstream, signal.method)
    const of = calls.get(request)
    if (signal.outcome !== "unavailable") of?.delete(name)
    else if (of === undefined) calls.set(request, new Map([[name, name]]))
    else of.set(name, name)
  }
  return calls
}

/** An answer that is less than it should be says so. */
export const degradedIsLabelled: Check = ({ requests, signals }) => {
  const missing = unanswered(signals)
  for (const { id, outcome, quality, at, endedAt = at } of requests) {
    if (outcome !== "answered" || quality !== "fresh") continue
    const [lost] = missing.get(id)?.values() ?? []
    if (lost !== undefined) return broken(`it says "fresh", but ${lost} had no answer for it`, endedAt, id)
  }
  return undefined
}

/** A stale answer is not older than its fallback declares. */
export const staleIsYoung: Check = ({ requests, methods }) => {
  for (const { id, degraded, at, endedAt = at } of requests) {
    for (const { downstream, method, quality, ageMillis = 0 } of degraded) {
      if (quality !== "stale") continue
      const most = methods.find((of) => of.downstream === downstream && of.method === method)?.staleMaxMillis
      if (most !== undefined && ageMillis > most + rounding) {
        return broken(`${key(downstream, method)} was ${ageMillis} ms old, of ${most} ms`, endedAt, id)
      }
    }
  }
  return undefined
}

/** A cache gives as fresh only what is within its fresh lifetime, and nothing that is older than it declares. */
export const cacheIsYoung: Check = ({ signals, methods }) => {
  for (const { at, request, signal } of signals) {
    if (signal._tag !== "CacheHit" && signal._tag !== "CacheStaleHit") continue
    const method = methods.find((of) => of.downstream === signal.downstream && of.method === signal.method)
    const most = signal._tag === "CacheHit" ? method?.freshMaxMillis : method?.staleMaxMillis
    if (most !== undefined && signal.ageMillis > most + rounding) {
      const what = signal._tag === "CacheHit" ? "counted as fresh" : "was given stale"
      return broken(
        `${key(signal.downstream, signal.method)}: a cached answer of ${signal.ageMillis} ms ${what}, of ${most} ms`,
        at,
        request
      )
    }
  }
  return undefined
}

/**
 * A cached answer is as old as it says: since the time of which it is said to be, its
 * downstream has answered something. What a store brought from before, and times under
 * a clock that was set, cannot be told.
 */
export const cacheAgesAreTrue: Check = ({ attempts, plan, policies, signals }) => {
  if (plan.disturbances?.some(({ kind }) => kind === "clockJump")) return undefined
  if (policies.some(({ kind, state }) => kind === "cache" && state["store"] !== "none")) return undefined
  const lastEnds = new Map<string, Array<{ readonly nth: number; readonly at: number }>>()
  for (const { downstream, endedAt, endedNth, outcome } of attempts) {
    if (endedAt === undefined || endedNth === undefined || (outcome !== "answered" && outcome !== "permanent")) continue
    const ends = lastEnds.get(downstream) ?? []
    lastEnds.set(downstream, ends)
    ends.push({ nth: endedNth, at: endedAt })
  }
  for (const { at, nth, request, signal } of signals) {
    if (signal._tag !== "CacheHit" && signal._tag !== "CacheStaleHit") continue
    const asOf = at - signal.ageMillis
    const ends = lastEnds.get(signal.downstream) ?? []
    if (!ends.some((of) => of.nth < nth && of.at >= asOf - rounding)) {
      return broken(
        `${key(signal.downstream, signal.method)}: a cached answer is said to be of ${Math.round(asOf)} ms, and none was got since`,
        at,
        request
      )
    }
  }
  return undefined
}

/** A method that fails closed never answers from a fallback. */
export const failsClosed: Check = ({ signals, methods }) => {
  const closed = new Set(methods.filter((of) => of.onOutage === "fail").map((of) => key(of.downstream, of.method)))
  const told = signals.find(
    ({ signal }) =>
      (signal._tag === "AnswerDegraded" || (signal._tag === "CallEnded" && signal.outcome === "degraded")) &&
      closed.has(key(signal.downstream, signal.method))
  )
  return (
    told && broken(`${key(told.signal.downstream, told.signal.method)} answered from a fallback`, told.at, told.request)
  )
}

/** The requests that full quality is owed to again: late enough, and after enough others. */
export const owed = (
  requests: ReadonlyArray<Request>,
  faultsEndAt: number,
  { recoveryMillis, recoveryRequests }: Parameters<Check>[1]
): ReadonlyArray<Request> => {
  const since = requests.filter(({ at }) => at > faultsEndAt)
  return since.slice(recoveryRequests).filter(({ at }) => at > faultsEndAt + recoveryMillis)
}
