/**
 * Load shedding at the edge: under overload the least important requests are
 * answered 503 at once, before anything is done for them.
 *
 * **Details**
 *
 * Provide {@link layer} to the routes and their `Edge.layer`. What a request is worth
 * comes from its endpoint: the annotation {@link Priority} of an `HttpApi`'s
 * endpoint, group or whole (given as `routes: LoadShedding.endpoints(api)`), and
 * {@link priority} around a layer of plain routes. A caller may say by the header `Priority` (RFC 9218) that its request matters less
 * (`u=5` to `u=7`); that it matters more (`u=0`, `u=1`) is believed only of those
 * whom `trusts` names. `Shedder` in core says who is shed, when, and why.
 *
 * A shed request gets a problem of type `temporary-reduced-capacity` with the reason
 * `LOAD_SHED`, the record of the refusal, and a jittered `Retry-After`. Nothing of the
 * edge runs for it, and of its body at most 256 KiB are read, to keep the connection.
 * Under `Server.serve` one that need not wait, and has no larger body, is answered on its
 * socket, before there is a fiber or a span for it. Its
 * knobs are settings, named `edge/requests/loadShedding.*`.
 *
 * **Gotchas**
 *
 * Health and admin routes are never shed. A route without a word is `default`.
 * Behind a proxy that lets callers set `Priority`, `trusts` must look at something
 * that callers cannot forge. What is answered on its socket passes no middleware and no
 * rate limit, and leaves no span: give by `onSocket` the headers that such an answer needs
 * (of CORS, say), or switch it off.
 *
 * **Example** (recommendations go first)
 *
 * ```ts
 * import { Edge, LoadShedding } from "@failsoft/http"
 * import { Layer } from "effect"
 * import { HttpRouter, HttpServerResponse } from "effect/http"
 *
 * const similar = HttpRouter.add("GET", "/similar", HttpServerResponse.text("[]"))
 * const order = HttpRouter.add("POST", "/orders", HttpServerResponse.text("ordered"))
 *
 * export const app = Layer.mergeAll(
 *   similar.pipe(LoadShedding.priority("sheddable")),
 *   order.pipe(LoadShedding.priority("critical")),
 *   Edge.layer()
 * ).pipe(Layer.provide(LoadShedding.layer()))
 * ```
 *
 * @since 0.1.0
 */
import { validateHeaderName, validateHeaderValue } from "node:http"
import { Policy, Settings, Shedder, Signal } from "@failsoft/core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpApi from "effect/http-api/HttpApi"
import type * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import { Drain } from "./Drain.ts"
import * as loopDelay from "./internal/loopDelay.ts"
import { statedPriority } from "./internal/priorityHeader.ts"
import { grantedMillis } from "./internal/requestDeadline.ts"
import { type Place, Places, placing, RoutePlaces } from "./internal/routePlaces.ts"
import { Early, shedEarly } from "./internal/shedEarly.ts"
import { ShedPassage } from "./internal/shedPassage.ts"

/**
 * The priority of an endpoint, a group or a whole `HttpApi`, as an annotation.
 *
 * @category annotations
 * @since 0.1.0
 */
export const Priority: Context.Reference<Shedder.Priority> = Context.Reference<Shedder.Priority>(
  "@failsoft/http/LoadShedding/Priority",
  { defaultValue: () => "default" }
)

/**
 * Gives all routes of a layer a priority.
 *
 * @category combinators
 * @since 0.1.0
 */
export const priority: (
  of: Shedder.Priority
) => <A, E, R>(routes: Layer.Layer<A, E, R>) => Layer.Layer<A, E, R | HttpRouter.HttpRouter> = placing

/**
 * Takes all routes of a layer out of shedding: they are neither shed nor counted.
 *
 * @category combinators
 * @since 0.1.0
 */
export const exempt: <A, E, R>(routes: Layer.Layer<A, E, R>) => Layer.Layer<A, E, R | HttpRouter.HttpRouter> =
  placing("exempt")

/**
 * What a route is worth, by its method (`*` for all) and its path as the router knows it.
 *
 * @category models
 * @since 0.1.0
 */
export interface RoutePriority {
  readonly method: string
  readonly path: `/${string}`
  readonly priority: Shedder.Priority
}

/**
 * The priorities of an API's endpoints, from their annotations {@link Priority}: the
 * endpoint's own, else its group's, else the API's.
 *
 * @category accessors
 * @since 0.1.0
 */
export const endpoints = <Id extends string, Groups extends HttpApiGroup.Constraint>(
  api: HttpApi.HttpApi<Id, Groups>
): ReadonlyArray<RoutePriority> => {
  const all: Array<RoutePriority> = []
  HttpApi.reflect(api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint: { method, path }, mergedAnnotations }) =>
      void all.push({ method, path: `/${path.slice(1)}`, priority: Context.get(mergedAnnotations, Priority) })
  })
  return all
}

/**
 * The options of the shedder, and where priorities come from.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Shedder.Options {
  /** The priorities of routes: those of an API by {@link endpoints}, others by hand. */
  readonly routes?: ReadonlyArray<RoutePriority>
  /** Whether this caller may raise the priority of its request by the header `Priority`. Default: nobody. */
  readonly trusts?: (request: HttpServerRequest.HttpServerRequest) => boolean
  /**
   * Whether a request may be answered on its socket, where no middleware sees it, and with
   * which headers besides its own: those of your middlewares. Default: it may, with no others.
   */
  readonly onSocket?: boolean | { readonly headers: Readonly<Record<string, string>> }
}

