/** The plans: what each downstream does at each moment of a trace. Pure functions, the same for all builds and for the oracle. */
import type { Name } from "./settings.ts"
import { phases } from "./settings.ts"

/** What a downstream does with a request that comes now. */
export interface Condition {
  /** Nobody listens. */
  readonly refuses?: true
  /** It takes the request and says nothing. */
  readonly hangs?: true
  /** The share of requests that get a 503: at once, */
  readonly down?: true
  /** or after a worker has spent its time on it. */
  readonly failing?: number
  /** The share of requests that get a 404, at once. */
  readonly permanent?: number
  /** By what factor a worker takes longer. */
  readonly slow?: number
  /** The share of workers that are there. */
  readonly workers?: number
}

export type Region = "a" | "b"

export interface Trace {
  readonly name: string
  /** Arrivals, as a share of what a downstream can bear. */
  readonly load: number
  /** Whether the essential downstream has a second region, with half of the workers. */
  readonly regions: boolean
  /** What happens `at` milliseconds after the beginning of the fault, before its end. */
  readonly during: (name: Name, at: number, region: Region) => Condition
  /** When the fault is over, from the start of the trace. */
  readonly until: number
}

const well: Condition = {}

const essential =
  (condition: Condition | ((at: number) => Condition)): Trace["during"] =>
  (name, at) =>
    name !== "essential" ? well : typeof condition === "function" ? condition(at) : condition

const make = (
  name: string,
  during: Trace["during"],
  { load = 0.6, regions = false, until = phases.faultUntil }: Partial<Trace> = {}
): Trace => ({ name, during, load, regions, until })

const coldFor = 4000

export const traces: ReadonlyArray<Trace> = [
  make("none", essential(well)),
  make("down", essential({ down: true })),
  make("refused", essential({ refuses: true })),
  make("hang", essential({ hangs: true })),
  make("slow x10", essential({ slow: 10 })),
  make("brown-out 50 %", essential({ failing: 0.5 })),
  make(
    "flapping",
    essential((at) => (Math.floor(at / 1000) % 2 === 0 ? { down: true } : well))
  ),
  make("capacity 30 %", essential({ workers: 0.3 }), { load: 0.9 }),
  make("region gone", (name, _, region) => (name === "essential" && region === "a" ? { hangs: true } : well), {
    regions: true
  }),
  make(
    "cold recovery",
    essential((at) => (at < 2000 ? { down: true } : { workers: 0.1 + (0.9 * (at - 2000)) / coldFor })),
    { until: phases.faultFrom + 2000 + coldFor }
  ),
  make("double", (name) => (name === "essential" ? { slow: 10 } : name === "optional" ? { down: true } : well)),
  make("permanent storm", essential({ permanent: 0.8 }))
]

/** What a downstream does at a time of a trace. */
export const conditionAt = (trace: Trace, name: Name, at: number, region: Region): Condition =>
  at >= phases.faultFrom && at < trace.until ? trace.during(name, at - phases.faultFrom, region) : well

export const traceNamed = (name: string): Trace => {
  const found = traces.find((trace) => trace.name === name)
  if (found === undefined) throw new Error(`there is no trace '${name}'`)
  return found
}
