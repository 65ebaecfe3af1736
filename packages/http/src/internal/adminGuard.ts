/** Who may use the admin API: who bears the token, or who is on this machine and no web page of another site. */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as Problem from "../Problem.ts"
import { sameText } from "./sameText.ts"

/** Whether a host is reached from this machine only. */
export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host)

const withoutPort = (host: string) => host.replace(/:\d+$/, "")

/** The problem of a request that may not come in. */
const problemOf = (
  headers: Readonly<Record<string, string | undefined>>,
  token: string
): Problem.Problem | undefined => {
  if (token !== "") {
    const given = /^Bearer +(.+)$/i.exec(headers["authorization"] ?? "")?.[1] ?? ""
    return sameText(given, token)
      ? undefined
      : Problem.make({
          status: 401,
          reason: "ADMIN_TOKEN_REQUIRED",
          detail: "the admin API wants its token as a bearer"
        })
  }
  const host = headers["host"] ?? ""
  const origin = headers["origin"]
  // A page of another site, or a name of one that leads here, has no business with this machine's port.
  const foreign =
    !isLoopback(withoutPort(host)) || (origin !== undefined && origin.replace(/^https?:\/\//, "") !== host)
  return foreign
    ? Problem.make({
        status: 403,
        reason: "FOREIGN_ORIGIN",
        detail: "without a token, only this machine itself may ask"
      })
    : undefined
}

/** Guards every path of the router but these; with an empty token, for loopback. */
export const guard = (token: string, open: ReadonlyArray<string>) => {
  // A router decodes paths in its own way, so what is open is listed, and not what is guarded.
  const isOpen = new Set(open)
  return HttpRouter.middleware(
    <E, R>(app: Effect.Effect<HttpServerResponse, E, R>) =>
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const problem = isOpen.has(request.url.replace(/\?.*$/, "")) ? undefined : problemOf(request.headers, token)
        return problem === undefined ? yield* app : yield* Problem.toResponse(problem)
      }),
    { global: true }
  )
}
