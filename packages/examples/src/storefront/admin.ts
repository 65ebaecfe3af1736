/** The admin API: the downstreams and their settings, and the faults that they are given by hand. */
import { Fault as Kit } from "@failsoft/core/testing/faults"
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
import { problemsOf } from "../faults/playable.ts"
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

const Asked = Schema.Struct({ plan: Kit.Plan, seed: Schema.optionalKey(Schema.Int) })

const malformedPlan = (detail: string) =>
  Problem.make({ status: 400, reason: "MALFORMED_PLAN", detail: detail.replace(/\s+/g, " ").slice(0, 1000) })

const askedPlan = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  const body = yield* request.json
  const asked = yield* Effect.mapError(
    Schema.decodeUnknownEffect(Asked, { onExcessProperty: "error" })(body),
    ({ message }) => malformedPlan(message)
  )
  const problems = problemsOf(asked.plan)
  return problems.length === 0 ? asked : yield* malformedPlan(problems.join("; "))
})

/** By hand or by a plan: nobody could say what a mixture of both means. */
const busy = (detail: string) => Problem.make({ status: 409, reason: "FAULTS_ACTIVE", detail, retryable: false })

const shownPlan = Effect.gen(function* () {
  const supervisor = yield* Supervisor
  const played = supervisor.plan()
  return json({
    plan: played?.plan ?? null,
    ...(played === undefined ? {} : { seed: played.seed, since: new Date(played.startedAt).toISOString() })
  })
})

/** `GET`, `PUT` and `DELETE /admin/fault-plan`: a whole plan for all downstreams, from now. */
const plans = Layer.mergeAll(
  HttpRouter.add("GET", "/admin/fault-plan", shownPlan),
  HttpRouter.add(
    "PUT",
    "/admin/fault-plan",
    Effect.gen(function* () {
      const supervisor = yield* Supervisor
      const { plan, seed = 1 } = yield* askedPlan
      const byHand = supervisor.faults().map(({ downstream }) => downstream)
      if (byHand.length > 0) return yield* busy(`faults are set by hand, of ${byHand.join(", ")}: end them first`)
      yield* Effect.mapError(supervisor.setPlan({ plan, seed }), failed)
      return yield* shownPlan
    }).pipe(Effect.catchTag("Problem", Problem.raise))
  ),
  HttpRouter.add(
    "DELETE",
    "/admin/fault-plan",
    Effect.gen(function* () {
      const supervisor = yield* Supervisor
      yield* Effect.mapError(supervisor.setPlan(undefined), failed)
      return yield* shownPlan
    }).pipe(Effect.catchTag("Problem", Problem.raise))
  )
)

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
      if (supervisor.plan() !== undefined) {
        return yield* busy("a plan of faults is played: end it first (DELETE /admin/fault-plan)")
      }
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
      return Layer.mergeAll(
        faults,
        plans,
        Admin.layer({
          host: adminHost,
          token: adminToken,
          downstreams: () => read().map((description) => ({ description, facts: server(supervisor, description.name) }))
        })
      )
    })
  )
