import { createServer } from "node:http"
import { connect } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Deadline, Journal, Unavailable } from "@failsoft/core"
import { Degraded, Drain, Edge, Health, Problem } from "@failsoft/http"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Layer from "effect/Layer"

const unavailable = new Unavailable.Unavailable({
  downstream: "shop",
  method: "get",
  reason: "CIRCUIT_OPEN",
  detail: "refused",
  retryable: true,
  applied: "no",
  retryAfterMillis: 4200
})

const interrupted = Deferred.makeUnsafe<void>()

const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/hello", Effect.succeed(HttpServerResponse.text("hello"))),
  HttpRouter.add(
    "GET",
    "/left",
    Effect.map(Deadline.remainingMillis, (left) => HttpServerResponse.jsonUnsafe({ left }))
  ),
  HttpRouter.add(
    "GET",
    "/hang",
    Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
  ),
  HttpRouter.add(
    "GET",
    "/trace",
    Effect.map(
      Effect.orElseSucceed(Effect.currentParentSpan, () => undefined),
      (span) => HttpServerResponse.jsonUnsafe({ trace: span?.traceId ?? null })
    )
  ),
  HttpRouter.add("GET", "/die", Effect.die(new Error("a secret"))),
  HttpRouter.add("GET", "/down", Problem.orRaise(Effect.fail(unavailable))),
  HttpRouter.add("GET", "/bare", Effect.succeed(HttpServerResponse.empty({ status: 403 }))),
  HttpRouter.add(
    "GET",
    "/degraded",
    Effect.gen(function* () {
      yield* Journal.record({
        downstream: "a",
        method: "x",
        quality: "stale",
        reason: "CIRCUIT_OPEN",
        ageMillis: 29_001
      })
      yield* Journal.record({ downstream: "b", method: "y", quality: "substituted", reason: "TIMEOUT" })
      return HttpServerResponse.jsonUnsafe(yield* Degraded.meta)
    })
  ),
  HttpRouter.add(
    "POST",
    "/echo",
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      return HttpServerResponse.jsonUnsafe(yield* request.json)
    })
  ),
  HttpRouter.add(
    "POST",
    "/drain",
    Effect.gen(function* () {
      const drain = yield* Drain.Drain
      drain.begin()
      return HttpServerResponse.empty()
    })
  ),
  Health.layer({ serviceId: "test", checks: [] }),
  Edge.layer({ deadline: "300 millis", requestMaxBytes: 100 })
)

/** The URL of a server of its own for the test. */
const server = Effect.gen(function* () {
  const context = yield* Layer.build(
    HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
      Layer.provide(Drain.layer)
    )
  )
  const { address } = yield* Effect.provide(HttpServer.HttpServer, context)
  return `http://127.0.0.1:${"port" in address ? address.port : 0}`
})

const ask = (url: string, init?: RequestInit) =>
  Effect.promise(async () => {
    const response = await fetch(url, init)
    const text = await response.text()
    return {
      status: response.status,
      type: response.headers.get("content-type"),
      retryAfter: response.headers.get("retry-after"),
      degradation: response.headers.get("degradation"),
      connection: response.headers.get("connection"),
      body: text.startsWith("{") ? Object(JSON.parse(text)) : text
    }
  })

