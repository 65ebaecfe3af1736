/** A scenario of another project in our own words: a policy, what happens to it, and what must come of it. */
import type { Source } from "./sources.ts"

/** One row of the table. `run` says what went otherwise, if anything. */
export interface Scenario {
  readonly says: string
  /** Where the scenario is known from. */
  readonly source: Source
  readonly policy: string
  /** What happens, with the results that must come of it. */
  readonly steps: string
  /** Where the source's own result is another one, and why ours is as it is. */
  readonly differs?: string
  readonly run: () => string | undefined
}

/** The knobs of a policy as the table shows them. */
export const written = (kind: string, options: object): string =>
  `${kind}(${Object.entries(options)
    .map(([name, value]) => `${name}: ${String(value)}`)
    .join(", ")})`
