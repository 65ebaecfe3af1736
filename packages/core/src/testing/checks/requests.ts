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
    const of = calls.get(request) ?? new Map<string, string>()
    calls.set(request, of)
    const name = key(signal.downstream, signal.method)
    if (signal.outcome === "unavailable") of.set(name, name)
    else of.delete(name)
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