describe("the edge", () => {
  it.live("lets a good request pass", () =>
    Effect.gen(function* () {
      const seen = yield* ask(`${yield* server}/hello`)
      assert.deepInclude(seen, { status: 200, body: "hello", degradation: null })
    })
  )

  it.live("goes on with the trace of its caller, though nobody exports spans", () =>
    Effect.gen(function* () {
      const url = `${yield* server}/trace`
      const traceId = "0123456789abcdef0123456789abcdef"
      const traced = (traceparent: string) =>
        Effect.map(ask(url, { headers: { traceparent } }), ({ body }) => body.trace)
      assert.strictEqual(yield* traced(`00-${traceId}-0123456789abcdef-01`), traceId)
      assert.isNull(yield* traced("nonsense"))
      assert.isNull((yield* ask(url)).body.trace)
    })
  )

  it.live("gives the handler the least of all deadlines", () =>
    Effect.gen(function* () {
      const url = `${yield* server}/left`
      const left = (headers: Record<string, string>) => Effect.map(ask(url, { headers }), ({ body }) => body.left)
      const close = (value: number, to: number) =>
        assert.isTrue(value <= to && value > to - 60, `${value} is about ${to}`)
      close(yield* left({}), 300)
      close(yield* left({ "grpc-timeout": "100m" }), 100)
      close(yield* left({ "grpc-timeout": "1H" }), 300)
      close(yield* left({ "grpc-timeout": "150000u" }), 150)
      close(yield* left({ "grpc-timeout": "200m", "x-envoy-expected-rq-timeout-ms": "120" }), 120)
      close(yield* left({ "x-envoy-expected-rq-timeout-ms": "0" }), 300)
    })
  )

  it.live("refuses a spent or malformed deadline on arrival", () =>
    Effect.gen(function* () {
      const url = `${yield* server}/hello`
      const spent = yield* ask(url, { headers: { "grpc-timeout": "0m" } })
      assert.strictEqual(spent.status, 504)
      assert.strictEqual(spent.body.reason, "DEADLINE_EXCEEDED")
      assert.deepInclude(spent.body.refusal, { policy: "edge", reason: "DEADLINE_EXCEEDED", deadlineLeftMillis: 0 })
      for (const headers of [
        { "grpc-timeout": "5" },
        { "grpc-timeout": "123456789m" },
        { "x-envoy-expected-rq-timeout-ms": "1.5" }
      ]) {
        const malformed = yield* ask(url, { headers: { ...headers } })
        assert.strictEqual(malformed.status, 400)
        assert.include(malformed.body.detail, Object.keys(headers)[0])
      }
    })
  )

  it.live("interrupts the handler at the deadline and says so", () =>
    Effect.gen(function* () {
      const seen = yield* ask(`${yield* server}/hang`)
      assert.deepInclude(seen, { status: 503, type: "application/problem+json" })
      assert.deepInclude(seen.body, { reason: "DEADLINE_EXCEEDED", retryable: true, instance: "/hang" })
      assert.match(String(seen.retryAfter), /^[12]$/)
      yield* Effect.timeout(Deferred.await(interrupted), "5 seconds")
    })
  )

  it.live("makes every error a problem and never shows a defect", () =>
    Effect.gen(function* () {
      const url = yield* server
      const unknown = yield* ask(`${url}/nowhere?token=secret`)
      assert.deepInclude(unknown.body, {
        status: 404,
        reason: "UNKNOWN_ROUTE",
        instance: "/nowhere",
        type: "about:blank"
      })
      const defect = yield* ask(`${url}/die`)
      assert.deepInclude(defect.body, { status: 500, reason: "INTERNAL", retryable: false })
      assert.notInclude(JSON.stringify(defect.body), "secret")
      const bare = yield* ask(`${url}/bare`)
      assert.deepInclude(bare.body, { status: 403, reason: "FORBIDDEN" })
      for (const { type } of [unknown, defect, bare]) assert.strictEqual(type, "application/problem+json")
    })
  )

  it.live("says of an unavailable downstream which, why, and when to come back", () =>
    Effect.gen(function* () {
      const { status, body, retryAfter } = yield* ask(`${yield* server}/down`)
      assert.strictEqual(status, 503)
      assert.deepInclude(body, { downstream: "shop", reason: "CIRCUIT_OPEN", retryable: true })
      // 4.2 s, rounded up, and up to half as much more.
      assert.isAtLeast(Number(retryAfter), 5)
      assert.isAtMost(Number(retryAfter), 8)
    })
  )

  it.live("states the same degradations in the header and in meta", () =>
    Effect.gen(function* () {
      const { degradation, body } = yield* ask(`${yield* server}/degraded`)
      assert.strictEqual(
        degradation,
        "a;quality=stale;age=30;reason=circuit-open, b;quality=substituted;reason=timeout"
      )
      assert.deepEqual(body.degraded, [
        { downstream: "a", quality: "stale", reason: "circuit-open", age: 30 },
        { downstream: "b", quality: "substituted", reason: "timeout" }
      ])
    })
  )

  it.live("limits request bodies, declared or not, and refuses what is not JSON", () =>
    Effect.gen(function* () {
      const url = `${yield* server}/echo`
      const post = (body: string | ReadableStream) =>
        ask(url, { method: "POST", body, ...(typeof body === "string" ? {} : { duplex: "half" }) })
      assert.strictEqual((yield* post('{"a":1}')).status, 200)
      assert.deepInclude((yield* post(JSON.stringify("x".repeat(200)))).body, { status: 413, reason: "BODY_TOO_LARGE" })
      const chunked = new Blob([JSON.stringify("x".repeat(200))]).stream()
      assert.deepInclude((yield* post(chunked)).body, { status: 413, reason: "BODY_TOO_LARGE" })
      assert.deepInclude((yield* post("{")).body, { status: 400, reason: "MALFORMED_BODY" })
    })
  )

  it.live("answers 408 where the body does not arrive in time", () =>
    Effect.gen(function* () {
      const { port } = new URL(yield* server)
      const text = yield* Effect.callback<string>((resume) => {
        const socket = connect(Number(port), "127.0.0.1", () => {
          socket.write('POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{"a"')
        })
        let seen = ""
        socket.on("data", (chunk) => {
          seen += chunk
          if (seen.includes("}")) socket.destroy()
        })
        socket.on("close", () => resume(Effect.succeed(seen)))
      })
      assert.match(text, /^HTTP\/1\.1 408 /)
      assert.include(text, "BODY_TIMEOUT")
    })
  )

  it.live("answers HEAD where there is a GET", () =>
    Effect.gen(function* () {
      assert.deepInclude(yield* ask(`${yield* server}/hello`, { method: "HEAD" }), { status: 200, body: "" })
    })
  )

  it.live("is ready until it drains, and then asks clients to leave their sockets", () =>
    Effect.gen(function* () {
      const url = yield* server
      assert.strictEqual((yield* ask(`${url}/readyz`)).status, 200)
      yield* ask(`${url}/drain`, { method: "POST" })
      const ready = yield* ask(`${url}/readyz`)
      assert.deepInclude(ready.body, { status: 503, reason: "DRAINING", retryable: true })
      assert.isNotNull(ready.retryAfter)
      assert.strictEqual((yield* ask(`${url}/livez`)).status, 200)
      assert.deepInclude(yield* ask(`${url}/hello`), { status: 200, connection: "close" })
    })
  )
})
