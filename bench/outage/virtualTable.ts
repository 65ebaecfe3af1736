/** `npm run bench:outage -- --virtual`: the standard policy in virtual time, over all traces and five seeds, in seconds. */
import { Policy } from "@failsoft/core"
import { median, row } from "../overhead/table.ts"
import { arrivals } from "./arrivals.ts"
import { recovered } from "./measures.ts"
import { oracle } from "./oracle.ts"
import { knobs, phases } from "./settings.ts"
import { type Trace, traces } from "./traces.ts"
import { virtual } from "./virtual.ts"

/** How a policy did in a trace, medians over the seeds. */
export interface Standing {
  /** Its goodput, as a share of the oracle's, */
  readonly share: number
  /** and what an oracle would have of it that gives up when an attempt does. */
  readonly attemptShare: number
  readonly amplification: number
  readonly wasted: number
  readonly recoveryMillis: number
}

/** Those where one downstream fails: the model has the essential one, and no other. */
export const modelled: ReadonlyArray<Trace> = traces.filter(({ name }) => name !== "double")

const bestOf = (trace: Trace, seed: number, patienceMillis?: number): number => {
  const bound = oracle(trace, arrivals(trace.load, phases.end, seed), seed, patienceMillis)
  return bound.reduce((sum, { weight }) => sum + weight, 0) / bound.length
}

/** Runs a trace with each seed. */
export const standing = async (
  trace: Trace,
  policy: () => Policy.Policy,
  seeds: ReadonlyArray<number>
): Promise<Standing> => {
  const all: Array<Standing> = []
  for (const seed of seeds) {
    const best = bestOf(trace, seed)
    const attemptShare = bestOf(trace, seed, knobs.attemptMillis) / best
    const { amplification, goodput, outcomes, wasted } = virtual(trace, policy(), seed)
    all.push({
      share: goodput / best,
      attemptShare,
      amplification,
      wasted,
      recoveryMillis: recovered(outcomes, trace.until)
    })
  }
  const of = (field: keyof Standing) => median(all.map((one) => one[field]))
  return {
    share: of("share"),
    attemptShare: of("attemptShare"),
    amplification: of("amplification"),
    wasted: of("wasted"),
    recoveryMillis: of("recoveryMillis")
  }
}

/** The table. */
export const virtualTable = async (seeds: ReadonlyArray<number>): Promise<string> => {
  const columns = ["÷ oracle", "an attempt's bound", "amplification", "wasted", "full quality after, s"]
  const lines = [
    row("standard, virtual time", columns),
    row(
      "---",
      columns.map(() => "---")
    )
  ]
  for (const trace of modelled) {
    const of = await standing(trace, () => Policy.standard({ deadline: knobs.callMillis }), seeds)
    const { amplification, attemptShare, recoveryMillis, share, wasted } = of
    const cells = [
      share.toFixed(3),
      attemptShare.toFixed(3),
      amplification.toFixed(2),
      wasted.toFixed(2),
      (recoveryMillis / 1000).toFixed(1)
    ]
    lines.push(row(trace.name, cells))
  }
  return lines.join("\n")
}
