/** When values of sources end. */
import type { Source } from "../../Settings.ts"
import type { Held } from "./cell.ts"
import { sources } from "./layers.ts"

/** When the next value expires. */
export const nextExpiry = (held: Held): number | undefined => {
  let next = Number.POSITIVE_INFINITY
  for (const source of sources) {
    for (const { expiresAt } of held[source].values()) next = Math.min(next, expiresAt ?? next)
  }
  return next === Number.POSITIVE_INFINITY ? undefined : next
}

/** What a source said and what has expired, by name. */
export const expiredOf = (held: Held, source: Source, now: number): ReadonlyArray<string> =>
  [...held[source]].flatMap(([name, { expiresAt = Number.POSITIVE_INFINITY }]) => (expiresAt <= now ? [name] : []))
