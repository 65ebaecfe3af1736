/** Work that goes slower for a time. */
import type { Slowness } from "../Player.ts"

/**
 * How long a piece of work takes that begins at `from` and would take `millis`: its pace
 * changes with each slowness that begins or ends meanwhile.
 */
export const takes = (millis: number, from: number, slow: ReadonlyArray<Slowness>): number => {
  const changes = slow.flatMap((of) => [of.from, of.until]).sort((one, other) => one - other)
  let at = from
  let left = millis
  for (const change of changes) {
    if (change <= at) continue
    const factor = factorAt(at, slow)
    if (left * factor <= change - at) return at + left * factor - from
    left -= (change - at) / factor
    at = change
  }
  return at + left - from
}

const factorAt = (at: number, slow: ReadonlyArray<Slowness>): number =>
  slow.reduce((product, { factor, from, until }) => (from <= at && at < until ? product * factor : product), 1)
