/**
 * For which route a request is, as the router sees it.
 *
 * **Details**
 *
 * The router looks past the query, the case of letters, a slash at the end, several
 * slashes in a row and percent-encoding: `//Orders/?x=1` reaches the route `/orders`. Whoever
 * compares `request.url` with a text does not, so that a caller may walk around a quota or
 * a rule by writing the same address in another way.
 *
 * **Gotchas**
 *
 * A router that is configured otherwise (`routerConfig`) needs the same here.
 *
 * **Example** (a quota of one route)
 *
 * ```ts
 * import { RateLimits, Route } from "@failsoft/http"
 *
 * export const orders = RateLimits.layer([
 *   {
 *     name: "orders",
 *     permits: 100,
 *     window: "1 minute",
 *     key: RateLimits.only(Route.matching("POST", "/orders"), RateLimits.header("authorization"))
 *   }
 * ])
 * ```
 *
 * @since 0.1.0
 */
import * as FindMyWay from "effect/http/FindMyWay"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"

/**
 * Whether a request is meant.
 *
 * @category models
 * @since 0.1.0
 */
export type Matches = (request: Pick<HttpServerRequest.HttpServerRequest, "method" | "url">) => boolean

/**
 * The requests of one route: its method (`*` for all; `HEAD` goes with `GET`) and its path
 * with the parameters and wildcards of the router (`/items/:id`, `/files/*`).
 *
 * @category constructors
 * @since 0.1.0
 */
export const matching = (method: string, path: `/${string}`, config: Partial<FindMyWay.RouterConfig> = {}): Matches => {
  // The router serves the bare path of a wildcard too.
  const paths = path.endsWith("/*") ? [path, rooted(path.slice(1, -2))] : [path]
  return found(method === "GET" ? ["GET", "HEAD"] : method, paths, config)
}

/**
 * The requests of some paths and of all that lies below them, whatever the method.
 *
 * @category constructors
 * @since 0.1.0
 */
export const below = (prefixes: ReadonlyArray<`/${string}`>, config: Partial<FindMyWay.RouterConfig> = {}): Matches =>
  found(
    "*",
    prefixes.flatMap((prefix) => {
      const path = prefix.replace(/^\/+|\/+$/g, "")
      return [rooted(path), rooted(path === "" ? "*" : `${path}/*`)]
    }),
    // However long it is, it lies below.
    { ...config, maxParamLength: Number.POSITIVE_INFINITY }
  )

const found = (
  method: string | ReadonlyArray<string>,
  paths: ReadonlyArray<`/${string}`>,
  config: Partial<FindMyWay.RouterConfig>
): Matches => {
  const router = FindMyWay.make<true>(config)
  for (const path of new Set(paths)) {
    if (method === "*") router.all(path, true)
    else router.on(method, path, true)
  }
  return (request) => router.find(request.method, request.url) !== undefined
}

const rooted = (path: string): `/${string}` => `/${path}`
