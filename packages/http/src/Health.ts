/**
 * `/livez`, `/readyz` and `/health`.
 *
 * **Details**
 *
 * `/livez` says that the process runs. `/readyz` says that it takes requests: it
 * is 503 only while draining, and never because of a downstream, for which there
 * is a fallback. `/health` is `application/health+json`
 * (draft-inadarei-api-health-check-06): `warn`, our "degraded", is 200; `fail` is
 * 503.
 *
 * **Gotchas**
 *
 * A downstream's state is what calls of the last minute observed, not a probe. With
 * `ServiceMode.layer` around the routes the document has the mode as `service:mode`.
 *
 * **Example** (the health of a service with one downstream)
 *
 * ```ts
 * import { Health } from "@failsoft/http"
 *
 * export const routes = Health.layer({ serviceId: "shop", checks: [] })
 * ```
 *
 * @since 0.1.0
 */
import { type Downstream, Health, ServiceMode } from "@failsoft/core"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { Drain } from "./Drain.ts"
import { formatRetryAfter } from "./internal/retryAfter.ts"
import { placing } from "./internal/routePlaces.ts"
import * as Problem from "./Problem.ts"

/**
 * The words of a health document.
 *
 * @category models
 * @since 0.1.0
 */
export type Status = "pass" | "warn" | "fail"

/**
 * What one downstream means for the service's health.
 *
 * @category models
 * @since 0.1.0
 */
export interface Check {
  readonly description: Downstream.Description
  /** The endpoints that use it, as `GET /products/:sku`. */
  readonly affectedEndpoints?: ReadonlyArray<string>
  /** What its loss does to the whole. Default: `fail` for an essential one, `warn` for an optional one. */
  readonly impact?: "warn" | "fail"
}

/**
 * The document of the given checks at the given time, with the service's mode where
 * there is one.
 *
 * @category converting
 * @since 0.1.0
 */
export const document = (
  serviceId: string,
  checks: ReadonlyArray<Check>,
  now: number,
  mode?: ServiceMode.ServiceMode | undefined
) => {
  const entries = [
    ...checks.map((check) => [`${check.description.name}:availability`, [entry(check, now)]] as const),
    ...(mode === undefined ? [] : [["service:mode", [modeEntry(mode.at(now), now)]] as const])
  ]
  return {
    status: worst(entries.map(([, [of]]) => of?.status ?? "pass")),
    serviceId,
    checks: Object.fromEntries(entries)
  }
}

const worst = (of: ReadonlyArray<Status>): Status =>
  of.includes("fail") ? "fail" : of.includes("warn") ? "warn" : "pass"

const iso = (millis: number) => DateTime.formatIso(DateTime.makeUnsafe(millis))

/** What is lost with a downstream is judged by its own check: the mode fails only where it serves nobody. */
const modeEntry = ({ by, causes, mode }: ServiceMode.State, now: number) => ({
  componentType: "system",
  status: statusOf[mode],
  observedValue: mode,
  time: iso(now),
  ...(mode === "full" ? {} : { output: by === "operator" ? "set by an operator" : `without ${causes.join(", ")}` })
})

const statusOf: Readonly<Record<ServiceMode.Mode, Status>> = {
  full: "pass",
  reduced: "warn",
  "read-only": "warn",
  unavailable: "fail"
}

const entry = ({ description, affectedEndpoints, impact }: Check, now: number) => {
  const failing = description.methods.filter((method) => Health.judge(method.observed, now) === "failing")
  const unknown = description.methods.every((method) => Health.judge(method.observed, now) === "unknown")
  const seenAt = Math.max(
    ...description.methods.map(({ observed }) => Math.max(observed.lastGoodAt ?? 0, observed.lastBadAt ?? 0))
  )
  const status: Status =
    failing.length === 0 ? "pass" : (impact ?? (description.info.criticality === "essential" ? "fail" : "warn"))
  return {
    componentType: "component",
    status,
    observedValue: unknown ? "unknown" : failing.length === 0 ? "working" : "failing",
    time: iso(seenAt > 0 ? seenAt : now),
    ...(failing.length === 0
      ? {}
      : {
          output: failing.map(({ name, observed }) => `${name}: ${observed.lastReason ?? "failing"}`).join(", "),
          ...(affectedEndpoints === undefined ? {} : { affectedEndpoints })
        })
  }
}

/** When those who look after many services may look again; spread, so that they do not all come at once. */
const retryAfterMillis = 5000

/**
 * The three routes. `checks` is read on every request.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: {
  readonly serviceId: string
  readonly checks: ReadonlyArray<Check> | (() => ReadonlyArray<Check>)
}): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  placing("exempt")(
    Layer.mergeAll(
      HttpRouter.add("GET", "/livez", Effect.succeed(HttpServerResponse.text("ok\n"))),
      HttpRouter.add(
        "GET",
        "/readyz",
        Effect.gen(function* () {
          const drain = yield* Drain
          if (!drain.draining()) return HttpServerResponse.text("ready\n")
          return yield* Problem.toResponse(Problem.make({ status: 503, reason: "DRAINING", detail: "on its way out" }))
        })
      ),
      HttpRouter.add(
        "GET",
        "/health",
        Effect.gen(function* () {
          const now = yield* Clock.currentTimeMillis
          const checks = typeof options.checks === "function" ? options.checks() : options.checks
          const body = document(options.serviceId, checks, now, yield* ServiceMode.Current)
          return HttpServerResponse.jsonUnsafe(body, {
            status: body.status === "fail" ? 503 : 200,
            contentType: "application/health+json",
            headers: {
              "cache-control": "no-store",
              ...(body.status === "fail"
                ? { "retry-after": formatRetryAfter(retryAfterMillis, yield* Random.next) }
                : {})
            }
          })
        })
      )
    )
  )
