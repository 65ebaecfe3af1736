/** Reads a response body up to a limit, without ever holding more than that. */
import * as Effect from "effect/Effect"
import type * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Stream from "effect/Stream"

/** The body is larger than the limit in bytes. */
export class TooLarge {
  readonly limitBytes: number
  constructor(limitBytes: number) {
    this.limitBytes = limitBytes
  }
}

/** The text of the body; a larger one is abandoned at the limit, which closes its socket. */
export const boundedText = (
  response: HttpClientResponse.HttpClientResponse,
  limitBytes: number
): Effect.Effect<string, HttpClientError.HttpClientError | TooLarge> =>
  Effect.suspend(() => {
    // A declared length within the limit lets the client read at its own speed.
    const declared = Number(response.headers["content-length"] ?? Number.NaN)
    if (declared <= limitBytes) return response.text
    if (declared > limitBytes) return Effect.fail(new TooLarge(limitBytes))
    const chunks: Array<Uint8Array> = []
    let size = 0
    return response.stream.pipe(
      Stream.runForEach((chunk) => {
        size += chunk.byteLength
        if (size > limitBytes) return Effect.fail(new TooLarge(limitBytes))
        chunks.push(chunk)
        return Effect.void
      }),
      Effect.map(() => Buffer.concat(chunks).toString("utf8"))
    )
  })
