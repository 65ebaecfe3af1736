import { createServer } from "node:http"
import { connect } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Settings, Signal } from "@failsoft/core"
import { Drain, Edge, LoadShedding, RateLimits, Route } from "@failsoft/http"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Layer from "effect/Layer"

/** A server with these limits; its clock runs, so windows are long and nothing comes back within a test. */
const started = Effect.fnUntraced(function* (
  limits: ReadonlyArray<RateLimits.Options>,
  shedding: Layer.Layer<never, LoadShedding.InvalidShedding> = Layer.empty
) {
  const seen = { begun: 0 }
  const begin = Effect.sync(() => {
    seen.begun++
    return HttpServerResponse.text("served", { headers: { "x-own": "kept" } })
  })
  const routes = Layer.mergeAll(
    HttpRouter.add("GET", "/items/:id", begin),
    HttpRouter.add("GET", "/health", begin),
    HttpRouter.add("GET", "/die", Effect.die(new Error("a secret"))),
    HttpRouter.add(
      "POST",
      "/items",
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        yield* request.text
        return yield* begin
      })
    ),
    Edge.layer()
  )
  const context = yield* Layer.build(
    HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(RateLimits.layer(limits)),
      Layer.provideMerge(shedding),
      Layer.provideMerge(Settings.layer),
      Layer.provideMerge(
        Layer.mergeAll(Signal.layer, Drain.layer, NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
      )
    )
  )
  const signals: Array<Signal.Signal> = []
  yield* Context.get(context, Signal.Bus).subscribe((signal) => void signals.push(signal))
  const { address } = Context.get(context, HttpServer.HttpServer)
  const port = "port" in address ? address.port : 0
  const ask = (path: string, headers: Record<string, string> = {}, init: RequestInit = {}) =>
    Effect.promise(async () => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers, ...init })
      const text = await response.text()
      return {
        status: response.status,
        text,
        type: response.headers.get("content-type"),
        retryAfter: Number(response.headers.get("retry-after")),
        quota: response.headers.get("ratelimit"),
        policy: response.headers.get("ratelimit-policy"),
        own: response.headers.get("x-own")
      }
    })
  const statuses = (n: number, path: string, headers?: Record<string, string>) =>
    Effect.forEach(Array.from({ length: n }), () => Effect.map(ask(path, headers), ({ status }) => status))
  return { ask, context, port, seen, signals, statuses }
})

const hourly = { name: "hourly", permits: 2, window: "1 hour" } as const

