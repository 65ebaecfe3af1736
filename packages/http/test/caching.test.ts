import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Cache, Contract, Downstream, Journal, Policy, Transient } from "@failsoft/core"
import { Caching, Edge, Problem } from "@failsoft/http"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

describe("the forms", () => {
  const use = { downstream: "catalog", method: "get" } as const

  it("Cache-Status tells of each downstream its worst", () => {
    assert.strictEqual(
      Caching.statusHeader([{ ...use, status: "hit", ageMillis: 20_000, ttlMillis: 40_900 }]),
      "catalog;hit;ttl=40"
    )
    assert.strictEqual(Caching.statusHeader([{ ...use, status: "hit", ttlMillis: -411_500 }]), "catalog;hit;ttl=-412")
    assert.strictEqual(
      Caching.statusHeader([
        { ...use, status: "hit", ttlMillis: 10 },
        { ...use, status: "stale-if-error", ttlMillis: -5000 },
        { ...use, status: "miss" },
        { downstream: "a b", method: "x", status: "collapsed" },
        { downstream: "c", method: "x", status: "bypass" }
      ]),
      "catalog;fwd=stale;ttl=-5;detail=stale-if-error, a-b;fwd=miss;collapsed, c;fwd=bypass"
    )
  })

  it("Cache-Control says lifetimes in whole seconds, never longer than declared", () => {
    assert.strictEqual(
      Caching.controlHeader({ maxAge: "1 minute", staleWhileRevalidate: "30500 millis", staleIfError: "1 day" }),
      "max-age=60, stale-while-revalidate=30, stale-if-error=86400"
    )
    assert.strictEqual(Caching.controlHeader({ maxAge: 999, private: true }), "private, max-age=0")
  })
})

class Things extends Downstream.Service<Things>()(
  "@failsoft/http/test/Things",
  {
    get: Contract.method({
      payload: Schema.Struct({ id: Schema.String }),
      success: Schema.Int,
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "safe",
      onOutage: "degrade-or-fail",
      scope: "public"
    })
  },
  {
    criticality: "essential",
    owner: "nobody",
    slo: { objective: 0.99, window: "30 days" },
    budget: "1 second",
    docs: "https://example.com"
  }
) {}

const control = { down: false }

const ring = Things.layer({
  get: {
    policy: Policy.deadline("1 second"),
    cache: Cache.make({ fresh: "1 hour", staleIfError: "1 hour", jitter: 0, entriesMax: 10 })
  }
}).pipe(
  Layer.provide(
    Things.transport({
      get: () =>
        Effect.suspend(() =>
          control.down
            ? Effect.fail(new Transient.Transient({ cause: "connection_refused", applied: "no" }))
            : Effect.succeed(1)
        )
    })
  )
)

const declares = Caching.control({ maxAge: "1 minute", staleIfError: "1 day" })

const page = Effect.gen(function* () {
  const things = yield* Things
  const { value } = yield* Problem.orRaise(things.get({ id: "a" }))
  yield* declares
  return HttpServerResponse.jsonUnsafe({ value })
})

const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/page", page),
  HttpRouter.add("GET", "/plain", Effect.succeed(HttpServerResponse.text("plain"))),
  HttpRouter.add(
    "GET",
    "/substituted",
    declares.pipe(
      Effect.andThen(Journal.record({ downstream: "b", method: "y", quality: "substituted", reason: "TIMEOUT" })),
      Effect.as(HttpServerResponse.text("else"))
    )
  ),
  Edge.layer()
)

const server = HttpRouter.serve(routes, { disableListenLog: true, disableLogger: true }).pipe(
  Layer.provideMerge(ring),
  Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
)

const get = (path: string) =>
  Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    const port = "port" in address ? address.port : 0
    const { headers, status } = yield* Effect.promise(() => fetch(`http://127.0.0.1:${port}${path}`))
    const header = (name: string) => headers.get(name)
    return { status, age: header("age"), control: header("cache-control"), cache: header("cache-status") }
  })

describe("at the edge", () => {
  it.live("a miss, a hit, and an outage of what was never asked for", () =>
    Effect.gen(function* () {
      const declared = "max-age=60, stale-if-error=86400"
      assert.deepEqual(yield* get("/page"), { status: 200, age: null, control: declared, cache: "things;fwd=miss" })
      const hit = yield* get("/page")
      assert.deepInclude(hit, { status: 200, age: "1", control: declared })
      assert.match(hit.cache ?? "", /^things;hit;ttl=35\d\d$/)
      control.down = true
      yield* Effect.flatMap(Things, (things) => Cache.clear(things))
      assert.deepEqual(yield* get("/page"), { status: 503, age: null, control: null, cache: "things;fwd=miss" })
      assert.deepEqual(yield* get("/plain"), { status: 200, age: null, control: null, cache: null })
      assert.deepEqual(yield* get("/substituted"), { status: 200, age: null, control: "no-store", cache: null })
    }).pipe(Effect.provide(server))
  )
})
