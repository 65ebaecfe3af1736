/** What a cache holds: answers and final words, with their times. */
import type { Row } from "../../Policy.ts"
import type { Limits } from "./limits.ts"

/** What a cache knows of a row that it serves. */
export interface CacheRow {
  readonly row: Row
  /** The beginning of the keys of its requests. */
  readonly prefix: string
  /** Whether each of its answers belongs to one principal. */
  readonly ownersOnly: boolean
  /** An outcome as JSON text; throws where there is none. */
  readonly encode: (outcome: Outcome) => string
  /** The same back; throws where the text does not fit the contract. */
  readonly decode: (kind: Outcome["kind"], text: string) => unknown
}

/** What a downstream said: its answer, or its final word. */
export interface Outcome {
  readonly kind: "answer" | "permanent"
  readonly value: unknown
}

/** One entry. Times are milliseconds since the epoch. */
export interface Entry extends Outcome {
  readonly row: CacheRow
  readonly key: string
  /** When it was asked for: it was true then or later. */
  readonly asOf: number
  /** When it came: it was not true later, as far as anybody knows. */
  readonly cameAt: number
  /** Its share, 0 to 1, of the jitter that takes from its fresh lifetime. */
  readonly jitter: number
  /** How the downstream has shortened its lifetimes. */
  readonly limits: Limits | undefined
  readonly tags: ReadonlyArray<string>
  readonly bytes: number
  /** Why its last refresh failed, nothing since it did not. */
  refreshFailed: string | undefined
}

/** The knobs of a cache, as they are now. */
export interface Values {
  readonly mode: "on" | "dark" | "off"
  readonly freshMillis: number
  readonly staleWhileRevalidateMillis: number
  readonly staleIfErrorMillis: number
  readonly negativeMillis: number
  readonly jitter: number
  readonly entriesMax: number
  readonly bytesMax: number
}

/** For what an entry may serve: as fresh, stale while it is refreshed, stale where that fails, nothing. */
export type Use = "fresh" | "while-revalidate" | "if-error" | "expired"

/** The shorter of two lifetimes, where the second is known. */
const atMost = (own: number, said: number | undefined): number => (said === undefined ? own : Math.min(own, said))

/** How long an entry counts as fresh, in milliseconds: the jitter only ever takes from it, also from what the downstream allows. */
export const freshMillisOf = (entry: Pick<Entry, "kind" | "jitter" | "limits">, of: Values): number =>
  atMost(entry.kind === "answer" ? of.freshMillis : of.negativeMillis, entry.limits?.freshMaxMillis) *
  (1 - of.jitter * entry.jitter)

/** What an entry may serve for at a time (lifetimes as in RFC 5861: those of staleness begin where freshness ends). */
export const useOf = (entry: Pick<Entry, "kind" | "jitter" | "asOf" | "limits">, of: Values, now: number): Use => {
  const age = now - entry.asOf
  const fresh = freshMillisOf(entry, of)
  if (age >= 0 && age < fresh) return "fresh"
  if (entry.kind === "permanent") return "expired"
  // A clock that was set back: nobody knows how old it is, so it serves only where there is nothing else.
  const ifError = atMost(of.staleIfErrorMillis, entry.limits?.staleIfErrorMaxMillis)
  if (age < 0) return ifError > 0 ? "if-error" : "expired"
  if (age < fresh + atMost(of.staleWhileRevalidateMillis, entry.limits?.staleWhileRevalidateMaxMillis)) {
    return "while-revalidate"
  }
  return age < fresh + ifError ? "if-error" : "expired"
}

/** The size of a text in UTF-8, without making it. */
export const utf8Bytes = (text: string): number => {
  let bytes = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code >= 0xd800 && code < 0xe000 ? 2 : 3
  }
  return bytes
}
