/** A response that must leave before the handler is interrupted. */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Effect from "effect/Effect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"

/**
 * Writes the response on the request's own socket and asks the client to leave it.
 * Interrupting a handler that reads its body destroys the socket, so an answer that
 * is given after that never arrives. Node's server sees that the response has ended
 * and writes no other.
 */
export const answerEarly = (
  request: HttpServerRequest.HttpServerRequest,
  response: HttpServerResponse.HttpServerResponse
): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const raw = NodeHttpServerRequest.toServerResponse(request)
    const done = () => resume(Effect.void)
    if (raw.headersSent) return done()
    raw.once("close", done)
    const { body } = response
    raw.statusCode = response.status
    for (const [name, value] of Object.entries(response.headers)) raw.setHeader(name, value)
    raw.setHeader("connection", "close")
    raw.end(body._tag === "Uint8Array" ? body.body : "", done)
  })