describe("rate limits at the edge", () => {
  it.live("serves as many as the limit allows, then answers 429, and begins nothing for them", () =>
    Effect.gen(function* () {
      const { ask, seen, statuses } = yield* started([hourly])
      assert.deepEqual(yield* statuses(4, "/items/1"), [200, 200, 429, 429])
      assert.strictEqual(seen.begun, 2)
      const refused = yield* ask("/items/1")
      assert.strictEqual(refused.type, "application/problem+json")
      assert.isTrue(refused.retryAfter > 3500 && refused.retryAfter <= 5401, String(refused.retryAfter))
      const { refusal, ...problem } = JSON.parse(refused.text)
      assert.deepEqual(problem, {
        type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
        status: 429,
        title: "Too many requests",
        detail: "the quota is used up; ask again later",
        retryable: true,
        reason: "RATE_LIMITED",
        "violated-policies": ["hourly"]
      })
      assert.deepInclude(refusal.state, { limit: 2, remaining: 0, windowMillis: 3_600_000 })
      assert.notProperty(refusal, "key")
    })
  )

  it.live("says on every governed response what is left, in the forms of the draft, whatever the answer is", () =>
    Effect.gen(function* () {
      const { ask } = yield* started([hourly, { name: "day", permits: 100, window: "1 day" }])
      const first = yield* ask("/items/1")
      assert.deepInclude(first, { status: 200, own: "kept" })
      assert.strictEqual(first.policy, '"hourly";q=2;w=3600, "day";q=100;w=86400')
      assert.strictEqual(first.quota, '"hourly";r=1;t=3600, "day";r=99;t=86400')
      const died = yield* ask("/die")
      assert.strictEqual(died.status, 500)
      assert.match(died.quota ?? "", /^"hourly";r=0;t=3600, "day";r=98;/)
      const refused = yield* ask("/items/1")
      assert.strictEqual(refused.status, 429)
      assert.match(refused.quota ?? "", /^"hourly";r=0;t=3600$/)
    })
  )

  it.live("a request that one limit refuses is not counted by the limits before it", () =>
    Effect.gen(function* () {
      const { ask, statuses } = yield* started([
        { name: "wide", permits: 4, window: "1 hour" },
        { name: "narrow", permits: 1, window: "1 hour", key: RateLimits.header("x-api-key") }
      ])
      assert.deepEqual(yield* statuses(5, "/items/1", { "x-api-key": "a" }), [200, 429, 429, 429, 429])
      assert.match((yield* ask("/items/1", { "x-api-key": "b" })).quota ?? "", /^"wide";r=2;/)
    })
  )

  it.live("counts by the client's key, and never shows it", () =>
    Effect.gen(function* () {
      const { signals, statuses } = yield* started([{ ...hourly, key: RateLimits.header("X-API-Key") }])
      assert.deepEqual(yield* statuses(3, "/items/1", { "x-api-key": "secret-a" }), [200, 200, 429])
      assert.deepEqual(yield* statuses(2, "/items/1", { "x-api-key": "secret-b" }), [200, 200])
      assert.lengthOf(signals, 1)
      assert.deepInclude(signals[0], { _tag: "CallRefused", downstream: "edge-limits", policy: "hourly", dark: false })
      assert.notInclude(JSON.stringify(signals), "secret")
    })
  )

  it.live("believes the address that its own proxies wrote, and none that the client sent", () =>
    Effect.gen(function* () {
      const { statuses } = yield* started([{ ...hourly, key: RateLimits.forwardedFor(1) }])
      assert.deepEqual(yield* statuses(3, "/items/1", { "x-forwarded-for": "1.1.1.1, 9.9.9.9" }), [200, 200, 429])
      assert.deepEqual(yield* statuses(1, "/items/1", { "x-forwarded-for": "2.2.2.2, 9.9.9.9" }), [429])
      assert.deepEqual(yield* statuses(1, "/items/1", { "x-forwarded-for": "1.1.1.1, 8.8.8.8" }), [200])
    })
  )

  it.live("governs no path that is left out, and each path by itself where wanted", () =>
    Effect.gen(function* () {
      const left = yield* started([{ ...hourly, key: RateLimits.except(["/health"]) }])
      assert.deepEqual(yield* left.statuses(4, "/health"), [200, 200, 200, 200])
      assert.isNull((yield* left.ask("/health")).quota)
      const each = yield* started([{ ...hourly, key: RateLimits.perPath() }])
      assert.deepEqual(yield* each.statuses(3, "/items/1?page=1"), [200, 200, 429])
      assert.deepEqual(yield* each.statuses(3, "/items/2"), [200, 200, 429])
    })
  )

  it.live("means the same path, however a client writes it", () =>
    Effect.gen(function* () {
      const ways = ["/items/1", "/items/1?x", "/Items/1/", "//items//1", "/%69tems/1"]
      const only = RateLimits.only(Route.matching("GET", "/items/:id"))
      for (const key of [only, RateLimits.perPath()]) {
        const { ask } = yield* started([{ ...hourly, key }])
        const statuses = yield* Effect.forEach(ways, (way) => Effect.map(ask(way), ({ status }) => status))
        assert.deepEqual(statuses, [200, 200, 429, 429, 429])
      }
      const governs = yield* started([{ ...hourly, key: only }])
      assert.isNull((yield* governs.ask("/health")).quota)
      const left = yield* started([{ ...hourly, key: RateLimits.except(["/health"]) }])
      for (const way of ["/health?x=1", "/HEALTH/", "//health"]) assert.isNull((yield* left.ask(way)).quota, way)
    })
  )

  it.live("in the dark serves all, counts whom it would refuse, and says nothing that is not so", () =>
    Effect.gen(function* () {
      const { ask, signals, statuses } = yield* started([{ ...hourly, mode: "dark" }])
      assert.deepEqual(yield* statuses(4, "/items/1"), [200, 200, 200, 200])
      assert.deepEqual(
        signals.map((of) => of._tag === "CallRefused" && of.dark),
        [true, true]
      )
      assert.isNull((yield* ask("/items/1")).quota)
    })
  )

  it.live("does not wait for the body of a request that it refuses", () =>
    Effect.gen(function* () {
      const { port, seen, statuses } = yield* started([hourly])
      yield* statuses(2, "/items/1")
      const head = yield* Effect.callback<string>((resume) => {
        const socket = connect(port, "127.0.0.1", () =>
          // The body is announced and never sent.
          socket.write("POST /items HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n")
        )
        socket.once("data", (data) => {
          socket.destroy()
          resume(Effect.succeed(String(data)))
        })
      })
      assert.match(head, /^HTTP\/1\.1 429 /)
      assert.strictEqual(seen.begun, 2)
    })
  )

  it.live("knows a bounded number of clients", () =>
    Effect.gen(function* () {
      const { ask, context } = yield* started([{ ...hourly, keysMax: 3, key: RateLimits.header("x-api-key") }])
      yield* Effect.forEach(Array.from({ length: 20 }), (_, nth) => ask("/items/1", { "x-api-key": `client ${nth}` }))
      assert.deepEqual(Context.get(context, RateLimits.RateLimits)?.state(), { hourly: { waiting: 0, keys: 3 } })
    })
  )

  it.live("its knobs are settings, which hold at once", () =>
    Effect.gen(function* () {
      const { context, statuses } = yield* started([hourly])
      assert.deepEqual(yield* statuses(3, "/items/1"), [200, 200, 429])
      const settings = Context.get(context, Settings.Registry)
      yield* settings.change({ "edge-limits/requests/hourly.permits": 3 }, { by: "a test" })
      assert.deepEqual(yield* statuses(2, "/items/1"), [200, 429])
    })
  )

  it.live("a client over its quota takes no place of the load shedder", () =>
    Effect.gen(function* () {
      const { context, statuses } = yield* started([hourly], LoadShedding.layer({ limitMax: 10 }))
      assert.deepEqual(yield* statuses(3, "/items/1"), [200, 200, 429])
      assert.deepInclude(Context.get(context, LoadShedding.LoadShedding)?.state(), { running: 0 })
    })
  )

  it.effect("refuses options that cannot work, by name", () =>
    Effect.gen(function* () {
      const problemOf = (limits: ReadonlyArray<RateLimits.Options>) =>
        Effect.map(Effect.flip(Effect.scoped(Layer.build(RateLimits.layer(limits)))), ({ message }) => message)
      assert.include(yield* problemOf([]), "at least one limit")
      assert.include(yield* problemOf([hourly, hourly]), "two limits are named hourly")
      assert.include(yield* problemOf([{ name: "x", permits: 0 }]), "x.permits must be a whole number of at least 1")
      assert.include(yield* problemOf([{ name: "x", permits: 1, keysMax: 0 }]), "x.keysMax")
    })
  )
})
