/** Whether a value holds a secret: something that says of itself that it must not be shown. */
import * as Redacted from "effect/Redacted"

/** Deeper or larger than this nobody has looked: then it counts as one. */
const depthMax = 32
const partsMax = 100_000

/** Looks into arrays, maps, sets and objects. */
export const holdsSecret = (value: unknown): boolean => {
  let left = partsMax
  const seen = new Set<object>()
  const look = (of: unknown, depth: number): boolean => {
    if (typeof of !== "object" || of === null || seen.has(of)) return false
    if (Redacted.isRedacted(of) || depth >= depthMax || --left < 0) return true
    seen.add(of)
    const parts = of instanceof Map || of instanceof Set ? [...of] : Array.isArray(of) ? of : Object.values(of)
    return parts.some((part) => look(part, depth + 1))
  }
  return look(value, 0)
}
