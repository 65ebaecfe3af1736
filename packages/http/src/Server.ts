/**
 * A service as a process: it listens, drains when told to stop, and says in one
 * line why it cannot start.
 *
 * **Details**
 *
 * At the first `SIGTERM` or `SIGINT`: `/readyz` turns 503 while requests are still
 * served for `lameDuck`; then the server stops accepting, finishes what is in
 * flight within `grace`, and the process exits 0. A second signal ends it at once,
 * with 128 + the signal's number.
 *
 * **Gotchas**
 *
 * `run` owns the process: it sets its exit code and its signal handlers.
 *
 * **Example** (a service's main)
 *
 * ```ts no-run
 * import { Edge, Server } from "@failsoft/http"
 * import { Effect, Layer } from "effect"
 * import { HttpRouter, HttpServerResponse } from "effect/http"
 *
 * const routes = Layer.merge(
 *   HttpRouter.add("GET", "/hello", Effect.succeed(HttpServerResponse.text("hello"))),
 *   Edge.layer()
 * )
 * Server.run(Server.serve(routes, { port: 4000, portVariable: "PORT" }))
 * ```
 *
 * @since 0.1.0
 */
import { createServer } from "node:http"
import { constants } from "node:os"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Drain from "./Drain.ts"
import { Door, FrontDoor, withDoor } from "./internal/frontDoor.ts"
import { answerRawErrors } from "./internal/rawErrors.ts"

/**
 * The port cannot be listened on; the message names it, and the variable that
 * sets another one.
 *
 * @category errors
 * @since 0.1.0
 */
export class PortUnavailable extends Schema.TaggedError<PortUnavailable>()("PortUnavailable", {
  port: Schema.Int,
  variable: Schema.String,
  code: Schema.String
}) {
  override get message() {
    return this.code === "EADDRINUSE"
      ? `The port ${this.port} is in use: stop what listens on it, or set ${this.variable} to another port.`
      : `Cannot listen on port ${this.port} (${this.code}): set ${this.variable} to another port.`
  }
}

/**
 * Where a server listens.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** 0 takes a free one. */
  readonly port: number
  /** The name of the environment variable that sets the port, for the message when it is taken. */
  readonly portVariable: string
  /** Default: loopback. */
  readonly host?: string
  /** How long requests in flight may take to finish after the server stopped accepting. Default 10 s. */
  readonly grace?: Duration.Input
  /** Told the port once the server listens, before its first request. */
  readonly onListening?: (port: number) => void
}

/**
 * Serves a router's layers on a port of their own, without a logger per request.
 *
 * @category layers
 * @since 0.1.0
 */
export const serve = <A, E, R>(routes: Layer.Layer<A, E, R>, options: Options) =>
  Layer.unwrap(Effect.sync(() => serving(routes, options, new FrontDoor())))

const serving = <A, E, R>(routes: Layer.Layer<A, E, R>, options: Options, door: FrontDoor) =>
  HttpRouter.serve(Layer.provide(routes, Layer.succeed(Door, door)), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(
    Layer.provideMerge(
      Layer.effectDiscard(
        Effect.map(HttpServer.HttpServer, ({ address }) => {
          if ("port" in address) options.onListening?.(address.port)
        })
      )
    ),
    Layer.provide(
      NodeHttpServer.layer(
        // Node's own limits are the backstop for a client that never finishes its request.
        () =>
          withDoor(
            answerRawErrors(
              createServer({ requestTimeout: 30_000, headersTimeout: 10_000, connectionsCheckingInterval: 1000 })
            ),
            door
          ),
        {
          port: options.port,
          host: options.host ?? "127.0.0.1",
          gracefulShutdownTimeout: options.grace ?? "10 seconds"
        }
      )
    ),
    Layer.catchTag("ServeError", (error) => Layer.effectDiscard(Effect.fail(unavailable(error, options))))
  )

const unavailable = (error: unknown, { port, portVariable }: Options) =>
  new PortUnavailable({
    port,
    variable: portVariable,
    code:
      Predicate.hasProperty(error, "cause") && Predicate.hasProperty(error.cause, "code")
        ? String(error.cause.code)
        : "unknown error"
  })

/**
 * Runs a service until a signal, then drains it. `lameDuck` (500 ms by default) is
 * the time in which balancers notice that it is not ready any more. `onReady` runs
 * once everything is built.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <A, E>(
  service: Layer.Layer<A, E>,
  options: { readonly lameDuck?: Duration.Input; readonly onReady?: Effect.Effect<void> } = {}
): void => {
  const stop = Deferred.makeUnsafe<void>()
  let firstAt: number | undefined
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      const now = Effect.runSync(Clock.currentTimeMillis)
      firstAt ??= now
      if (now - firstAt > sameSignalMillis) process.exit(128 + constants.signals[signal])
      Deferred.doneUnsafe(stop, Effect.void)
    })
  }
  const program = Effect.gen(function* () {
    const context = yield* Layer.build(Layer.provideMerge(service, Drain.layer))
    yield* options.onReady ?? Effect.void
    yield* Deferred.await(stop)
    Context.get(context, Drain.Drain).begin()
    yield* Effect.sleep(options.lameDuck ?? "500 millis")
  })
  Effect.runCallback(Effect.scoped(program), {
    onExit: (exit) => {
      if (Exit.isFailure(exit)) console.error(explain(exit.cause))
      process.exit(Exit.isSuccess(exit) ? 0 : 1)
    }
  })
}

/** One signal to a process group arrives twice, directly and from a launcher that passes it on. */
const sameSignalMillis = 250

/** An expected error is its message; only a defect shows where it happened. */
const explain = (cause: Cause.Cause<unknown>): string => {
  const [failure] = cause.reasons
  return failure?._tag === "Fail" && Predicate.hasProperty(failure.error, "message")
    ? String(failure.error.message)
    : Cause.pretty(cause)
}
