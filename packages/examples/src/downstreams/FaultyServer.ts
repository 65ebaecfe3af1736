/** A downstream over HTTP, failing by whatever plan it is told, with a journal of what was asked of it. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { FaultServer } from "@failsoft/http/testing"
import * as Effect from "effect/Effect"
import { type Answering, type Asked, type Downstream, type Operation, problem, type Reply } from "./Operation.ts"
import type { Name } from "./registry.ts"

/** One request as it came in; at most {@link receivedMax} are kept. */
interface Received {
  readonly at: number
  readonly method: string
  readonly path: string
  readonly idempotencyKey?: string
  readonly traceparent?: string
  readonly timeoutMillis?: number
  /** Whether the caller closed the connection before the answer. */
  aborted: boolean
}

const receivedMax = 10_000
const bodyMaxBytes = 65_536
const journalPath = "/__journal"

/** Starts a server for a downstream; `port` 0 takes a free one. It ends with the scope. */
export const start = (name: Name, downstream: Downstream, port: number) => {
  const received: Array<Received> = []
  return FaultServer.make({
    downstream: name,
    port,
    bodyMaxBytes,
    methodOf: (request) => matching(downstream, request)?.operation.serves[0] ?? "",
    isAside: (request) => pathOf(request) === journalPath,
    onRequest: (request, response) => note(request, response, received),
    answer: ({ body, request }) =>
      Effect.suspend(() => {
        const reply =
          pathOf(request) === journalPath
            ? { status: 200, body: { received, applied: downstream.applied() } }
            : answer(downstream, request, body)
        return Effect.isEffect(reply) ? Effect.map(reply, written) : Effect.succeed(written(reply))
      })
  })
}

const urlOf = (request: IncomingMessage) => new URL(request.url ?? "/", "http://downstream")

const pathOf = (request: IncomingMessage) => (request.url ?? "/").split("?", 1)[0] ?? "/"

const header = (request: IncomingMessage, name: string): string | undefined => {
  const value = request.headers[name]
  return typeof value === "string" ? value : undefined
}

const keyOf = (request: IncomingMessage) => header(request, "idempotency-key")?.replace(/^"(.*)"$/, "$1")

const note = (request: IncomingMessage, response: ServerResponse, received: Array<Received>): void => {
  const idempotencyKey = keyOf(request)
  const traceparent = header(request, "traceparent")
  const timeout = /^(\d+)m$/.exec(header(request, "grpc-timeout") ?? "")?.[1]
  const entry: Received = {
    at: Date.now(),
    method: request.method ?? "GET",
    path: pathOf(request),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(timeout === undefined ? {} : { timeoutMillis: Number(timeout) }),
    aborted: false
  }
  received.push(entry)
  if (received.length > receivedMax) received.shift()
  response.on("close", () => {
    entry.aborted = !response.writableFinished
  })
}

/** The operation that a request asks for, and what its path names. */
const matching = (
  { operations }: Downstream,
  request: IncomingMessage
): { readonly operation: Operation; readonly named: ReadonlyArray<string> } | undefined => {
  for (const operation of operations) {
    const match = operation.method === request.method ? operation.path.exec(pathOf(request)) : null
    if (match !== null) return { operation, named: match.slice(1) }
  }
  return undefined
}

/** The JSON of a body (`undefined` for none), or the refusal of one that is not JSON or too large. */
type Body = { readonly json: unknown } | { readonly refused: Reply }

const bodyOf = (bytes: Uint8Array | undefined): Body => {
  if (bytes === undefined) {
    return { refused: problem(413, "BODY_TOO_LARGE", `a body may have at most ${bodyMaxBytes} bytes`) }
  }
  if (bytes.byteLength === 0) return { json: undefined }
  try {
    return { json: JSON.parse(new TextDecoder().decode(bytes)) }
  } catch {
    return { refused: problem(400, "MALFORMED_BODY", "the body must be JSON") }
  }
}

const answer = (downstream: Downstream, request: IncomingMessage, bytes: Uint8Array | undefined): Answering => {
  const body = bodyOf(bytes)
  if ("refused" in body) return body.refused
  const found = matching(downstream, request)
  if (found === undefined) return problem(404, "UNKNOWN_ROUTE", `no route for ${request.method} ${pathOf(request)}`)
  let params: ReadonlyArray<string>
  try {
    params = found.named.map(decodeURIComponent)
  } catch {
    return problem(400, "MALFORMED_PATH", "the path is not valid percent-encoding")
  }
  const asked: Asked = {
    params,
    query: urlOf(request).searchParams,
    body: body.json,
    idempotencyKey: keyOf(request)
  }
  return found.operation.run(asked)
}

const written = (reply: Reply): FaultServer.Reply => ({
  status: reply.status,
  headers: { "content-type": reply.status >= 400 ? "application/problem+json" : "application/json" },
  body: reply.body === undefined ? "" : JSON.stringify(reply.body)
})
