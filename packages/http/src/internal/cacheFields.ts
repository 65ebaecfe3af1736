/** `Cache-Control` and `Age` (RFC 9111, RFC 5861): a list of directives, which is no structured field. */
import type { Cache } from "@failsoft/core"

/** The greatest number of seconds that anybody means (RFC 9111, 1.2.2). */
const secondsMax = 2 ** 31

/**
 * The directives of a field by their names in small letters, with the arguments that
 * each was given; one without an argument has "". A semicolon, which some write for the
 * comma, parts directives too, and what is within quotes that never end is read as if
 * there were none: of two readings the one in which more is forbidden.
 */
export const directivesOf = (field: string): ReadonlyMap<string, ReadonlyArray<string>> => {
  const all = new Map<string, Array<string>>()
  for (const part of partsOf(field)) {
    const at = part.indexOf("=")
    const name = (at < 0 ? part : part.slice(0, at)).trim().toLowerCase()
    if (name === "") continue
    const given = all.get(name) ?? []
    all.set(name, given)
    given.push(at < 0 ? "" : plain(part.slice(at + 1).trim()))
  }
  return all
}

/** The parts between commas and semicolons that are not quoted. */
const partsOf = (field: string): ReadonlyArray<string> => {
  const parts: Array<string> = []
  let from = 0
  for (let at = 0; at < field.length; at++) {
    const char = field[at]
    if (char === '"') at = endOfQuoted(field, at)
    else if (char === "," || char === ";") {
      parts.push(field.slice(from, at))
      from = at + 1
    }
    // Once for the whole field: each further quote would be looked for to the end again.
    if (at === unended) return field.split(/[,;]/)
  }
  parts.push(field.slice(from))
  return parts
}

const unended = Number.POSITIVE_INFINITY

const endOfQuoted = (field: string, from: number): number => {
  for (let at = from + 1; at < field.length; at++) {
    if (field[at] === "\\") at++
    else if (field[at] === '"') return at
  }
  return unended
}

/** An argument without its quotes. */
const plain = (argument: string): string =>
  argument.length > 1 && argument.startsWith('"') && argument.endsWith('"')
    ? argument.slice(1, -1).replace(/\\(.)/g, "$1")
    : argument

/** A whole number of seconds; nothing for any other text. */
export const secondsOf = (text: string): number | undefined =>
  /^\d+$/.test(text) ? Math.min(Number(text), secondsMax) : undefined

/** The least that a directive says, in milliseconds: an argument that is none counts as 0 (RFC 9111, 4.2.1). */
const leastMillis = (given: ReadonlyArray<string> | undefined): number | undefined =>
  given === undefined ? undefined : Math.min(...given.map((text) => secondsOf(text) ?? 0)) * 1000

/**
 * What a response says of keeping it, as a shared cache has to read it; nothing where it
 * says nothing. `no-cache` and `private` for certain fields only count as for all.
 */
export const saidOf = (headers: Readonly<Record<string, string | undefined>>): Cache.Said | undefined => {
  const field = headers["cache-control"]
  // Of a list the first counts, and what is no number says nothing (RFC 9111, 5.1).
  const age = secondsOf((headers["age"] ?? "").split(",", 1)[0]?.trim() ?? "")
  if (field === undefined && age === undefined) return undefined
  const of = directivesOf(field ?? "")
  const noCache = of.has("no-cache")
  const neverStale = noCache || of.has("must-revalidate") || of.has("proxy-revalidate") || of.has("s-maxage")
  const fresh = noCache ? 0 : leastMillis(of.get("s-maxage") ?? of.get("max-age"))
  const whileRevalidate = neverStale ? 0 : leastMillis(of.get("stale-while-revalidate"))
  const ifError = neverStale ? 0 : leastMillis(of.get("stale-if-error"))
  return {
    keepFor: of.has("no-store") ? "nobody" : of.has("private") ? "owner" : "anybody",
    ...(fresh === undefined ? {} : { freshMaxMillis: fresh }),
    ...(whileRevalidate === undefined ? {} : { staleWhileRevalidateMaxMillis: whileRevalidate }),
    ...(ifError === undefined ? {} : { staleIfErrorMaxMillis: ifError }),
    ...(age === undefined || age === 0 ? {} : { ageMillis: age * 1000 })
  }
}

/** Tells the cache above what a response says. */
export const tellSaid = (heard: Cache.Listener, headers: Readonly<Record<string, string | undefined>>): void => {
  const said = saidOf(headers)
  if (said !== undefined) heard(said)
}
