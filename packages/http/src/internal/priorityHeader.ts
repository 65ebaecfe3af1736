/** What a caller says of its request in `Priority` (RFC 9218). */
import type { Shedder } from "@failsoft/core"

/**
 * The urgency `u` as a priority: 0 and 1 critical, 5 to 7 sheddable. What lies between
 * is what clients send without a thought (browsers send 2 to 4 for most), so it says nothing.
 */
export const statedPriority = (field: string | undefined): Shedder.Priority | undefined => {
  if (field === undefined) return undefined
  let stated: Shedder.Priority | undefined
  // A comma within a string parts no members; one that never ends is all of the rest, so each character is read once.
  const members = field.includes('"') ? field.replace(/"(?:[^"\\]|\\.)*(?:"|\\?$)/g, '""') : field
  for (const member of members.split(",")) {
    // The last word of a key holds (RFC 9651), also where it says nothing that we know.
    const [, value] = /^u(?:=([^;]*))?(?:;|$)/.exec(member.trim()) ?? [undefined, null]
    if (value !== null) stated = priorityOf(value)
  }
  return stated
}

const priorityOf = (urgency: string | undefined): Shedder.Priority | undefined => {
  const value = /^[0-7]\s*$/.test(urgency ?? "") ? Number(urgency) : 3
  if (value <= 1) return "critical"
  return value >= 5 ? "sheddable" : undefined
}
