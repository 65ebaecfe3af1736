/**
 * What caches did for a request, told to its caller: `Cache-Status` (RFC 9211), `Age`
 * and `Cache-Control` (RFC 9111, RFC 5861).
 *
 * **Details**
 *
 * The edge writes `Cache-Status` for each downstream whose answer went through a cache
 * of its ring: `catalog;hit;ttl=40`, `catalog;fwd=stale;ttl=-412;detail=stale-if-error`,
 * `catalog;fwd=miss;collapsed`. `Age` is that of the oldest answer that is shown, in
 * whole seconds, rounded up. `Cache-Control` is what the handler declares with
 * {@link control}: an edge cannot know what else is in an answer.
 *
 * What a request says of caches (`no-cache`, `max-age=0`, `only-if-cached`) is heard where
 * the option `callerCaching` of the edge says for whom ({@link Callers}).
 *
 * **Gotchas**
 *
 * What was declared holds for an answer that is as it should be, or stale with its age,
 * which others judge by `Age`. An answer that is degraded in another way goes out with
 * `no-store`: nobody else should keep what stands in for the truth. One that is made for a client
 * that carries `Session-Read-Mark` is `private`.
 *
 * **Example** (a page that others may keep for a minute)
 *
 * ```ts
 * import { Caching } from "@failsoft/http"
 * import { Effect } from "effect"
 * import { HttpServerResponse } from "effect/http"
 *
 * export const page = Caching.control({ maxAge: "1 minute", staleIfError: "1 day" }).pipe(
 *   Effect.as(HttpServerResponse.text("hello"))
 * )
 * ```
 *
 * @since 0.1.0
 */
import { type Cache, Journal } from "@failsoft/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Redacted from "effect/Redacted"
import { directivesOf, secondsOf } from "./internal/cacheFields.ts"
import { sameText } from "./internal/sameText.ts"
import { token } from "./internal/structuredField.ts"

/**
 * What others may do with an answer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Directives {
  /** How long it counts as fresh. */
  readonly maxAge: Duration.Input
  readonly staleWhileRevalidate?: Duration.Input
  readonly staleIfError?: Duration.Input
  /** Only the caller's own cache may keep it. Default: anybody's. */
  readonly private?: boolean
}

/**
 * Who gets what his request says of caches. `only-if-cached` loads nobody and is heard
 * from everybody: what is cached, or a problem with the status 504. `no-cache`,
 * `max-age=0`, and `Pragma: no-cache` where there is no `Cache-Control`, each cost a load;
 * they are heard from those only whom `live` trusts, and count as not said from others.
 *
 * @category models
 * @since 0.1.0
 */
export interface Callers {
  readonly live: (request: HttpServerRequest) => boolean
}

/**
 * Trusts who bears a secret in a header; nobody where there is none.
 *
 * @category constructors
 * @since 0.1.0
 */
export const bearing = (header: string, secret: Redacted.Redacted | undefined): Callers["live"] => {
  const name = header.toLowerCase()
  const expected = secret === undefined ? "" : Redacted.value(secret)
  return ({ headers }) => {
    const given = headers[name]
    return expected !== "" && given !== undefined && sameText(given, expected)
  }
}

/**
 * What the headers of a request demand of caches, whoever sends it: for `Cache.Demand`
 * where who is trusted is known later than at the edge.
 *
 * @category accessors
 * @since 0.1.0
 */
export const demandOf = (headers: Readonly<Record<string, string | undefined>>): Cache.Demand => {
  const control = headers["cache-control"]
  if (control === undefined) return directivesOf(headers["pragma"] ?? "").has("no-cache") ? "live" : "any"
  const of = directivesOf(control)
  // Both cannot be had; nobody is asked for that.
  if (of.has("only-if-cached")) return "cached"
  return of.has("no-cache") || of.get("max-age")?.some((text) => secondsOf(text) === 0) ? "live" : "any"
}

const seconds = (of: Duration.Input): number => Math.floor(Duration.toSeconds(Duration.fromInputUnsafe(of)))

/**
 * The value of the `Cache-Control` header.
 *
 * @category converting
 * @since 0.1.0
 */
export const controlHeader = (of: Directives): string =>
  [
    ...(of.private === true ? ["private"] : []),
    `max-age=${seconds(of.maxAge)}`,
    ...(of.staleWhileRevalidate === undefined ? [] : [`stale-while-revalidate=${seconds(of.staleWhileRevalidate)}`]),
    ...(of.staleIfError === undefined ? [] : [`stale-if-error=${seconds(of.staleIfError)}`])
  ].join(", ")

/** By journal, of which each request has its own: nothing is added to requests that declare nothing. */
const declared = new WeakMap<Journal.RequestJournal, Directives>()

/**
 * Declares what others may do with the answer to the current request. Does nothing
 * without an edge.
 *
 * @category combinators
 * @since 0.1.0
 */
export const control = (directives: Directives): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const journal = fiber.getRef(Journal.Journal)
    if (journal !== undefined) declared.set(journal, directives)
    return Effect.void
  })

/** The worse one tells more. */
const rank = ({ status, ttlMillis = 0 }: Journal.CacheUse): number =>
  status === "stale-if-error" ? 5 : status === "hit" ? (ttlMillis < 0 ? 4 : 1) : status === "collapsed" ? 2 : 3

const member = (use: Journal.CacheUse): string => {
  const ttl = use.ttlMillis === undefined ? "" : `;ttl=${Math.floor(use.ttlMillis / 1000)}`
  switch (use.status) {
    case "hit":
      return `;hit${ttl}`
    case "stale-if-error":
      return `;fwd=stale${ttl};detail=stale-if-error`
    case "miss":
      return ";fwd=miss"
    case "collapsed":
      return ";fwd=miss;collapsed"
    case "bypass":
      return ";fwd=bypass"
  }
}

/**
 * The value of the `Cache-Status` header: a member for each downstream, its worst use.
 *
 * @category converting
 * @since 0.1.0
 */
export const statusHeader = (uses: ReadonlyArray<Journal.CacheUse>): string => {
  const worst = new Map<string, Journal.CacheUse>()
  for (const use of uses) {
    const known = worst.get(use.downstream)
    if (known === undefined || rank(use) > rank(known)) worst.set(use.downstream, use)
  }
  return [...worst.values()].map((use) => `${token(use.downstream)}${member(use)}`).join(", ")
}

/**
 * The headers that tell what caches did for the request of a journal, for an answer
 * with this status; nothing where there is nothing to tell.
 *
 * @category converting
 * @since 0.1.0
 */
export const headers = (
  journal: Journal.RequestJournal,
  status: number
): Readonly<Record<string, string>> | undefined => {
  const uses = journal.cacheUses()
  const directives = declared.get(journal)
  if (uses.length === 0 && directives === undefined) return undefined
  const degraded = journal.entries()
  const ages = [
    ...uses.flatMap(({ ageMillis }) => ageMillis ?? []),
    ...degraded.flatMap(({ ageMillis, quality }) => (quality === "stale" ? (ageMillis ?? []) : []))
  ]
  const good = status >= 200 && status < 300
  return {
    ...(uses.length === 0 ? {} : { "cache-status": statusHeader(uses) }),
    ...(good && ages.length > 0 ? { age: String(Math.ceil(Math.max(...ages) / 1000)) } : {}),
    ...(good && directives !== undefined
      ? {
          "cache-control": degraded.some(({ quality }) => quality !== "stale") ? "no-store" : controlHeader(directives)
        }
      : {})
  }
}
