/** Requests and answers as bytes on Node's own objects. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http"
import * as Effect from "effect/Effect"

/** An answer before it is written; without a `content-length` it is given its own. */
export interface Written {
  readonly status: number
  readonly headers?: Readonly<OutgoingHttpHeaders>
  readonly body?: string | Uint8Array
}

/** The bytes of a body; nothing for one that is too large. Never ends for one that breaks off. */
export const read = (request: IncomingMessage, bytesMax: number): Effect.Effect<Uint8Array | undefined> =>
  Effect.callback((resume) => {
    const chunks: Array<Buffer> = []
    let size = 0
    request.on("data", (chunk: Buffer) => {
      size += chunk.length
      // What is too large is read to its end, or its sender would not hear the answer.
      if (size <= bytesMax) chunks.push(chunk)
    })
    request.on("end", () => resume(Effect.succeed(size > bytesMax ? undefined : Buffer.concat(chunks))))
  })

/** The bytes of an answer. */
export const bytesOf = ({ body = "" }: Written): Uint8Array => (typeof body === "string" ? Buffer.from(body) : body)

/** Statuses that have no body, and no length of one. */
const isBare = (status: number) => status === 204 || status === 304

/** Writes the status and the headers. */
export const writeHead = (response: ServerResponse, reply: Written): Uint8Array => {
  const body = bytesOf(reply)
  response.writeHead(reply.status, {
    ...(isBare(reply.status) ? {} : { "content-length": body.byteLength }),
    ...reply.headers
  })
  return body
}

/** Writes a whole answer. */
export const write = (response: ServerResponse, reply: Written): void => {
  response.end(writeHead(response, reply))
}

/** Ends when the answer is written, or its connection is gone. */
export const closed = (response: ServerResponse): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (response.closed) return resume(Effect.void)
    const onClose = () => resume(Effect.void)
    response.once("close", onClose)
    return Effect.sync(() => response.off("close", onClose))
  })
