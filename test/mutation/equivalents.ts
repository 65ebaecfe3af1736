/** The mutants that no test can tell from the original, each with its reason. An entry that fits none is an error. */
import type { Equivalent } from "./runner.ts"

export const equivalents: ReadonlyArray<Equivalent> = []
