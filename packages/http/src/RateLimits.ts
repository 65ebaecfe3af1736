/**
 * Rate limits at the edge: how many requests each client may send, refused with 429
 * before anything is done for them, and told on every response.
 *
 * **Details**
 *
 * Provide {@link layer} to the routes and their `Edge.layer`. Each limit has a name and
 * counts by a key: by default the client's address (of IPv6 its /64 network), else a
 * header, or any function of the request. It counts as `RateLimit` in core does: a
 * sliding window or a token bucket, for a bounded number of keys.
 *
 * Every response to a governed request carries `RateLimit-Policy` and `RateLimit`, but for
 * one that is shed on its socket (see `LoadShedding`), which is not counted. A
 * refused one is a problem of type `quota-exceeded` with the reason `RATE_LIMITED`, the
 * limits that refused as `violated-policies`, and `Retry-After`; its body is not read
 * and nothing of the edge runs for it. Its knobs are settings, named
 * `edge-limits/requests/<name>.*`.
 *
 * **Gotchas**
 *
 * Behind a proxy all requests come from its address: use {@link forwardedFor} with the
 * number of proxies of yours. The limits are those of one process.
 *
 * **Example** (two limits)
 *
 * ```ts
 * import { Edge, RateLimits } from "@failsoft/http"
 * import { Layer } from "effect"
 * import { HttpRouter, HttpServerResponse } from "effect/http"
 *
 * const hello = HttpRouter.add("GET", "/hello", HttpServerResponse.text("hello"))
 * export const app = Layer.merge(hello, Edge.layer()).pipe(
 *   Layer.provide(
 *     RateLimits.layer([
 *       { name: "burst", permits: 20, window: "1 second" },
 *       { name: "day", permits: 10_000, window: "1 day", key: RateLimits.header("x-api-key") }
 *     ])
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 */
import { Policy, RateLimit, Settings, Signal } from "@failsoft/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { digest, networkOf, remoteAddress } from "./internal/clientKey.ts"
import { type Limit, limiting, standing } from "./internal/limitPassage.ts"
import { plainPath } from "./internal/plainPath.ts"
import * as Route from "./Route.ts"

/**
 * Whose request it is; `undefined` for one that the limit does not govern. It is asked on
 * arrival, and again if the request is still running at its deadline.
 *
 * @category models
 * @since 0.1.0
 */
export type Key = (request: HttpServerRequest.HttpServerRequest) => string | undefined

/**
 * One limit. What calls have to do with waiting and learning is not for the edge.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options
  extends Pick<RateLimit.Options, "permits" | "window" | "algorithm" | "burst" | "mode" | "keysMax"> {
  /** Its name in headers, problems and settings. */
  readonly name: string
  /** Whose requests are counted together. Default {@link address}. */
  readonly key?: Key
}

/**
 * The client's address, of IPv6 its /64 network.
 *
 * @category keys
 * @since 0.1.0
 */
export const address: Key = remoteAddress

/**
 * The client's address as so many proxies of yours have written it into
 * `X-Forwarded-For`. What stands left of it was sent by the client and is not believed.
 *
 * @category keys
 * @since 0.1.0
 */
export const forwardedFor =
  (proxies: number): Key =>
  (request) => {
    const hops = (request.headers["x-forwarded-for"] ?? "").split(",").map((hop) => hop.trim())
    const client = hops.at(-proxies)
    return client === undefined || client === "" ? remoteAddress(request) : networkOf(client)
  }

/**
 * The value of a header, such as an API key, kept only as its digest. Requests without
 * it are counted by their address.
 *
 * @category keys
 * @since 0.1.0
 */
export const header =
  (name: string): Key =>
  (request) => {
    const value = request.headers[name.toLowerCase()]
    return value === undefined || value === "" ? remoteAddress(request) : digest(value)
  }

/**
 * A key for each path, however the client writes it, beside another key: a limit per
 * client, method and path.
 *
 * @category keys
 * @since 0.1.0
 */
export const perPath =
  (key: Key = address): Key =>
  (request) => {
    const whose = key(request)
    return whose === undefined ? undefined : `${whose} ${request.method} ${digest(plainPath(request.url))}`
  }

