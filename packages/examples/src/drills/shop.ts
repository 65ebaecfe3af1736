/** What a drill asks of the storefront: pages, orders, faults, and what the far end has done. */
import type { Fault } from "@failsoft/core/testing/faults"
import * as Effect from "effect/Effect"
import type { Response } from "./seen.ts"
import { NoTarget, type Target } from "./target.ts"

/** Longer than any deadline of the storefront: what comes later is no answer. */
const clientMillis = 10_000

const sent = (url: string, init: RequestInit = {}): Effect.Effect<Response, NoTarget> =>
  Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(url, {
        ...init,
        signal: AbortSignal.any([signal, AbortSignal.timeout(clientMillis)])
      })
      const text = await response.text()
      return { status: response.status, header: (name: string) => response.headers.get(name), body: parsed(text) }
    },
    catch: (error) =>
      new NoTarget({
        message: `${url} gives no answer (${error instanceof Error ? (error.cause instanceof Error ? error.cause.message : error.message) : String(error)}): is the storefront running?`
      })
  })

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const json = { "content-type": "application/json" }

/** The shop at a target; `token` is that of its admin port. */
export const at = ({ admin, api }: Target, token: string | undefined) => {
  const authorized = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const operated = (path: string, init: RequestInit = {}) =>
    Effect.flatMap(sent(`${admin}${path}`, { ...init, headers: { ...json, ...authorized } }), (response) =>
      response.status < 300
        ? Effect.succeed(response.body)
        : Effect.fail(
            new NoTarget({ message: `${admin}${path} answered ${response.status}: ${JSON.stringify(response.body)}` })
          )
    )
  return {
    page: (traceparent: string, sku: string) => sent(`${api}/products/${sku}`, { headers: { traceparent } }),
    order: (traceparent: string, key: string, sku: string) =>
      sent(`${api}/orders`, {
        method: "POST",
        headers: { ...json, traceparent, authorization: "Bearer demo-alice", "idempotency-key": `"${key}"` },
        body: JSON.stringify({ items: [{ sku, quantity: 1 }], card: "4111-1111-1111-1111" })
      }),
    /** Whose faults are active: downstreams by hand, or those of a plan. */
    faults: Effect.gen(function* () {
      const byHand = listOf(yield* operated("/admin/faults"), "faults").map((of) => String(field(of, "downstream")))
      const plan = field(yield* operated("/admin/fault-plan"), "plan")
      return typeof plan === "object" && plan !== null ? [...byHand, "a plan"] : byHand
    }),
    setPlan: (plan: Fault.Plan, seed: number) =>
      operated("/admin/fault-plan", { method: "PUT", body: JSON.stringify({ plan, seed }) }),
    clearPlan: operated("/admin/fault-plan", { method: "DELETE" }),
    /** The circuits that are not closed, as `payments/charge open`, or `catalog.eu open` where all of it is. */
    circuits: Effect.map(operated("/admin/downstreams"), (body) => listOf(body, "downstreams").flatMap(circuitsOf)),
    /** How often each order was charged, as the payments themselves say. */
    charges: Effect.gen(function* () {
      const all = listOf(yield* operated("/admin/downstreams"), "downstreams")
      const url = field(
        all.find((of) => field(of, "name") === "payments"),
        "url"
      )
      const { body } = yield* sent(`${String(url)}/__journal`)
      const charges = new Map<string, number>()
      for (const entry of listOf(body, "applied")) {
        const key = field(entry, "idempotencyKey")
        if (field(entry, "operation") === "charge" && typeof key === "string")
          charges.set(key, (charges.get(key) ?? 0) + 1)
      }
      return charges
    })
  }
}

/** The shop of a drill. */
export type Shop = ReturnType<typeof at>

const field = (of: unknown, name: string): unknown =>
  typeof of === "object" && of !== null ? Reflect.get(of, name) : undefined

const listOf = (of: unknown, name: string): ReadonlyArray<unknown> => {
  const list = field(of, name)
  return Array.isArray(list) ? list : []
}

const valuesOf = (of: unknown): ReadonlyArray<unknown> =>
  typeof of === "object" && of !== null ? Object.values(of) : []

const circuitsOf = (downstream: unknown): ReadonlyArray<string> => {
  const name = String(field(downstream, "name"))
  const all = listOf(downstream, "methods").flatMap((method) =>
    valuesOf(field(method, "state")).flatMap((state) => {
      const circuit = field(state, "circuit")
      return typeof circuit === "string" ? [{ method: String(field(method, "name")), circuit }] : []
    })
  )
  const [first, ...others] = all
  if (first === undefined || all.every(({ circuit }) => circuit === "closed")) return []
  return others.length > 0 && others.every(({ circuit }) => circuit === first.circuit)
    ? [`${name} ${first.circuit}`]
    : all.flatMap(({ circuit, method }) => (circuit === "closed" ? [] : [`${name}/${method} ${circuit}`]))
}
