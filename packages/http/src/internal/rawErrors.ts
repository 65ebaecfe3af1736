/** What Node refuses before there is a request for the edge still gets a problem body. */
import type { Server, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"

interface Refusal {
  readonly status: number
  readonly phrase: string
  readonly reason: string
}

const malformed: Refusal = { status: 400, phrase: "Bad Request", reason: "MALFORMED_REQUEST" }
const late: Refusal = { status: 408, phrase: "Request Timeout", reason: "REQUEST_TIMEOUT" }
const tooLarge: Refusal = { status: 431, phrase: "Request Header Fields Too Large", reason: "HEADERS_TOO_LARGE" }
const noTunnel: Refusal = { status: 405, phrase: "Method Not Allowed", reason: "METHOD_NOT_ALLOWED" }
const noExpectation: Refusal = { status: 417, phrase: "Expectation Failed", reason: "UNKNOWN_EXPECTATION" }

const bodyOf = ({ status, phrase, reason }: Refusal) =>
  JSON.stringify({ type: "about:blank", status, title: phrase, retryable: false, reason })

const write = (socket: Duplex, refusal: Refusal): void => {
  if (!socket.writable) return void socket.destroy()
  const body = bodyOf(refusal)
  socket.end(
    `HTTP/1.1 ${refusal.status} ${refusal.phrase}\r\nconnection: close\r\ncontent-type: application/problem+json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  )
}

const ofCode: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: tooLarge,
  ERR_HTTP_REQUEST_TIMEOUT: late
}

/** Answers malformed requests, tunnels and unknown expectations on the given server. */
export const answerRawErrors = (server: Server): Server =>
  server
    .on("clientError", (error: Error & { readonly code?: string }, socket: Duplex) => {
      if (error.code === "ECONNRESET") return void socket.destroy()
      write(socket, ofCode[error.code ?? ""] ?? malformed)
    })
    .on("connect", (_request: unknown, socket: Duplex) => write(socket, noTunnel))
    .on("checkExpectation", (_request: unknown, response: ServerResponse) => {
      response.writeHead(noExpectation.status, { "content-type": "application/problem+json", connection: "close" })
      response.end(bodyOf(noExpectation))
    })
