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
import { Deadline, Journal } from "@failsoft/core"
import * as ByteSize from "effect/ByteSize"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Degraded from "./Degraded.ts"
import { Drain } from "./Drain.ts"
import { answerEarly } from "./internal/answerEarly.ts"
import { grantedMillis } from "./internal/requestDeadline.ts"
import { fromCause, withProblemBody } from "./internal/toProblem.ts"
import { LoadShedding } from "./LoadShedding.ts"
import * as Problem from "./Problem.ts"

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
}

/**
 * The edge as a global middleware of the router.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<never, never, HttpRouter.HttpRouter> => {
  const deadlineMillis = Duration.toMillis(Duration.fromInputUnsafe(options.deadline ?? "2 seconds"))
  const maxBytes = options.requestMaxBytes ?? 1_048_576
  const maxSize = ByteSize.bytes(maxBytes)

  const serve = <E, R>(app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
    Effect.gen(function* () {
      const drain = yield* Drain
      const request = yield* HttpServerRequest.HttpServerRequest
      const journal = yield* Journal.make
      const admitted = admit(request, maxBytes)
      const served =
        typeof admitted === "number" ? within(app, Math.min(admitted, deadlineMillis), request) : Effect.fail(admitted)
      const response = yield* served.pipe(
        Effect.provideService(Journal.Journal, journal),
        Effect.provideService(HttpIncomingMessage.MaxBodySize, maxSize),
        Effect.catchCause((cause) =>
          Cause.hasInterruptsOnly(cause)
            ? Effect.failCause(Cause.fromReasons<E>(cause.reasons.filter(Cause.isInterruptReason)))
            : fromCause(cause, request)
        ),
        Effect.flatMap(withProblemBody)
      )
      const degraded = Degraded.fromJournal(journal.entries())
      const labelled =
        degraded.length === 0
          ? response
          : HttpServerResponse.setHeader(response, "degradation", Degraded.header(degraded))
      return drain.draining() ? HttpServerResponse.setHeader(labelled, "connection", "close") : labelled
    })

  return HttpRouter.middleware(
    Effect.map(
      LoadShedding,
      (shedder) =>
        <E, R>(app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
          shedder === undefined ? serve(app) : shedder.guard(serve(app))
    ),
    { global: true }
  )
}

/** What the headers alone decide: the milliseconds that the request grants, or why it may not come in. */
const admit = (request: HttpServerRequest.HttpServerRequest, maxBytes: number): Problem.Problem | number => {
  const granted = grantedMillis(request.headers)
  if (typeof granted === "string") {
    return Problem.make({ status: 400, reason: "MALFORMED_HEADER", detail: granted })
  }
  if (granted < 1) return Problem.make({ status: 504, reason: "DEADLINE_EXCEEDED", detail: spentDetail })
  return Number(request.headers["content-length"] ?? 0) > maxBytes ? tooLarge(maxBytes) : granted
}

const spentDetail = "the time that the request grants was spent on arrival"

const tooLarge = (maxBytes: number) =>
  Problem.make({ status: 413, reason: "BODY_TOO_LARGE", detail: `the body may have at most ${maxBytes} bytes` })

/** Runs the rest with this much time, and answers by itself when that is over. */
const within = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>,
  millis: number,
  request: HttpServerRequest.HttpServerRequest
): Effect.Effect<HttpServerResponse.HttpServerResponse, E | Problem.Problem, R> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    // The server runs a request uninterruptibly up to its route; a client that goes away must end the race.
    Effect.interruptible(
      Effect.raceFirst(
        Effect.provideService(app, Deadline.Deadline, now + millis),
        Effect.delay(
          Effect.suspend(() => (isArriving(request) ? bodyLate(request) : noAnswer(millis))),
          millis
        )
      )
    )
  )

const noAnswer = (millis: number) =>
  Effect.fail(
    Problem.make({ status: 503, reason: "DEADLINE_EXCEEDED", detail: `no answer within ${Math.round(millis)} ms` })
  )

/** The handler is still reading, so the answer goes out before the race interrupts it. */
const bodyLate = (request: HttpServerRequest.HttpServerRequest) =>
  Problem.toResponse(bodyTimeout).pipe(
    Effect.flatMap((response) => answerEarly(request, response)),
    Effect.andThen(Effect.fail(bodyTimeout))
  )

const bodyTimeout = Problem.make({
  status: 408,
  reason: "BODY_TIMEOUT",
  retryable: true,
  detail: "the body did not arrive in time"
})

/** Node's incoming message says whether it was received to its end. */
const isArriving = (request: HttpServerRequest.HttpServerRequest): boolean =>
  Predicate.hasProperty(request.source, "complete") && request.source.complete === false
