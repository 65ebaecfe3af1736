/**
 * An HTTP server that can misbehave as real ones do: late, wrong, cut off, or not
 * there at all. Raw `node:http`, since faults happen at the socket.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { Draw, Fault as Faults } from "@failsoft/core/testing"
import type { Fault } from "../faults/Fault.ts"
import { type Asked, type Downstream, problem, type Reply } from "./Operation.ts"

/** A running server. */
export interface FaultyServer {
  readonly port: number
  readonly setFault: (fault: Fault | undefined) => Promise<void>
  readonly close: () => Promise<void>
}

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
const dripMillis = 200

/** Starts a server for a downstream; `port` 0 takes a free one. */
export const start = async (name: string, downstream: Downstream, port: number): Promise<FaultyServer> => {
  const sockets = new Set<Socket>()
  const received: Array<Received> = []
  let fault: Fault | undefined
  let faultSince = 0
  let faultTimer: NodeJS.Timeout | undefined
  let inFlight = 0
  let nth = 0
  let listening = port

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy())
  })
  server.on("connection", (socket) => {
    sockets.add(socket)
    socket.on("error", () => {})
    socket.on("close", () => sockets.delete(socket))
  })

  const listen = () =>
    new Promise<void>((resolve, reject) => {
      server.once("error", reject)
      server.listen(listening, "127.0.0.1", () => {
        server.off("error", reject)
        listening = addressOf(server.address()).port
        resolve()
      })
    })
  const unlisten = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      for (const socket of sockets) socket.resetAndDestroy()
    })

  const setFault = async (next: Fault | undefined): Promise<void> => {
    clearTimeout(faultTimer)
    const before = fault
    fault = next
    faultSince = Date.now()
    if (next?.kind === "down") {
      if (server.listening) await unlisten()
    } else if (!server.listening) await listen()
    // Who hangs is let go, or the fault would outlive itself.
    if (before?.kind === "hang" && next?.kind !== "hang") for (const socket of sockets) socket.destroy()
    if (next?.forMillis !== undefined) faultTimer = setTimeout(() => void setFault(undefined), next.forMillis)
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", "http://downstream")
    if (url.pathname === "/__journal") {
      return send(response, { status: 200, body: { received, applied: downstream.applied() } })
    }
    const entry = note(request, url, received)
    response.on("close", () => {
      entry.aborted = !response.writableFinished
    })
    const decision = Faults.decide(fault, {
      elapsedMillis: Date.now() - faultSince,
      inFlight: inFlight + 1,
      draw: Draw.draw(name, nth++)
    })
    inFlight++
    try {
      const body = await read(request)
      const run = () => ("refused" in body ? body.refused : answer(downstream, request, url, body.json))
      switch (decision._tag) {
        case "Serve":
          if (decision.delayMillis > 0) await sleep(decision.delayMillis)
          return send(response, run())
        case "Refuse":
          return send(
            response,
            problem(decision.status, "FAULT", "a fault was set by hand"),
            decision.retryAfterSeconds === undefined ? {} : { "retry-after": String(decision.retryAfterSeconds) }
          )
        case "Hang":
          return await new Promise<void>((resolve) => response.on("close", resolve))
        case "Drip":
          return await drip(response, run())
        case "Garble":
          run()
          return send(response, { status: 200, body: { unexpected: ["this", "is", "not", "the", "contract"] } })
        case "Truncate":
          return truncate(response, run())
        case "Unreachable":
        case "ResetBefore":
          return void request.socket.resetAndDestroy()
        case "ResetAfter":
          run()
          return void request.socket.resetAndDestroy()
      }
    } finally {
      inFlight--
    }
  }

  await listen()
  return {
    get port() {
      return listening
    },
    setFault,
    close: unlisten
  }
}

const sleep = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

const addressOf = (address: AddressInfo | string | null): AddressInfo => {
  if (address === null || typeof address === "string") throw new Error("the server has no port")
  return address
}

const header = (request: IncomingMessage, name: string): string | undefined => {
  const value = request.headers[name]
  return typeof value === "string" ? value : undefined
}

const keyOf = (request: IncomingMessage) => header(request, "idempotency-key")?.replace(/^"(.*)"$/, "$1")

const note = (request: IncomingMessage, url: URL, received: Array<Received>): Received => {
  const idempotencyKey = keyOf(request)
  const traceparent = header(request, "traceparent")
  const timeout = /^(\d+)m$/.exec(header(request, "grpc-timeout") ?? "")?.[1]
  const entry: Received = {
    at: Date.now(),
    method: request.method ?? "GET",
    path: url.pathname,
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(timeout === undefined ? {} : { timeoutMillis: Number(timeout) }),
    aborted: false
  }
  received.push(entry)
  if (received.length > receivedMax) received.shift()
  return entry
}

/** The JSON of a body (`undefined` for none), or the refusal of one that is not JSON or too large. */
type Body = { readonly json: unknown } | { readonly refused: Reply }

const read = async (request: IncomingMessage): Promise<Body> => {
  const chunks: Array<Buffer> = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > bodyMaxBytes) {
      return { refused: problem(413, "BODY_TOO_LARGE", `a body may have at most ${bodyMaxBytes} bytes`) }
    }
    chunks.push(chunk)
  }
  if (size === 0) return { json: undefined }
  try {
    return { json: JSON.parse(Buffer.concat(chunks).toString("utf8")) }
  } catch {
    return { refused: problem(400, "MALFORMED_BODY", "the body must be JSON") }
  }
}

const answer = (downstream: Downstream, request: IncomingMessage, url: URL, body: unknown): Reply => {
  for (const operation of downstream.operations) {
    const match = operation.method === request.method ? operation.path.exec(url.pathname) : null
    if (match === null) continue
    let params: ReadonlyArray<string>
    try {
      params = match.slice(1).map(decodeURIComponent)
    } catch {
      return problem(400, "MALFORMED_PATH", "the path is not valid percent-encoding")
    }
    const asked: Asked = { params, query: url.searchParams, body, idempotencyKey: keyOf(request) }
    return operation.run(asked)
  }
  return problem(404, "UNKNOWN_ROUTE", `no route for ${request.method} ${url.pathname}`)
}

const encoded = (reply: Reply) => (reply.body === undefined ? "" : JSON.stringify(reply.body))

const headersOf = (reply: Reply, text: string) => ({
  "content-type": reply.status >= 400 ? "application/problem+json" : "application/json",
  ...(reply.status === 204 ? {} : { "content-length": Buffer.byteLength(text) })
})

const send = (response: ServerResponse, reply: Reply, headers: Record<string, string> = {}): void => {
  const text = encoded(reply)
  response.writeHead(reply.status, { ...headersOf(reply, text), ...headers }).end(text)
}

const drip = async (response: ServerResponse, reply: Reply): Promise<void> => {
  const text = encoded(reply)
  response.writeHead(reply.status, headersOf(reply, text))
  for (const char of text) {
    if (response.destroyed) return
    response.write(char)
    await sleep(dripMillis)
  }
  response.end()
}

const truncate = (response: ServerResponse, reply: Reply): void => {
  const text = encoded(reply)
  response.writeHead(reply.status, headersOf(reply, text))
  response.write(text.slice(0, text.length / 2), () => response.destroy())
}
