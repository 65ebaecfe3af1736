/** What a request says of caches, at the edge. */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Cache, Contract, Downstream, Fallback, Policy, Transient } from "@failsoft/core"
import { Caching, Edge } from "@failsoft/http"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

describe("the word of a request on caches", () => {
  it.each([
    [{}, "any"],
    [{ "cache-control": "max-age=60" }, "any"],
    [{ "cache-control": "no-store" }, "any"],
    [{ "cache-control": "max-age=soon" }, "any"],
    [{ "cache-control": "no-cache" }, "live"],
    [{ "cache-control": "No-Cache, max-age=60" }, "live"],
    [{ "cache-control": "max-age=0" }, "live"],
    [{ "cache-control": "max-age=5, max-age=0" }, "live"],
    [{ pragma: "no-cache" }, "live"],
    [{ pragma: "No-Cache, x=1" }, "live"],
    [{ pragma: "no-cache", "cache-control": "max-age=60" }, "any"],
    [{ "cache-control": "only-if-cached" }, "cached"],
    [{ "cache-control": "no-cache, only-if-cached" }, "cached"]
  ] as const)("%j is %s", (headers, demand) => {
    assert.strictEqual(Caching.demandOf(headers), demand)
  })
})

describe("who bears a secret", () => {
  const request = (headers: Record<string, string>) =>
    HttpServerRequest.fromWeb(new Request("http://shop.example/", { headers }))

  it("is trusted, and nobody where there is none", () => {
    const trusts = Caching.bearing("Live-Token", Redacted.make("s3cret"))
    assert.isTrue(trusts(request({ "live-token": "s3cret" })))
    assert.isFalse(trusts(request({ "live-token": "s3cre" })))
    assert.isFalse(trusts(request({})))
    for (const none of [undefined, Redacted.make("")]) {
      assert.isFalse(Caching.bearing("live-token", none)(request({ "live-token": "" })))
    }
  })
})

const shape = {
  payload: Schema.Struct({}),
  success: Schema.Int,
  transient: Transient.Transient,
  permanent: Schema.Never,
  idempotency: "safe",
  onOutage: "degrade",
  scope: "public"
} as const

class Things extends Downstream.Service<Things>()(
  "@failsoft/http/test/caller/Things",
  { get: Contract.method(shape), live: Contract.method(shape) },
  {
    criticality: "essential",
    owner: "nobody",
    slo: { objective: 0.99, window: "30 days" },
    budget: "1 second",
    docs: "https://example.com"
  }
) {}

/** A server whose pages are cached for an hour, and what its downstream was asked. */
const serverOf = (edge: Edge.Options) => {
  const control = { asked: 0 }
  const row = { policy: Policy.deadline("1 second"), fallback: Fallback.value(-1) }
  const count = () => Effect.sync(() => ++control.asked)
  const ring = Things.layer({
    get: { ...row, cache: Cache.make({ fresh: "1 hour", jitter: 0, entriesMax: 10 }) },
    live: row
  }).pipe(Layer.provide(Things.transport({ get: count, live: count })))
  const page = (method: "get" | "live") =>
    Effect.gen(function* () {
      const things = yield* Things
      const { value } = yield* things[method]({})
      return HttpServerResponse.jsonUnsafe({ value })
    })
  const routes = Layer.mergeAll(
    HttpRouter.add("GET", "/page", page("get")),
    HttpRouter.add("POST", "/page", page("get")),
    HttpRouter.add("GET", "/uncached", page("live")),
    Edge.layer(edge)
  )
  const layer = HttpRouter.serve(routes, { disableListenLog: true, disableLogger: true }).pipe(
    Layer.provideMerge(ring),
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
  )
  return { control, layer }
}

const ask = (headers: Record<string, string>, path = "/page", method = "GET") =>
  Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    const port = "port" in address ? address.port : 0
    return yield* Effect.promise(async () => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers })
      const body: unknown = await response.json()
      const { reason, value } = Object(body)
      return `${response.status} ${value ?? reason} ${response.headers.get("cache-status")?.replace(/;ttl=\d+/, "")}`
    })
  })

const trusted = { "live-token": "s3cret" }
const noCache = { "cache-control": "no-cache" }
const known = { "cache-control": "only-if-cached" }

describe("at the edge", () => {
  it.live("a request for a live answer is heard of whom the edge trusts", () => {
    const { control, layer } = serverOf({
      callerCaching: { live: Caching.bearing("live-token", Redacted.make("s3cret")) }
    })
    return Effect.gen(function* () {
      assert.strictEqual(yield* ask({}), "200 1 things;fwd=miss")
      assert.strictEqual(yield* ask(noCache), "200 1 things;hit")
      assert.strictEqual(yield* ask({ ...noCache, ...trusted }), "200 2 things;fwd=miss")
      // What one has asked for is kept for the others.
      assert.strictEqual(yield* ask(trusted), "200 2 things;hit")
      assert.strictEqual(yield* ask({ ...noCache, ...trusted }, "/page", "POST"), "200 2 things;hit")
      assert.strictEqual(yield* ask({ pragma: "no-cache" }), "200 2 things;hit")
      assert.strictEqual(yield* ask({ pragma: "no-cache", ...trusted }), "200 3 things;fwd=miss")
      assert.strictEqual(control.asked, 3)
    }).pipe(Effect.provide(layer))
  })

  it.live("only-if-cached loads nobody: what is cached, or 504, also where a fallback would answer", () => {
    const { control, layer } = serverOf({ callerCaching: { live: () => false } })
    return Effect.gen(function* () {
      assert.strictEqual(yield* ask(known), "504 NOT_CACHED things;fwd=miss")
      assert.strictEqual(control.asked, 0)
      yield* ask({})
      assert.strictEqual(yield* ask(known), "200 1 things;hit")
      assert.strictEqual(yield* ask(known, "/uncached"), "200 2 undefined")
    }).pipe(Effect.provide(layer))
  })

  it.live("nothing of it is heard by default, and a predicate that throws trusts nobody", () => {
    const silent = serverOf({})
    const throws = serverOf({
      callerCaching: {
        live: () => {
          throw new Error("no")
        }
      }
    })
    return Effect.gen(function* () {
      yield* Effect.gen(function* () {
        assert.strictEqual(yield* ask(known), "200 1 things;fwd=miss")
        assert.strictEqual(yield* ask({ ...noCache, ...trusted }), "200 1 things;hit")
      }).pipe(Effect.provide(silent.layer))
      yield* Effect.gen(function* () {
        assert.strictEqual(yield* ask({}), "200 1 things;fwd=miss")
        assert.strictEqual(yield* ask(noCache), "200 1 things;hit")
      }).pipe(Effect.provide(throws.layer))
    })
  })
})