/**
 * The same key for the requests that {@link Route.matching} names, and for no others.
 *
 * @category keys
 * @since 0.1.0
 */
export const only =
  (matches: Route.Matches, key: Key = address): Key =>
  (request) =>
    matches(request) ? key(request) : undefined

/**
 * The same key for all requests but those of some paths and of what lies below them, as
 * the router sees them: health checks, say.
 *
 * @category keys
 * @since 0.1.0
 */
export const except = (prefixes: ReadonlyArray<`/${string}`>, key: Key = address): Key => {
  const left = Route.below(prefixes)
  return (request) => (left(request) ? undefined : key(request))
}

/**
 * The options cannot work; `problems` name the limits and their knobs.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidRateLimits extends Schema.TaggedError<InvalidRateLimits>()("InvalidRateLimits", {
  problems: Schema.Array(Schema.String)
}) {
  override get message() {
    return this.problems.map((problem) => `RateLimits.layer: ${problem}`).join("; ")
  }
}

/**
 * What stands before the routes: it runs the rest, or answers 429 in its place.
 *
 * @category models
 * @since 0.1.0
 */
export interface Guard {
  readonly guard: <E, R>(
    app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
  ) => Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest>
  /** What a request is told of its limits at this time, in milliseconds since the epoch; it is not counted by that. */
  readonly headers: (request: HttpServerRequest.HttpServerRequest, now: number) => Readonly<Record<string, string>>
  /** How many keys each limit knows. */
  readonly state: () => Readonly<Record<string, Policy.Facts>>
}

/**
 * The limits of the current edge; without {@link layer} there are none.
 *
 * @category references
 * @since 0.1.0
 */
export const RateLimits: Context.Reference<Guard | undefined> = Context.Reference<Guard | undefined>(
  "@failsoft/http/RateLimits",
  { defaultValue: () => undefined }
)

/** Enough for the clients of a busy hour; about 200 bytes each. */
const keysDefault = 10_000

/**
 * Limits for the routes and the edge below it. A request must pass all of them.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (limits: ReadonlyArray<Options>): Layer.Layer<never, InvalidRateLimits> =>
  Layer.effect(
    RateLimits,
    Effect.gen(function* () {
      const problems = problemsOf(limits)
      if (problems.length > 0) return yield* new InvalidRateLimits({ problems })
      const row: Policy.Row = { downstream: "edge-limits", method: "requests", bus: yield* Signal.Bus }
      const policy = Policy.stack(
        ...limits.map((of) => Policy.rateLimit({ keysMax: keysDefault, ...of, learn: false }))
      )
      const { parts } = yield* Policy.build(policy, row)
      const settings = yield* Settings.Registry
      yield* settings.register([{ row, policy, budgetMillis: Number.POSITIVE_INFINITY, parts }])
      const living = parts.flatMap(({ instance, part }, at): ReadonlyArray<Limit> => {
        const form = instance.form
        return form._tag === "Gate" && form.gate instanceof RateLimit.RateLimit
          ? [{ name: part.name, gate: form.gate, key: limits[at]?.key ?? address, values: instance.values }]
          : []
      })
      return {
        guard: limiting(living, row),
        headers: standing(living),
        state: () => Object.fromEntries(parts.map(({ part, instance }) => [part.name, instance.state()]))
      }
    })
  )

const problemsOf = (limits: ReadonlyArray<Options>): ReadonlyArray<string> => [
  ...(limits.length === 0 ? ["give it at least one limit"] : []),
  ...limits
    .filter(({ name }, at) => limits.findIndex((of) => of.name === name) !== at)
    .map(({ name }) => `two limits are named ${name}; give each a name of its own`),
  ...limits.flatMap(({ name, ...of }) =>
    Policy.rateLimit({ name, ...of }).parts.flatMap((part) =>
      part
        .problems(Object.fromEntries(Object.entries(part.knobs).map(([knob, { initial }]) => [knob, initial])))
        .map((problem) => `${name}.${problem}`)
    )
  ),
  ...limits
    .filter(({ keysMax }) => keysMax === 0)
    .map(({ name }) => `${name}.keysMax must be at least 1: without keys all clients would share one limit`)
]
