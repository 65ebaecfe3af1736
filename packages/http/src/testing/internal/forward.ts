/** Calls passed on to a real downstream, and its answers passed back whole. */
import * as http from "node:http"
import * as https from "node:https"
import * as Effect from "effect/Effect"
import type { Asked } from "../FaultServer.ts"
import type { Written } from "./message.ts"

/** What is between two neighbours only (RFC 9110, 7.6.1); the length is told anew. */
const hopByHop = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade"
])

const passedOn = (headers: http.IncomingHttpHeaders): http.OutgoingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name)))

const tooLarge: Written = { status: 413 }

/** The answers of a downstream at a base URL. */
export const forwarding = (target: string): ((asked: Asked) => Effect.Effect<Written, unknown>) => {
  const base = new URL(target)
  const prefix = base.pathname.replace(/\/+$/, "")
  const { request: send } = base.protocol === "https:" ? https : http

  return ({ body, request }) => {
    const { headers, method = "GET", url = "/" } = request
    if (body === undefined) return Effect.succeed(tooLarge)
    // Without its slash it would become part of the host's name.
    if (!url.startsWith("/")) return Effect.succeed({ status: 400 })
    return Effect.callback<Written, unknown>((resume) => {
      const failed = (error: unknown) => resume(Effect.fail(error))
      const sent = send(
        new URL(base.origin + prefix + url),
        {
          // A connection that was kept may be closed under a call, which is no fault of the plan.
          agent: false,
          method,
          headers: {
            ...passedOn(headers),
            ...(body.byteLength > 0 ? { "content-length": body.byteLength } : {})
          }
        },
        (response) => {
          const chunks: Array<Buffer> = []
          response.on("data", (chunk: Buffer) => chunks.push(chunk))
          response.on("error", failed)
          response.on("end", () =>
            resume(
              Effect.succeed({
                status: response.statusCode ?? 502,
                headers: passedOn(response.headers),
                body: Buffer.concat(chunks)
              })
            )
          )
        }
      )
      sent.on("error", failed)
      sent.end(body)
      return Effect.sync(() => sent.destroy())
    })
  }
}
