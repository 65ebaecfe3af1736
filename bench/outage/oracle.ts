/**
 * The bound: who knows the plan, and asks a downstream only where the answer will be
 * fresh and in time, once per request (a tenth more where answers fail by chance, the
 * retries that a good stack may spend). Else it answers at once from what stands in.
 */
import type { Arrival } from "./arrivals.ts"
import { exponential, randomFrom } from "./random.ts"
import { deadlineMillis, downstream, type Name, phases, weights } from "./settings.ts"
import { conditionAt, type Region, type Trace } from "./traces.ts"

const retryShare = 0.1

/** Workers of one region, each with the time at which it is free. */
class Workers {
  private readonly freeAt: Array<number>
  private readonly trace: Trace
  private readonly name: Name
  private readonly region: Region

  constructor(trace: Trace, name: Name, region: Region) {
    this.trace = trace
    this.name = name
    this.region = region
    this.freeAt = Array.from(
      { length: region === "b" ? Math.ceil(downstream.workers / 2) : downstream.workers },
      () => 0
    )
  }

  /** Whether an arrival gets a fresh answer here in time; then a worker is busy with it. */
  serves(at: number, random: () => number): boolean {
    const condition = conditionAt(this.trace, this.name, at, this.region)
    const { down, failing = 0, hangs, permanent = 0, refuses, slow = 1, workers = 1 } = condition
    if (down || hangs || refuses) return false
    if (random() < permanent) return true
    if (random() > (1 - failing) * (failing > 0 ? 1 + retryShare : 1)) return false
    const there = Math.max(1, Math.round(this.freeAt.length * workers))
    let best = 0
    for (let nth = 1; nth < there; nth++) if ((this.freeAt[nth] ?? 0) < (this.freeAt[best] ?? 0)) best = nth
    const millis = (downstream.fixedMillis + exponential(random, downstream.tailMillis)) * slow
    const done = Math.max(at, this.freeAt[best] ?? 0) + millis
    if (done > at + deadlineMillis) return false
    this.freeAt[best] = done
    return true
  }
}

/** What each arrival is worth at best. */
export const oracle = (
  trace: Trace,
  arrivals: ReadonlyArray<Arrival>,
  seed: number
): ReadonlyArray<{ readonly at: number; readonly weight: number }> => {
  const random = randomFrom(seed)
  const of = (name: Name, region: Region = "a") => new Workers(trace, name, region)
  const essential = trace.regions ? [of("essential"), of("essential", "b")] : [of("essential")]
  const [degradable, optional] = [of("degradable"), of("optional")]
  return arrivals
    .map(({ at }) => {
      const product = essential.some((region) => region.serves(at, random)) ? weights.fresh : weights.stale
      const price = degradable.serves(at, random) ? weights.fresh : weights.substituted
      const similar = optional.serves(at, random) ? weights.fresh : weights.omitted
      return { at, weight: product * price * similar }
    })
    .filter(({ at }) => at >= phases.countedFrom)
}
