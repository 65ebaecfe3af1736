/** Whether what sources say fits the stacks, now and whenever a value ends. */
import type { Part as CachePart } from "../../Cache.ts"
import { problemsOf, problemsOfBudget } from "../../Composition.ts"
import type { Step } from "../../Fallback.ts"
import type { Value } from "../../Knob.ts"
import type { Facts, Part } from "../../Policy.ts"
import { problemsOfCache } from "../cache/judge.ts"
import { problemsOfSteps } from "../steps.ts"
import type { Held, Placed } from "./cell.ts"
import { entryIn, entryOf, sources } from "./layers.ts"

/** What is wrong with rows now, and at each moment at which a value of theirs expires. */
export const problemsOfRows = (rows: Iterable<Placed>, held: Held, now: number): ReadonlyArray<string> =>
  [...rows].flatMap((row) => {
    for (const moment of momentsOf(row, held, now)) {
      const problems = problemsAt(row, held, moment)
      const when = moment === now ? "" : ` (once a value expires, in ${moment - now} ms)`
      if (problems.length > 0)
        return problems.map((problem) => `${row.downstream}/${row.row.method}: ${problem}${when}`)
    }
    return []
  })

/** Now, and when each value of a row ends, the first moment first. */
const momentsOf = (row: Placed, held: Held, now: number): ReadonlyArray<number> => {
  const moments = new Set([now])
  for (const cell of row.cells) {
    for (const source of sources) {
      const expiresAt = entryIn(held, source, cell, now)?.expiresAt
      if (expiresAt !== undefined) moments.add(expiresAt)
    }
  }
  return [...moments].sort((a, b) => a - b)
}

const problemsAt = (row: Placed, held: Held, moment: number): ReadonlyArray<string> => {
  const values = new Map<Facts, Record<string, Value>>()
  for (const cell of row.cells) {
    const of = values.get(cell.of.values) ?? { ...cell.of.values }
    values.set(cell.of.values, of)
    of[cell.knobName] = entryOf(held, cell, moment)?.entry.value ?? cell.knob.initial
  }
  const valuesOf = (of: Part | Step | CachePart): Facts => values.get(row.living.get(of)?.values ?? {}) ?? {}
  const steps = row.fallback?.steps.map(({ step }) => step) ?? []
  return [
    ...problemsOf(row.policy, valuesOf),
    ...problemsOfBudget(row.policy, row.budgetMillis, valuesOf),
    ...(row.fallback === undefined ? [] : problemsOfSteps(row.fallback.onOutage, row.policy.parts, steps, valuesOf)),
    ...(row.cache === undefined
      ? []
      : problemsOfCache(row.cache.onOutage, row.policy.parts, row.cache.part, valuesOf(row.cache.part)))
  ]
}
