/** Runs many cases, and makes a counterexample small. */

import { Draw } from "@failsoft/core/testing"
import type { Law } from "./laws.ts"
import { firm, hasty, healthy, type Scenario, stormy, turned } from "./scenario.ts"
import { type Maker, run, sound, type Trace } from "./world.ts"

/** How many cases a campaign runs; more by night. */
export const runs = Number(process.env["LAW_RUNS"] ?? 1200)

/** The first seed; printed with each counterexample, so that it can be replayed. */
export const firstSeed = Number(process.env["LAW_SEED"] ?? 1)

/** A case that breaks a law. */
export interface Counterexample {
  readonly law: string
  readonly found: string
  readonly runs: number
  readonly scenario: Scenario
}

const generators = { stormy, firm, healthy, hasty, turned }

/** Runs cases of a kind until a law breaks; `seen` looks at every trace. */
export const search = (options: {
  readonly kind: keyof typeof generators
  readonly laws: Readonly<Record<string, Law>>
  readonly runs: number
  readonly maker?: Maker
  readonly seen?: (trace: Trace) => void
}): Counterexample | undefined => {
  const maker = options.maker ?? sound
  for (let nth = 0; nth < options.runs; nth++) {
    const seed = firstSeed + nth
    const scenario = generators[options.kind](seed, Draw.choices(seed))
    const trace = run(scenario, maker)
    options.seen?.(trace)
    for (const [law, check] of Object.entries(options.laws)) {
      const found = check(trace)
      if (found === undefined) continue
      return { law, found, runs: nth + 1, scenario: shrink(scenario, check, maker) }
    }
  }
  return undefined
}

/** Leaves out callers and policies as long as the law stays broken. */
const shrink = (scenario: Scenario, law: Law, maker: Maker): Scenario => {
  let smallest = scenario
  for (const part of ["callers", "stack"] as const) {
    for (let at = smallest[part].length - 1; at >= 0; at--) {
      const without = { ...smallest, [part]: smallest[part].filter((_, nth) => nth !== at) }
      if (law(run(without, maker)) !== undefined) smallest = without
    }
  }
  return smallest
}

/** A counterexample as a person reads it, with the line that replays it. */
export const report = ({ law, found, runs, scenario }: Counterexample): string =>
  [
    `${law}: ${found}`,
    `found in run ${runs}; the smallest case:`,
    JSON.stringify(scenario, null, 2),
    `replay: LAW_SEED=${scenario.seed} LAW_RUNS=1 npm test -- --project laws`
  ].join("\n")
