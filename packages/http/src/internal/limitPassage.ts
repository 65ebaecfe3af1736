/** One request on its way past the limits: counted by each, or turned away. */
import { Gate, type Policy, type RateLimit, Refused } from "@failsoft/core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Random from "effect/Random"
import { Drain } from "../Drain.ts"
import * as Problem from "../Problem.ts"
import { type Named, quotaHeaders } from "./quotaFields.ts"
import { formatRetryAfter } from "./retryAfter.ts"

type Response = HttpServerResponse.HttpServerResponse

/** A living limit, whose requests it counts, and its knobs as they are now. */
export interface Limit {
  readonly name: string
  readonly gate: RateLimit.RateLimit
  readonly key: (request: HttpServerRequest.HttpServerRequest) => string | undefined
  readonly values: Policy.Facts
}

/** A limit that has counted the request. */
interface Passed {
  readonly limit: Limit
  readonly attempt: Gate.Attempt
  readonly token: number
}

/** What runs the rest of the edge, or answers in its place. */
export const limiting =
  (limits: ReadonlyArray<Limit>, row: Policy.Row) =>
  <E, R>(app: Effect.Effect<Response, E, R>): Effect.Effect<Response, E, R | HttpServerRequest.HttpServerRequest> =>
    Effect.withFiber((fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<Response, E, R> => {
      const request = Context.getOrUndefined(fiber.context, HttpServerRequest.HttpServerRequest)
      if (request === undefined) return app
      const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
      const random = () => fiber.getRef(Random.Random).nextDoubleUnsafe()
      const passed: Array<Passed> = []
      const named: Array<Named> = []
      for (const limit of limits) {
        const { mode } = limit.values
        const key = mode === "off" ? undefined : limit.key(request)
        if (key === undefined) continue
        const attempt = attemptOf(row, now, key, random)
        const admitted = limit.gate.enter(attempt)
        // In the dark nobody is held to it, so nobody is told.
        if (mode === "on") named.push({ name: limit.name, standing: limit.gate.look(key, now) })
        if (typeof admitted === "number") {
          passed.push({ limit, attempt, token: admitted })
          continue
        }
        // It is not served, so the limits before must not count it.
        for (const one of passed) one.limit.gate.leave(one.attempt, one.token, "refused", now, -1)
        // The edge gives nobody time to wait.
        const refused = admitted instanceof Gate.Ticket ? limit.gate.abandon(attempt, admitted, now) : admitted
        return Effect.succeed(
          turnedAway(limit.name, refused, named, row, now, random(), fiber.getRef(Drain).draining())
        )
      }
      if (named.length === 0) return app
      const headers = quotaHeaders(named)
      return Effect.map(app, (response) => HttpServerResponse.setHeaders(response, headers))
    })

/** Where the request stands with its limits, without counting it. */
export const standing =
  (limits: ReadonlyArray<Limit>) =>
  (request: HttpServerRequest.HttpServerRequest, now: number): Readonly<Record<string, string>> => {
    const named = limits.flatMap(({ gate, key, name, values }): ReadonlyArray<Named> => {
      const whose = values.mode === "on" ? key(request) : undefined
      return whose === undefined ? [] : [{ name, standing: gate.look(whose, now) }]
    })
    return named.length === 0 ? {} : quotaHeaders(named)
  }

const attemptOf = (row: Policy.Row, now: number, key: string, random: () => number): Gate.Attempt => ({
  row,
  now,
  deadlineAt: Number.POSITIVE_INFINITY,
  key: () => key,
  random,
  outlive: () => {}
})

/** No schema, no span, no reading of the body: a refused request must cost next to nothing. */
const turnedAway = (
  name: string,
  refused: Refused.Refused,
  named: ReadonlyArray<Named>,
  row: Policy.Row,
  now: number,
  random: number,
  draining: boolean
): Response => {
  const { bus, downstream, method } = row
  const { policy, reason } = refused
  if (bus.active) bus.emit({ _tag: "CallRefused", at: now, downstream, method, policy, reason, dark: false, refused })
  // Whose limit it was is nobody's business but ours.
  const { key: _, ...record } = Refused.record(refused)
  const body = JSON.stringify({
    type: Problem.quotaExceeded,
    status: 429,
    title,
    detail,
    retryable: true,
    reason,
    "violated-policies": [name],
    refusal: record
  })
  return HttpServerResponse.text(body, {
    status: 429,
    contentType: "application/problem+json",
    headers: {
      ...quotaHeaders(named),
      "retry-after": formatRetryAfter(refused.retryAfterMillis ?? 1000, random),
      ...(draining ? { connection: "close" } : {})
    }
  })
}

const title = "Too many requests"
const detail = "the quota is used up; ask again later"
