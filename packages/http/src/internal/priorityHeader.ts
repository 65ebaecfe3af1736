/** What a caller says of its request in `Priority` (RFC 9218). */
import type { Shedder } from "@failsoft/core"

/**
 * The urgency `u` as a priority: 0 and 1 critical, 5 to 7 sheddable. What lies between
 * is what clients send without a thought (browsers send 2 to 4 for most), so it says nothing.
 */
export const statedPriority = (field: string | undefined): Shedder.Priority | undefined => {
  if (field === undefined) return undefined
  const [, digit] = /(?:^|,)\s*u=([0-7])\s*(?:[;,]|$)/.exec(field) ?? []
  if (digit === undefined) return undefined
  const urgency = Number(digit)
  if (urgency <= 1) return "critical"
  return urgency >= 5 ? "sheddable" : undefined
}
