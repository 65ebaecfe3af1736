/** What a downstream said of keeping an answer, as limits on what a cache does with it. */
import type { Said } from "../../cache/said.ts"

/** The limits on the lifetimes of an entry, in milliseconds; without a limit `undefined`. */
export interface Limits {
  readonly freshMaxMillis?: number | undefined
  readonly staleWhileRevalidateMaxMillis?: number | undefined
  readonly staleIfErrorMaxMillis?: number | undefined
}

const ranks = { anybody: 0, owner: 1, nobody: 2 } as const

const least = (one: number | undefined, other: number | undefined): number | undefined =>
  one === undefined ? other : other === undefined ? one : Math.min(one, other)

/** Of two words on one answer the strictest; its greater age is taken for true. */
export const strictest = (one: Said | undefined, other: Said | undefined): Said | undefined => {
  if (one === undefined || other === undefined) return one ?? other
  return {
    keepFor: ranks[one.keepFor] >= ranks[other.keepFor] ? one.keepFor : other.keepFor,
    freshMaxMillis: least(one.freshMaxMillis, other.freshMaxMillis),
    staleWhileRevalidateMaxMillis: least(one.staleWhileRevalidateMaxMillis, other.staleWhileRevalidateMaxMillis),
    staleIfErrorMaxMillis: least(one.staleIfErrorMaxMillis, other.staleIfErrorMaxMillis),
    ageMillis: ageOf(one) >= ageOf(other) ? one.ageMillis : other.ageMillis
  }
}

/** How old an answer was on its arrival; a time that is none counts as none. */
export const ageOf = (said: Said | undefined): number => {
  const age = said?.ageMillis ?? 0
  return age > 0 && Number.isFinite(age) ? age : 0
}

/** A limit that is no number forbids: a transport of somebody's own must not keep for ever by mistake. */
const limit = (millis: number | undefined): number | undefined =>
  millis === undefined ? undefined : millis > 0 ? millis : 0

/** The limits, where it may be kept at all. */
export const limitsOf = (said: Said | undefined, ownersOnly: boolean): Limits | undefined | "forbidden" => {
  if (said === undefined) return undefined
  if (said.keepFor === "nobody" || (said.keepFor === "owner" && !ownersOnly)) return "forbidden"
  const { freshMaxMillis, staleIfErrorMaxMillis, staleWhileRevalidateMaxMillis } = said
  if ((freshMaxMillis ?? staleIfErrorMaxMillis ?? staleWhileRevalidateMaxMillis) === undefined) return undefined
  return {
    freshMaxMillis: limit(freshMaxMillis),
    staleWhileRevalidateMaxMillis: limit(staleWhileRevalidateMaxMillis),
    staleIfErrorMaxMillis: limit(staleIfErrorMaxMillis)
  }
}

/** For so long after its time an entry may serve at most, whatever the cache allows. */
export const longestMillis = (of: Limits | undefined): number => {
  const none = Number.POSITIVE_INFINITY
  return (
    (of?.freshMaxMillis ?? none) +
    Math.max(of?.staleWhileRevalidateMaxMillis ?? none, of?.staleIfErrorMaxMillis ?? none)
  )
}
