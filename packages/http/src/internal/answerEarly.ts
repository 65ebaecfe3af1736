/** A response that must leave before the handler is interrupted. */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"

/**
 * Writes the response on the request's own socket, and tells `done` when it has left or
 * cannot. Node's server sees that the response has ended and writes no other. `leave`
 * asks the client to leave the socket, for a request whose body is still arriving:
 * interrupting a handler that reads it destroys the socket.
 */
export const answerEarly = (
  request: HttpServerRequest.HttpServerRequest,
  response: HttpServerResponse.HttpServerResponse,
  leave: boolean,
  done: () => void
): void => {
  const raw = NodeHttpServerRequest.toServerResponse(request)
  if (raw.headersSent || raw.destroyed) return void done()
  const { body } = response
  raw.once("close", done)
  raw.statusCode = response.status
  for (const [name, value] of Object.entries(response.headers)) raw.setHeader(name, value)
  if (leave) raw.setHeader("connection", "close")
  raw.end(body._tag === "Uint8Array" ? body.body : "", done)
}
