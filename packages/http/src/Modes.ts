/**
 * The mode of the service at its edge: a header that says it, and problems for what is
 * not served in it.
 *
 * **Details**
 *
 * Provide {@link layer} to the routes and their `Edge.layer`, with `ServiceMode.layer` of
 * core below it. While the mode is not `full` each response has the header
 * `Service-Mode`. In a mode that is enforced a write gets 503 with the reason
 * `READ_ONLY`, or any request `OUT_OF_SERVICE`, with `Retry-After` and the record of the
 * refusal; nothing else of the edge runs for it, and its body is not read.
 *
 * **Gotchas**
 *
 * A write is what is not `GET`, `HEAD` or `OPTIONS`: say by `writes` where a `POST` only
 * reads. `/livez`, `/readyz` and `/health` are always served. Do not provide it to the
 * admin port, from which the switch is turned back.
 *
 * **Example** (a router that knows its mode)
 *
 * ```ts
 * import { ServiceMode } from "@failsoft/core"
 * import { Edge, Modes } from "@failsoft/http"
 * import { Layer } from "effect"
 * import { HttpRouter, HttpServerResponse } from "effect/http"
 *
 * const hello = HttpRouter.add("GET", "/hello", HttpServerResponse.text("hello"))
 * export const app = Layer.merge(hello, Edge.layer()).pipe(
 *   Layer.provide(Modes.layer()),
 *   Layer.provide(ServiceMode.layer({ service: "shop", dependents: () => [] }))
 * )
 * ```
 *
 * @since 0.1.0
 */
import { Refused, ServiceMode } from "@failsoft/core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { modeHeaders } from "./internal/modeHeaders.ts"
import { Trial } from "./internal/trial.ts"
import * as Problem from "./Problem.ts"
import * as Route from "./Route.ts"

/**
 * What the mode means to requests.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Whether a request changes something. Default: its method is not `GET`, `HEAD` or `OPTIONS`. */
  readonly writes?: (request: HttpServerRequest.HttpServerRequest) => boolean
}

/**
 * What stands before the routes: it runs the rest, or answers in its place.
 *
 * @category models
 * @since 0.1.0
 */
export interface ModeGuard {
  readonly guard: <E, R>(
    app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
  ) => Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest>
  /** The mode that callers are told at this time, in milliseconds since the epoch. */
  readonly at: (now: number) => ServiceMode.Mode
}

/**
 * The guard of the current edge; without {@link layer} there is none.
 *
 * @category references
 * @since 0.1.0
 */
export const Modes: Context.Reference<ModeGuard | undefined> = Context.Reference<ModeGuard | undefined>(
  "@failsoft/http/Modes",
  { defaultValue: () => undefined }
)

/**
 * The guard of the edge, for the service's mode; without one it does nothing.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<never> =>
  Layer.effect(
    Modes,
    Effect.map(ServiceMode.Current, (mode) =>
      mode === undefined ? unguarded : guarding(mode, options.writes ?? changes)
    )
  )

const unguarded: ModeGuard = { guard: (app) => app, at: () => "full" }

const reading = new Set(["GET", "HEAD", "OPTIONS"])

const changes = ({ method }: HttpServerRequest.HttpServerRequest) => !reading.has(method)

/** Who looks after the service must always be answered. */
const always = (["/livez", "/readyz", "/health"] as const).map((path) => Route.matching("*", path))

const guarding = (
  mode: ServiceMode.ServiceMode,
  writes: (request: HttpServerRequest.HttpServerRequest) => boolean
): ModeGuard => ({
  at: (now) => mode.at(now).mode,
  guard: (app) =>
    Effect.withFiber((fiber) => {
      const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
      const { by, mode: word } = mode.at(now)
      // As most of the time: nothing is made for it.
      if (word === "full") return app
      const request = Context.get(
        fiber.context as Context.Context<HttpServerRequest.HttpServerRequest>,
        HttpServerRequest.HttpServerRequest
      )
      const told = HttpServerResponse.setHeaders(modeHeaders(word))
      if (always.some((matches) => matches(request))) return Effect.map(app, told)
      const access = writes(request) ? "write" : "read"
      const refused = mode.refuses(access, now)
      if (refused !== undefined) return Effect.map(Problem.toResponse(problemOf(refused)), told)
      if (access === "read" || by === "operator") return Effect.map(app, told)
      const trial: Trial = { refused: false }
      return Effect.map(Effect.provideService(app, Trial, trial), (response) => {
        // What the caller did wrong says nothing of what is lost.
        if (trial.refused || (response.status >= 400 && response.status < 500)) mode.untried(now)
        return told(response)
      })
    })
})

const details: Readonly<Record<string, string>> = {
  READ_ONLY: "the service takes no changes for the moment; reading works",
  OUT_OF_SERVICE: "the service is out of service for the moment"
}

const problemOf = (refused: Refused.Refused): Problem.Problem =>
  Problem.make({
    status: 503,
    reason: refused.reason,
    detail: details[refused.reason] ?? "not served for the moment",
    refusal: Refused.record(refused),
    ...(refused.retryAfterMillis === undefined ? {} : { retryAfterMillis: refused.retryAfterMillis })
  })
