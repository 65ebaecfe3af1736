/** How raw calls say that they know several regions. */
import type { Description } from "./description.ts"

const describing = Symbol.for("@failsoft/core/Transport/regions")

/** Adds to raw calls the description of their regions. */
export const describeRegions = (calls: object, of: () => ReadonlyArray<Description>): void => {
  Object.defineProperty(calls, describing, { value: of })
}

/** The description of the regions of raw calls; none where they have none. */
export const regionsOf = (calls: object): ReadonlyArray<Description> => {
  const own: unknown = Reflect.get(calls, describing)
  return typeof own === "function" ? own() : []
}
