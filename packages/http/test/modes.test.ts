import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { ServiceMode, Settings, Signal } from "@failsoft/core"
import { Drain, Edge, Health, Modes } from "@failsoft/http"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Layer from "effect/Layer"

/** A server whose mode the test turns. */
const started = Effect.fnUntraced(function* (options: Modes.Options = {}) {
  let orders = 0
  const routes = Layer.mergeAll(
    HttpRouter.add("GET", "/items", HttpServerResponse.text("items")),
    HttpRouter.add("POST", "/search", HttpServerResponse.text("found")),
    HttpRouter.add(
      "POST",
      "/orders",
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        yield* request.text
        orders++
        return HttpServerResponse.text("ordered", { status: 201 })
      })
    ),
    Health.layer({ serviceId: "shop", checks: [] }),
    Edge.layer()
  )
  const context = yield* Layer.build(
    HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provide(Modes.layer(options)),
      Layer.provide(ServiceMode.layer({ service: "shop", dependents: () => [] })),
      Layer.provideMerge(Settings.layer),
      Layer.provideMerge(
        Layer.mergeAll(Signal.layer, Drain.layer, NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
      )
    )
  )
  const { address } = Context.get(context, HttpServer.HttpServer)
  const port = "port" in address ? address.port : 0
  const ask = (method: string, path: string, body?: string) =>
    Effect.promise(async () => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        ...(body === undefined ? {} : { body })
      })
      const text = await response.text()
      return {
        status: response.status,
        mode: response.headers.get("service-mode"),
        retryAfter: Number(response.headers.get("retry-after")),
        text
      }
    })
  const turn = (to: string) =>
    Context.get(context, Settings.Registry).change({ "shop/service/mode.switch": to }, { by: "ada" })
  return { ask, turn, orders: () => orders }
})

const order = JSON.stringify({ items: "x".repeat(100_000) })

describe("the mode at the edge", () => {
  it.live("full, it leaves requests and responses alone", () =>
    Effect.gen(function* () {
      const { ask, orders } = yield* started()
      assert.deepInclude(yield* ask("POST", "/orders", order), { status: 201, mode: null })
      assert.strictEqual(orders(), 1)
      const health = yield* ask("GET", "/health")
      assert.strictEqual(health.status, 200)
      assert.deepInclude(JSON.parse(health.text).checks["service:mode"][0], {
        componentType: "system",
        status: "pass",
        observedValue: "full"
      })
    })
  )

  it.live("read-only, it serves reads with the header and answers writes with a problem", () =>
    Effect.gen(function* () {
      const { ask, orders, turn } = yield* started()
      yield* turn("read-only")
      assert.deepInclude(yield* ask("GET", "/items"), { status: 200, text: "items", mode: "read-only" })
      // Twice on one connection: a body that was not read must not be taken for the next request.
      for (let nth = 0; nth < 2; nth++) {
        const refused = yield* ask("POST", "/orders", order)
        assert.deepInclude(refused, { status: 503, mode: "read-only" })
        assert.isAtLeast(refused.retryAfter, 10)
        assert.deepInclude(JSON.parse(refused.text), {
          reason: "READ_ONLY",
          retryable: true,
          instance: "/orders",
          refusal: {
            policy: "mode",
            reason: "READ_ONLY",
            retryAfterMillis: 10_000,
            state: { mode: "read-only", by: "operator", lost: "" }
          }
        })
      }
      assert.strictEqual(orders(), 0)
      const health = yield* ask("GET", "/health")
      assert.strictEqual(health.status, 200)
      assert.deepInclude(JSON.parse(health.text), { status: "warn" })
      yield* turn("auto")
      assert.deepInclude(yield* ask("POST", "/orders", order), { status: 201, mode: null })
    })
  )

  it.live("unavailable, it serves nobody but those who look after it", () =>
    Effect.gen(function* () {
      const { ask, turn } = yield* started()
      yield* turn("unavailable")
      for (const path of ["/items", "/nowhere"]) {
        const refused = yield* ask("GET", path)
        assert.strictEqual(refused.status, 503)
        assert.deepInclude(JSON.parse(refused.text), { reason: "OUT_OF_SERVICE" })
      }
      assert.strictEqual((yield* ask("GET", "/livez?x=1")).status, 200)
      for (const path of ["/readyz", "/readyz/", "/READYZ", "//readyz"]) {
        assert.strictEqual((yield* ask("GET", path)).status, 200, path)
      }
      assert.strictEqual((yield* ask("GET", "/readyz/orders")).status, 503)
      const health = yield* ask("GET", "/health")
      assert.strictEqual(health.status, 503)
      const waits = new Set<number>()
      for (let nth = 0; nth < 40; nth++) waits.add((yield* ask("GET", "/health")).retryAfter)
      assert.isAbove(waits.size, 1, "those who look after many services are spread")
      assert.isTrue([...waits].every((seconds) => seconds >= 5 && seconds <= 8))
      assert.deepInclude(JSON.parse(health.text).checks["service:mode"][0], { output: "set by an operator" })
    })
  )

  it.live("takes for a write what the service says", () =>
    Effect.gen(function* () {
      const { ask, turn } = yield* started({ writes: ({ method, url }) => method === "POST" && url !== "/search" })
      yield* turn("read-only")
      assert.strictEqual((yield* ask("POST", "/search", "q")).status, 200)
      assert.strictEqual((yield* ask("POST", "/orders", order)).status, 503)
    })
  )
})
