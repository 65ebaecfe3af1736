/** How raw calls say that they know several regions. */
import type { Description } from "./description.ts"

const describing = Symbol.for("@failsoft/core/Transport/regions")

interface Regions {
  readonly count: number
  /** Reads all their knobs and states: for those who show them. */
  readonly describe: () => ReadonlyArray<Description>
}

const of = (calls: object): Regions | undefined => {
  const own: unknown = Reflect.get(calls, describing)
  // Nobody else has the symbol.
  return own as Regions | undefined
}

/** Adds to raw calls what is to be told of their regions. */
export const tellRegions = (calls: object, regions: Regions): void => {
  Object.defineProperty(calls, describing, { value: regions })
}

/** The description of the regions of raw calls; none where they have none. */
export const regionsOf = (calls: object): ReadonlyArray<Description> => of(calls)?.describe() ?? []

/** How many regions raw calls have; 0 where they know nothing of regions. */
export const regionCount = (calls: object): number => of(calls)?.count ?? 0
