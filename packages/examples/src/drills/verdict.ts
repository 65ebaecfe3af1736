/** Whether the promises were kept, from what was seen. */
import type { Fault } from "@failsoft/core/testing/faults"
import type { Seen } from "./seen.ts"

/** What is promised besides what holds for each answer. */
export interface Promises {
  /** When the last fault was over, in milliseconds from the start. */
  readonly faultsEndAt: number
  /** Within so long after that all is fresh again. */
  readonly recoveryMillis: number
}

/** What the far end has done: how often each order was charged. */
export type Charges = ReadonlyMap<string, number>

/** One promise, and what broke it. */
export interface Finding {
  readonly promise: string
  readonly kept: boolean
  readonly detail: string
}

const fewMax = 3

const few = (all: ReadonlyArray<string>): string =>
  all.length <= fewMax ? all.join("; ") : `${all.slice(0, fewMax).join("; ")}; and ${all.length - fewMax} more`

const finding = (promise: string, broken: ReadonlyArray<string>, well: string): Finding => ({
  promise,
  kept: broken.length === 0,
  detail: broken.length === 0 ? well : few(broken)
})

/** Whether a drill of so many milliseconds has seen its faults and the recovery; of what it has not seen nothing is known. */
export const lookedAt = ({ faults }: Fault.Plan, lookedMillis: number, promises: Promises): Finding => {
  const ended = `the drill ended after ${second(lookedMillis)}`
  const missed = faults
    .filter(({ until }) => until > lookedMillis)
    .map(
      ({ from, kind, target, until }) =>
        `${kind} ${typeof target === "string" ? target : target.join("+")} was due from ${second(from)} to ${second(until)}, and ${ended}`
    )
  const wholeAt = promises.faultsEndAt + promises.recoveryMillis
  const unseen =
    missed.length === 0 && wholeAt > lookedMillis ? [`all was due to be fresh at ${second(wholeAt)}, and ${ended}`] : []
  return finding("all faults and the recovery were seen", [...missed, ...unseen], `${faults.length} faults`)
}

/** Judges a drill that ran to its end. */
export const judge = (seen: ReadonlyArray<Seen>, charges: Charges, promises: Promises): ReadonlyArray<Finding> => {
  const { faultsEndAt, recoveryMillis } = promises
  const confirmed = seen.flatMap(({ orderId }) => orderId ?? [])
  const isWhole = ({ grade }: Seen) => grade === "fresh" || grade === "final" || grade === "gone"
  const late = seen.filter((of) => of.at >= faultsEndAt + recoveryMillis && !isWhole(of))
  const after = seen.filter(({ at }) => at >= faultsEndAt)
  const lastBad = Math.max(faultsEndAt, ...after.filter((of) => !isWhole(of)).map(({ at }) => at))
  return [
    finding(
      "every answer is in time, labelled, and says what to do",
      seen.flatMap(({ at, broken, endpoint }) =>
        broken === undefined ? [] : [`${second(at)} ${endpoint}: ${broken}`]
      ),
      `${seen.length} answers`
    ),
    finding(
      "nobody is charged twice",
      [...charges].flatMap(([id, times]) => (times > 1 ? [`order ${id} was charged ${times} times`] : [])),
      `${charges.size} charges`
    ),
    finding(
      "what is confirmed is charged",
      confirmed.flatMap((id) => (charges.has(id) ? [] : [`order ${id} was confirmed and never charged`])),
      `${confirmed.length} orders confirmed`
    ),
    finding(
      `all is fresh ${recoveryMillis / 1000} s after the faults`,
      late.map(({ at, endpoint, grade, status }) => `${second(at)} ${endpoint}: ${grade} (${status})`),
      after.length === 0
        ? "nobody asked after the faults"
        : `the last that was not: ${((lastBad - faultsEndAt) / 1000).toFixed(1)} s after them`
    )
  ]
}

const second = (at: number): string => `${(at / 1000).toFixed(1)} s`
