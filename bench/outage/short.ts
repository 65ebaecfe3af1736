/** The race in less than a minute: does ours still keep up with its peers? A ratio within one run, since times are the machine's. */
import type { BuildName } from "./builds/index.ts"
import type { Result } from "./race.ts"

/** The peers that were best in the long race, and two traces in which a bad default costs most. */
export const short = {
  builds: ["failsoft", "cockatiel", "naive"] satisfies ReadonlyArray<BuildName>,
  traces: ["hang", "capacity 30 %"],
  rounds: 1,
  warmUpRequests: 200
} as const

/** Ours may be worth this share of the best peer's goodput at least; what is less is no noise any more. */
const ratioMin = 0.9

/** A sentence for each trace in which ours has fallen behind. */
export const behind = (traces: ReadonlyMap<string, ReadonlyArray<Result>>): ReadonlyArray<string> =>
  [...traces].flatMap(([trace, results]) => {
    const { failsoft, ...peers } = results[0]?.builds ?? {}
    const [best, peer] = Object.entries(peers).reduce(
      ([most, name], [other, { goodput }]) => (goodput > most ? [goodput, other] : [most, name]),
      [0, "none"]
    )
    const ratio = (failsoft?.goodput ?? 0) / best
    const said = `${trace}: ${ratio.toFixed(3)} of the goodput of ${peer}, at least ${ratioMin} is wanted`
    return ratio >= ratioMin ? [] : [said]
  })
