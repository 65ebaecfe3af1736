/** When requests come, and when their callers go away. */
import { choices, draw } from "../Draw.ts"
import type { Plan } from "../Fault.ts"
import { leavesAfter } from "../Player.ts"
import type { Traffic } from "../Traffic.ts"

/** One request that comes. */
export interface Arrival {
  readonly id: number
  /** Which kind of traffic. */
  readonly of: number
  readonly at: number
  /** After so many milliseconds its caller goes away; a negative number counts steps instead. */
  readonly abortAfter: number | undefined
}

/** How a run's traffic is made. */
export interface Shape {
  readonly seed: number
  readonly lengthMillis: number
  readonly deadlineMillis: number
}

/** The arrivals of all kinds in their order: bursts with gaps between them, numbered. */
export const arrivals = (traffic: ReadonlyArray<Traffic<never>>, { seed, lengthMillis, deadlineMillis }: Shape) => {
  // Some runs have callers who go away, others have none.
  const leaves = [0, 0, 0.05, 0.25][Math.floor(draw(seed, "leaves") * 4)] ?? 0
  const all: Array<Omit<Arrival, "id">> = []
  for (const [of, { name, perSecond, burstMax }] of traffic.entries()) {
    const random = choices(Math.floor(draw(seed, name, "arrivals") * 0x1_0000_0000))
    for (let at = 0; at < lengthMillis; ) {
      const burst = random.chance(0.5) ? 1 : random.between(1, burstMax)
      for (let nth = 0; nth < burst; nth++) {
        const abortAfter = !random.chance(leaves)
          ? undefined
          : random.chance(0.5)
            ? -random.between(1, 12)
            : random.between(0, deadlineMillis)
        all.push({ of, at: Math.round(at), abortAfter })
      }
      at += (-Math.log1p(-random.next()) * burst * 1000) / perSecond
    }
  }
  all.sort((a, b) => a.at - b.at)
  return all.map((arrival, id): Arrival => ({ id, ...arrival }))
}

/** The callers whom a plan sends away. */
export const disturbed = (of: ReadonlyArray<Arrival>, plan: Plan, seed: number): ReadonlyArray<Arrival> =>
  of.map((arrival) => {
    const abortAfter = leavesAfter(plan, seed, arrival)
    return abortAfter === undefined ? arrival : { ...arrival, abortAfter }
  })
