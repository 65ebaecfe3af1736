/**
 * The service edge: what every request passes on its way in and out.
 *
 * **Details**
 *
 * In: the deadline, the least of the request's own headers and `deadline`; a fresh
 * `Journal`; a limit on the body. Out: every error, unknown route and defect as a
 * problem body, the `Degradation` header, and `connection: close` while draining.
 * A request whose time is spent on arrival is refused with 504; one that is still
 * running at its deadline is interrupted and answered with 503, or with 408 where
 * its body has not even arrived.
 *
 * A client that sends `Session-Read-Mark` (anything to begin with, then what it got last)
 * carries what its session was shown by methods with monotonic reads from one process to
 * another: it is shown nothing older. It gets the field again with each answer of the
 * routes that has a mark to tell. Its answers are its own: they go out with `Vary` and
 * a `Cache-Control` that is private, also where a handler says otherwise.
 *
 * With `callerCaching` a GET that says `no-cache` has a live answer, where its caller is
 * trusted, and one that says `only-if-cached` has what is cached, or 504.
 *
 * Who stands before it is asked in this order, wherever their layers are: `Modes`,
 * `RateLimits`, `LoadShedding`. Under `Server.serve` a request that would be shed is
 * answered on its socket before all of them, unless something may be refused by mode.
 *
 * **Gotchas**
 *
 * Provide it beside the routes, inside `HttpRouter.serve`. A response that streams
 * carries the degradations known when it began.
 *
 * **Example** (a router with an edge)
 *
 * ```ts
 * import { Edge } from "@failsoft/http"
 * import { Effect, Layer } from "effect"
 * import { HttpRouter, HttpServerResponse } from "effect/http"
 *
 * const hello = HttpRouter.add("GET", "/hello", Effect.succeed(HttpServerResponse.text("hello")))
 * export const app = Layer.merge(hello, Edge.layer({ deadline: "2 seconds" }))
 * ```
 *
 * @since 0.1.0
 */
import { Deadline } from "@failsoft/core"
import * as ByteSize from "effect/ByteSize"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Layer from "effect/Layer"
import type * as Caching from "./Caching.ts"
import { Drain } from "./Drain.ts"
import { EdgeRequest, type Limits } from "./internal/edgeRequest.ts"
import { Door } from "./internal/frontDoor.ts"
import { modeHeaders } from "./internal/modeHeaders.ts"
import * as readMarkField from "./internal/readMarkField.ts"
import { Early } from "./internal/shedEarly.ts"
import { LoadShedding } from "./LoadShedding.ts"
import { Modes } from "./Modes.ts"
import { RateLimits } from "./RateLimits.ts"

/**
 * The limits of the edge.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The longest that a request may take, whatever it asks for. Default 2 s. */
  readonly deadline?: Duration.Input
  /** The largest request body in bytes. Default 1 MiB. */
  readonly requestMaxBytes?: number
  /** The most marks of `Session-Read-Mark` (about 28 bytes each): so many keys of a session are remembered. Default 32, 0 for none, 100 at most. */
  readonly readMarksMax?: number
  /**
   * Who gets what his request says of caches. Default: nobody, since whoever may ask for
   * live answers can walk around every cache and load what is behind it.
   */
  readonly callerCaching?: Caching.Callers
}

/**
 * The edge as a global middleware of the router.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  HttpRouter.middleware(
    Effect.gen(function* () {
      const shedder = yield* LoadShedding
      const limited = yield* RateLimits
      const modes = yield* Modes
      const drain = yield* Drain
      const door = yield* Door
      const early = yield* Early
      if (door !== undefined && early !== undefined) {
        const porter = early(modes === undefined ? () => "full" : modes.at)
        yield* Effect.acquireRelease(
          Effect.sync(() => door.add(porter)),
          (leave) => Effect.sync(leave)
        )
      }
      const maxBytes = options.requestMaxBytes ?? 1_048_576
      const readMarksMax = options.readMarksMax ?? 32
      if (!Number.isInteger(readMarksMax) || readMarksMax < 0 || readMarksMax > readMarkField.marksMax) {
        throw new Error(
          `Edge: readMarksMax is ${readMarksMax}; it must be a whole number from 0 to ${readMarkField.marksMax}`
        )
      }
      const limits: Limits = {
        deadlineMillis: Duration.toMillis(Duration.fromInputUnsafe(options.deadline ?? "2 seconds")),
        maxBytes,
        maxSize: ByteSize.bytes(maxBytes),
        readMarksMax,
        callers: options.callerCaching,
        alarms: Deadline.makeAlarms(),
        drain,
        told: (request, now) => {
          try {
            return { ...limited?.headers(request, now), ...modeHeaders(modes?.at(now) ?? "full") }
          } catch {
            // A key of the user's that was good on arrival; the sleeper of all requests must not end with it.
            return {}
          }
        }
      }
      return <E, R>(app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) => {
        const served = Effect.withFiber<HttpServerResponse.HttpServerResponse, E, R>((fiber) =>
          new EdgeRequest(limits, fiber, Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)).serve(
            app
          )
        )
        const shed = shedder === undefined ? served : shedder.guard(served)
        // A client over its quota must not take a place from others; one that is shed on its socket takes none.
        const within = limited === undefined ? shed : limited.guard(shed)
        // What is not served at all takes nothing from anybody.
        return modes === undefined ? within : modes.guard(within)
      }
    }),
    { global: true }
  )
