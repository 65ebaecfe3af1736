/** The admin API: the downstreams and their settings, and the faults that they are given by hand. */
import { Admin, Problem } from "@failsoft/http"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { names, resolve } from "../downstreams/registry.ts"
import { type Controls, type DownstreamFailed, Supervisor } from "../downstreams/Supervisor.ts"
import { Fault } from "../faults/Fault.ts"
import { descriptions, regions } from "./clients.ts"
import type { Settings } from "./settings.ts"

const named = Effect.gen(function* () {
  const { params } = yield* HttpRouter.RouteContext
  const given = params["downstream"] ?? ""
  const servers = resolve(given)
  if (servers.length > 0) return servers
  return yield* Problem.make({
    status: 404,
    reason: "UNKNOWN_DOWNSTREAM",
    detail: `there is no downstream '${given.slice(0, 64)}'; there are ${names.join(", ")}`
  })
})

const kinds = Fault.members.map((member) => member.fields.kind.schema.literal)

const asked = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  const body = yield* request.json
  if (typeof body === "object" && body !== null && "kind" in body && kinds.some((kind) => kind === body.kind)) {
    return yield* Schema.decodeUnknownEffect(Fault, { onExcessProperty: "error" })(body).pipe(
      Effect.mapError((error) =>
        Problem.make({
          status: 400,
          reason: "MALFORMED_FAULT",
          detail: error.message.replace(/\s+/g, " ").slice(0, 300)
        })
      )
    )
  }
  return yield* Problem.make({
    status: 400,
    reason: "MALFORMED_FAULT",
    detail: `kind must be one of ${kinds.join(", ")}`
  })
})

const failed = (error: DownstreamFailed) =>
  Problem.make({ status: 503, reason: "DOWNSTREAM_PROCESS", detail: error.message })

/** The server of a downstream; one with several regions has none of its own, and an entry for each. */
const server = (supervisor: Controls, downstream: string) => {
  const [name, ...others] = resolve(downstream)
  return name === undefined || others.length > 0
    ? { name: downstream }
    : { name, url: supervisor.url(name), pid: supervisor.pid(name) ?? null }
}

const json = (body: unknown) => HttpServerResponse.jsonUnsafe(body)

const shown = Effect.gen(function* () {
  const supervisor = yield* Supervisor
  const given = supervisor.faults().map(({ downstream, fault, since }) => ({
    downstream,
    fault,
    since: new Date(since).toISOString()
  }))
  return json({ faults: given })
})

/** `GET /admin/faults`, `PUT` and `DELETE /admin/faults/:downstream`. */
const faults = Layer.mergeAll(
  HttpRouter.add("GET", "/admin/faults", shown),
  HttpRouter.add(
    "PUT",
    "/admin/faults/:downstream",
    Effect.gen(function* () {
      const supervisor = yield* Supervisor
      const servers = yield* named
      const fault = yield* asked
      yield* Effect.forEach(servers, (name) => Effect.mapError(supervisor.setFault(name, fault), failed))
      return yield* shown
    }).pipe(Effect.catchTag("Problem", Problem.raise))
  ),
  HttpRouter.add(
    "DELETE",
    "/admin/faults/:downstream",
    Effect.gen(function* () {
      const supervisor = yield* Supervisor
      yield* Effect.forEach(yield* named, (name) => Effect.mapError(supervisor.clearFault(name), failed))
      return yield* shown
    }).pipe(Effect.catchTag("Problem", Problem.raise))
  )
)

/** The same with the downstreams, their settings and breakers; the whole port wants its token, where there is one. */
export const layer = ({ adminHost, adminToken }: Settings) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const supervisor = yield* Supervisor
      const ofRings = yield* descriptions
      const ofRegions = yield* regions
      // A region stands behind the downstream that it is one of.
      const read = () =>
        ofRings().flatMap((of) => [of, ...ofRegions().filter(({ name }) => name.startsWith(`${of.name}.`))])
      return Layer.merge(
        faults,
        Admin.layer({
          host: adminHost,
          token: adminToken,
          downstreams: () => read().map((description) => ({ description, facts: server(supervisor, description.name) }))
        })
      )
    })
  )
