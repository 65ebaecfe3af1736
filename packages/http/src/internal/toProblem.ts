/** Any cause as a problem; what is not ours to show becomes a bare 500. */
import { Unavailable } from "@failsoft/core"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as HttpServerError from "effect/http/HttpServerError"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerRespondable from "effect/http/HttpServerRespondable"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpApiError from "effect/http-api/HttpApiError"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Problem from "../Problem.ts"

/** The response of a cause that is not a mere interruption. */
export const fromCause = (
  cause: Cause.Cause<unknown>,
  request: HttpServerRequest.HttpServerRequest
): Effect.Effect<HttpServerResponse.HttpServerResponse> => {
  for (const reason of cause.reasons) {
    if (reason._tag === "Fail") return fromError(reason.error, request, cause)
    if (reason._tag === "Die") {
      return HttpServerResponse.isHttpServerResponse(reason.defect)
        ? Effect.succeed(reason.defect)
        : fromError(reason.defect, request, cause)
    }
  }
  return unexpected(cause)
}

const fromError = (
  error: unknown,
  request: HttpServerRequest.HttpServerRequest,
  cause: Cause.Cause<unknown>
): Effect.Effect<HttpServerResponse.HttpServerResponse> => {
  if (error instanceof Problem.Problem) return Problem.toResponse(error)
  if (error instanceof Unavailable.Unavailable) return Problem.toResponse(Problem.fromUnavailable(error))
  if (HttpServerError.isHttpServerError(error)) return fromServerError(error, request, cause)
  if (HttpApiError.HttpApiSchemaError.is(error)) {
    // A response that our own schema refuses is our fault, not the caller's.
    return error.kind === "Body" || error.kind === "ResponseHeaders"
      ? unexpected(cause)
      : Problem.toResponse(malformed(error.cause, places[error.kind]))
  }
  if (HttpApiError.HttpApiPayloadTooLarge.is(error)) {
    return Problem.toResponse(Problem.make({ status: 413, reason: "BODY_TOO_LARGE" }))
  }
  if (Schema.isSchemaError(error)) return Problem.toResponse(malformed(error))
  if (HttpServerRespondable.isRespondable(error)) {
    return Effect.flatMap(HttpServerRespondable.toResponse(error), withProblemBody)
  }
  return unexpected(cause)
}

const fromServerError = (
  error: HttpServerError.HttpServerError,
  request: HttpServerRequest.HttpServerRequest,
  cause: Cause.Cause<unknown>
) => {
  switch (error.reason._tag) {
    case "RouteNotFound":
      return Problem.toResponse(
        Problem.make({ status: 404, reason: "UNKNOWN_ROUTE", detail: `no route for ${request.method} here` })
      )
    case "RequestParseError":
      return Problem.toResponse(
        isTooLarge(error)
          ? Problem.make({ status: 413, reason: "BODY_TOO_LARGE" })
          : Problem.make({ status: 400, reason: "MALFORMED_BODY", detail: "the body must be valid JSON" })
      )
    default:
      return unexpected(cause)
  }
}

/** The stream of a body says in its error's tag or text that the limit was passed. */
export const isTooLarge = ({ reason: { cause } }: HttpServerError.HttpServerError): boolean =>
  Predicate.hasProperty(cause, "message") && /maxBytes|too large|exceeded/i.test(String(cause.message))

const places = { Params: "the path", Headers: "the headers", Query: "the query", Payload: "the body" }

const detailMax = 300

/** Names the field and what was expected; short, since it may hold what the caller sent. */
const malformed = (error: Schema.SchemaError, place = "the request") =>
  Problem.make({
    status: 400,
    reason: "MALFORMED_REQUEST",
    detail: `${place}: ${error.message.replace(/\s+/g, " ")}`.slice(0, detailMax)
  })

/** A defect's text is for the log and never for a stranger. */
const unexpected = (cause: Cause.Cause<unknown>) =>
  Effect.andThen(
    Effect.logError("a request ended with a defect", cause),
    Problem.toResponse(Problem.make({ status: 500, reason: "INTERNAL" }))
  )

const reasons: Readonly<Record<number, string>> = {
  400: "MALFORMED_REQUEST",
  401: "UNAUTHENTICATED",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  405: "METHOD_NOT_ALLOWED",
  413: "BODY_TOO_LARGE",
  415: "UNSUPPORTED_MEDIA_TYPE",
  429: "TOO_MANY_REQUESTS",
  503: "UNAVAILABLE"
}

/** An error response without a body, or with a plain sentence of the platform's, gets a problem. */
export const withProblemBody = (
  response: HttpServerResponse.HttpServerResponse
): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  response.status >= 400 && (response.body._tag === "Empty" || isPlainText(response))
    ? Effect.map(
        Problem.toResponse(
          Problem.make({ status: response.status, reason: reasons[response.status] ?? `HTTP_${response.status}` })
        ),
        HttpServerResponse.setHeaders(Headers.removeMany(response.headers, ["content-type", "content-length"]))
      )
    : Effect.succeed(response)

const isPlainText = (response: HttpServerResponse.HttpServerResponse): boolean =>
  /^text\/plain/.test(("contentType" in response.body ? response.body.contentType : undefined) ?? "")
