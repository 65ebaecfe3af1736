/** One trace with all builds at once, side by side: the same arrivals, the same plan, the same noise of the machine. */
import { arrivals } from "./arrivals.ts"
import type { BuildName } from "./builds/index.ts"
import { type Build, type Downstreams, startBuild } from "./child.ts"
import { load, warmUp } from "./load.ts"
import { binsOf, type Measures, measure } from "./measures.ts"
import { oracle } from "./oracle.ts"
import { phases } from "./settings.ts"
import type { Trace } from "./traces.ts"

/** A build's measures, or the oracle's. */
export interface Result {
  readonly builds: Readonly<Record<string, Measures>>
  readonly oracle: { readonly goodput: number; readonly bins: ReadonlyArray<number> }
}

/** Builds do not begin in the same millisecond, or each burst would be five on this machine. */
const apartMillis = 11
const leadMillis = 200

/** A build with its downstreams. */
export interface Entrant {
  readonly name: BuildName
  readonly build: Build
  readonly downstreams: Downstreams
}

/** Starts the builds, each with its own downstreams, and warms them up. */
export const enter = async (
  all: ReadonlyMap<BuildName, Downstreams>,
  regions: boolean,
  warmUpRequests: number
): Promise<ReadonlyArray<Entrant>> => {
  const entrants = await Promise.all(
    [...all].map(async ([name, downstreams]) => {
      const essential = downstreams.origins.essential.slice(0, regions ? 2 : 1)
      return { name, downstreams, build: await startBuild(name, { ...downstreams.origins, essential }) }
    })
  )
  for (const { downstreams } of entrants) downstreams.begin({ trace: undefined, startAt: 0, seed: 0 })
  await Promise.all(entrants.map(({ build }) => warmUp(build.url, warmUpRequests)))
  return entrants
}

export const race = async (trace: Trace, seed: number, entrants: ReadonlyArray<Entrant>): Promise<Result> => {
  const asked = arrivals(trace.load, phases.end, seed)
  const measured = await Promise.all(
    entrants.map(async ({ build, downstreams, name }, nth) => {
      const startAt = Date.now() + leadMillis + nth * apartMillis
      downstreams.begin({ trace: trace.name, startAt, seed })
      const before = await build.used()
      const outcomes = await load(build.url, asked, startAt)
      const after = await build.used()
      return [name, measure(trace, outcomes, { before, after }, await downstreams.worked())] as const
    })
  )
  const bound = oracle(trace, asked, seed)
  const goodput = bound.reduce((sum, { weight }) => sum + weight, 0) / bound.length
  return { builds: Object.fromEntries(measured), oracle: { goodput, bins: binsOf(bound) } }
}
