/** Work that goes slower for a time. */
import type { Met } from "../Player.ts"

/**
 * How long a piece of work takes that begins at `from` and would take `millis`: each
 * slowness lasts until its end, and what is left then goes on at its usual pace.
 */
export const takes = (millis: number, from: number, slow: Met["slow"]): number => {
  let at = from
  let left = millis
  for (const until of slow.map((of) => of.until).sort((one, other) => one - other)) {
    if (until <= at) continue
    const factor = slow.reduce((product, of) => (of.until > at ? product * of.factor : product), 1)
    const done = Math.min(left, (until - at) / factor)
    left -= done
    at += done * factor
    if (left <= 0) return at - from
  }
  return at + left - from
}
