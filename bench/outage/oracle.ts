/**
 * The bound: who knows the plan, and asks a downstream only where the answer will be
 * fresh and in time, once per request (a tenth more while answers fail by chance, the
 * retries that a good stack may spend; what will fail costs it no worker). Else it
 * answers at once from what stands in. It is greedy: a request takes the worker that is
 * free first, and keeps it, though others may come back meanwhile.
 */
import { Player } from "@failsoft/core/testing/faults"
import type { Arrival } from "./arrivals.ts"
import { workMillis } from "./downstreams.ts"
import { randomFrom } from "./random.ts"
import { deadlineMillis, type Name, phases, weights } from "./settings.ts"
import { placeOf, type Region, type Trace, workersIn } from "./traces.ts"

const retryShare = 0.1

/** Workers of one region, each with the time at which it is free. */
class Workers {
  private readonly freeAt: Array<number>
  private readonly player: Player.Player
  private readonly place: string
  private readonly there: () => number
  private readonly random: () => number
  private readonly patienceMillis: number
  private retries = 0

  constructor(player: Player.Player, name: Name, region: Region, random: () => number, patienceMillis: number) {
    this.player = player
    this.patienceMillis = patienceMillis
    this.place = placeOf(name, region)
    this.random = random
    this.freeAt = Array.from({ length: workersIn(region) }, () => 0)
    this.there = player.employ(this.place, this.freeAt.length)
  }

  /** Whether an arrival gets a fresh answer here in time; then a worker is busy with it. */
  serves(at: number): boolean {
    const met = this.asked(at)
    const { decision } = met
    if (decision._tag === "Refuse") return decision.status === 422
    return decision._tag === "Serve" && this.works(at, met)
  }

  /** What an attempt meets, or a second one after it has failed by chance. */
  private asked(at: number): Player.Met {
    if (at >= phases.faultFrom) this.retries += retryShare
    let met = this.met()
    for (; met.decision._tag === "FailAfter" && this.retries >= 1; this.retries--) met = this.met()
    return met
  }

  private met(): Player.Met {
    const met = this.player.enter(this.place, "", -1)
    this.player.leave(this.place)
    return met
  }

  private works(at: number, met: Player.Met): boolean {
    const there = this.there()
    let best = 0
    for (let nth = 1; nth < there; nth++) if ((this.freeAt[nth] ?? 0) < (this.freeAt[best] ?? 0)) best = nth
    const from = Math.max(at, this.freeAt[best] ?? 0)
    const done = from + Player.workMillis(met, workMillis(this.random), from)
    if (done > at + this.patienceMillis) return false
    this.freeAt[best] = done
    return true
  }
}

/** What each arrival is worth at best; `patienceMillis` is how long an answer is waited for. */
export const oracle = (
  trace: Trace,
  arrivals: ReadonlyArray<Arrival>,
  seed: number,
  patienceMillis: number = deadlineMillis
): ReadonlyArray<{ readonly at: number; readonly weight: number }> => {
  const random = randomFrom(seed)
  let now = 0
  const player = Player.make(trace.plan, { seed, elapsedMillis: () => now })
  const of = (name: Name, region: Region = "a") => new Workers(player, name, region, random, patienceMillis)
  const essential = trace.regions ? [of("essential"), of("essential", "b")] : [of("essential")]
  const [degradable, optional] = [of("degradable"), of("optional")]
  return arrivals
    .map(({ at }) => {
      now = at
      const product = essential.some((region) => region.serves(at)) ? weights.fresh : weights.stale
      const price = degradable.serves(at) ? weights.fresh : weights.substituted
      const similar = optional.serves(at) ? weights.fresh : weights.omitted
      return { at, weight: product * price * similar }
    })
    .filter(({ at }) => at >= phases.countedFrom)
}