/** Their names as Node compares them. */
const onSocketHeaders = ({ onSocket }: Options): Readonly<Record<string, string>> =>
  typeof onSocket === "object"
    ? Object.fromEntries(Object.entries(onSocket.headers).map(([name, value]) => [name.toLowerCase(), value]))
    : {}

/** One that Node does not write would be found out in the middle of an overload. */
const headerProblems = (options: Options): ReadonlyArray<string> =>
  Object.entries(onSocketHeaders(options)).flatMap(([name, value]) => {
    try {
      validateHeaderName(name)
      validateHeaderValue(name, value)
      return []
    } catch {
      return [`onSocket: ${JSON.stringify(name)} with the value ${JSON.stringify(value)} is no header of HTTP`]
    }
  })

/**
 * The options cannot work; `problems` name the knobs and what they must be.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidShedding extends Schema.TaggedError<InvalidShedding>()("InvalidShedding", {
  problems: Schema.Array(Schema.String)
}) {
  override get message() {
    return this.problems.map((problem) => `LoadShedding.layer: ${problem}`).join("; ")
  }
}

/**
 * What stands before the routes: it runs the rest, or answers in its place.
 *
 * @category models
 * @since 0.1.0
 */
export interface LoadShedder {
  readonly guard: <E, R>(
    app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
  ) => Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest>
  /** Who runs and waits, the limit, and the level of the event loop's delay. */
  readonly state: () => Policy.Facts
}

/**
 * The shedder of the current edge; without {@link layer} there is none.
 *
 * @category references
 * @since 0.1.0
 */
export const LoadShedding: Context.Reference<LoadShedder | undefined> = Context.Reference<LoadShedder | undefined>(
  "@failsoft/http/LoadShedding",
  { defaultValue: () => undefined }
)

/**
 * A shedder for the routes and the edge below it, with the delay of Node's event
 * loop.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<never, InvalidShedding> =>
  Layer.provide(layerUnmeasured(options), loopDelay.layer)

/**
 * The same with whatever `Shedder.LoopDelay` the context has.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerUnmeasured = (options: Options = {}): Layer.Layer<never, InvalidShedding> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const bus = yield* Signal.Bus
      const policy = Shedder.policy(options)
      const problems = policy.parts
        .flatMap((part) =>
          part.problems(Object.fromEntries(Object.entries(part.knobs).map(([name, { initial }]) => [name, initial])))
        )
        .concat(headerProblems(options))
      if (problems.length > 0) return yield* new InvalidShedding({ problems })
      const row: Policy.Row = { downstream: "edge", method: "requests", bus }
      const { parts } = yield* Policy.build(policy, row)
      const settings = yield* Settings.Registry
      const downstream = yield* settings.register([{ row, policy, budgetMillis: Number.POSITIVE_INFINITY, parts }])
      const places = new RoutePlaces(yield* HttpRouter.RouterConfig, (method) => ({ downstream, method, bus }))
      for (const { method, path, priority } of options.routes ?? []) places.add(method, path, priority)
      const form = parts[0]?.instance.form
      const clock = yield* Clock.Clock
      const random = yield* Random.Random
      const early =
        options.onSocket === false || form?._tag !== "Gate"
          ? undefined
          : shedEarly({
              gate: form.gate,
              places,
              now: () => clock.currentTimeMillisUnsafe(),
              random: () => random.nextDoubleUnsafe(),
              drain: yield* Drain,
              headers: onSocketHeaders(options)
            })
      return Context.make(LoadShedding, shedder(parts, places, options.trusts ?? (() => false))).pipe(
        Context.add(Places, places),
        Context.add(Early, early)
      )
    })
  )

const shedder = (
  parts: Policy.Built["parts"],
  places: RoutePlaces,
  trusts: (request: HttpServerRequest.HttpServerRequest) => boolean
): LoadShedder => {
  const instance = parts[0]?.instance
  const form = instance?.form
  return {
    state: () => instance?.state() ?? {},
    guard: (app) =>
      form?._tag !== "Gate"
        ? app
        : Effect.withFiber((fiber) => {
            const request = Context.get(
              fiber.context as Context.Context<HttpServerRequest.HttpServerRequest>,
              HttpServerRequest.HttpServerRequest
            )
            const { place, row } = places.find(request.method, request.url)
            if (place === "exempt") return app
            const granted = grantedMillis(request.headers)
            // What is malformed is refused by the edge, with a sentence.
            const millis = typeof granted === "number" ? granted : Number.POSITIVE_INFINITY
            const passage = new ShedPassage(form.gate, app, fiber, request, row, worth(request, place, trusts), millis)
            return Effect.onExitPrimitive(
              Effect.suspend(() => passage.enter()),
              (exit) => passage.ended(exit)
            )
          })
  }
}

/** A caller may always step back; forward it comes only where it is trusted. */
const worth = (
  request: HttpServerRequest.HttpServerRequest,
  place: Exclude<Place, "exempt">,
  trusts: (request: HttpServerRequest.HttpServerRequest) => boolean
): Shedder.Priority => {
  const stated = statedPriority(request.headers["priority"])
  if (stated === undefined || stated === place) return place
  return trusts(request) ? stated : Shedder.lower(place, stated)
}
