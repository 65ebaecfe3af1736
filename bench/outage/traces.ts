/** The traces: for each a plan of faults in the words of the test kit, the same for all builds, in all worlds, and for the oracle. */
import { type Fault, Player } from "@failsoft/core/testing/faults"
import { downstream, type Name, phases } from "./settings.ts"

export type Region = "a" | "b"

export interface Trace {
  readonly name: string
  /** What the downstreams do, in milliseconds from the start of the trace. */
  readonly plan: Fault.Plan
  /** Arrivals, as a share of what a downstream can bear. */
  readonly load: number
  /** Whether the essential downstream has a second region, with half of the workers. */
  readonly regions: boolean
  /** When the fault is over, from the start of the trace. */
  readonly until: number
}

/** What plans call a downstream's region; each has at least the first. */
export const placeOf = (name: Name, region: Region): string => `${name}.${region}`

/** How many workers a region has when it is well. */
export const workersIn = (region: Region): number =>
  region === "b" ? Math.ceil(downstream.workers / 2) : downstream.workers

/** A fault of the essential downstream, from a time of the fault to another, both in milliseconds. */
const essential = (fault: Fault.Fault, from = 0, until = phases.faultUntil - phases.faultFrom): Fault.PlannedFault => ({
  ...fault,
  target: "essential",
  from: phases.faultFrom + from,
  until: phases.faultFrom + until
})

const make = (
  name: string,
  faults: ReadonlyArray<Fault.PlannedFault>,
  { load = 0.6, regions = false }: Partial<Trace> = {}
): Trace => {
  const plan: Fault.Plan = { faults }
  return { name, plan, load, regions, until: faults.length === 0 ? phases.faultUntil : Player.endOf(plan) }
}

const unavailable: Fault.Fault = { kind: "transient", percent: 100 }
const slow: Fault.Fault = { kind: "slow", factor: 10 }
const coldFor = 4000

export const traces: ReadonlyArray<Trace> = [
  make("none", []),
  make("down", [essential(unavailable)]),
  make("refused", [essential({ kind: "down" })]),
  make("hang", [essential({ kind: "hang" })]),
  make("slow x10", [essential(slow)]),
  make("brown-out 50 %", [essential({ kind: "failAfter", percent: 50 })]),
  make("flapping", [essential(unavailable, 0, 1000), essential(unavailable, 2000, 3000), essential(unavailable, 4000)]),
  make("capacity 30 %", [essential({ kind: "capacity", concurrent: Math.round(downstream.workers * 0.3) })], {
    load: 0.9
  }),
  make("region gone", [{ ...essential({ kind: "hang" }), target: placeOf("essential", "a") }], { regions: true }),
  make("cold recovery", [
    essential(unavailable, 0, 2000),
    essential({ kind: "coldStart", millis: coldFor }, 2000, 2000 + coldFor)
  ]),
  make("double", [essential(slow), { ...essential(unavailable), target: "optional" }]),
  make("permanent storm", [essential({ kind: "permanent", percent: 80 })])
]

export const traceNamed = (name: string): Trace => {
  const found = traces.find((trace) => trace.name === name)
  if (found === undefined) throw new Error(`there is no trace '${name}'`)
  return found
}
