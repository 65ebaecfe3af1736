/** The edge under overload, over real HTTP on loopback. */
import { createServer } from "node:http"
import { connect } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Settings, Shedder, Signal } from "@failsoft/core"
import { Drain, Edge, Health, LoadShedding } from "@failsoft/http"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"

const Shop = HttpApi.make("shop").add(
  HttpApiGroup.make("orders", { topLevel: true })
    .add(
      HttpApiEndpoint.get("order", "/orders/:id", { params: { id: Schema.String }, success: Schema.String }),
      HttpApiEndpoint.get("history", "/history", { success: Schema.String }).annotate(
        LoadShedding.Priority,
        "sheddable"
      )
    )
    .annotate(LoadShedding.Priority, "critical")
)

/** Handlers that wait until the test opens them, and what has become of them. */
const stage = () => {
  const held: Array<() => void> = []
  const seen = { begun: 0, ended: 0, interrupted: 0, peak: 0 }
  const slow = Effect.callback<HttpServerResponse.HttpServerResponse>((resume) => {
    seen.begun++
    seen.peak = Math.max(seen.peak, seen.begun - seen.ended - seen.interrupted)
    held.push(() => {
      seen.ended++
      resume(Effect.succeed(HttpServerResponse.text("done")))
    })
  }).pipe(
    Effect.onInterrupt(() =>
      Effect.sync(() => {
        seen.interrupted++
      })
    )
  )
  const open = () => {
    for (const go of held.splice(0)) go()
  }
  return { slow, open, seen }
}

const started = Effect.fnUntraced(function* (options: LoadShedding.Options = {}, delay: () => number = () => 0) {
  const { slow, open, seen } = stage()
  const handlers = HttpApiBuilder.group(Shop, "orders", (of) =>
    of.handleAll({ order: () => Effect.as(slow, "ordered"), history: () => Effect.as(slow, "history") })
  )
  const routes = Layer.mergeAll(
    HttpApiBuilder.layer(Shop).pipe(Layer.provide(handlers)),
    HttpRouter.add("GET", "/pages/:id", slow),
    HttpRouter.add("POST", "/pages/:id", slow),
    HttpRouter.add("GET", "/similar/*", slow).pipe(LoadShedding.priority("sheddable")),
    HttpRouter.add("GET", "/probe", HttpServerResponse.text("probe")).pipe(LoadShedding.exempt),
    Health.layer({ serviceId: "test", checks: [] }),
    Edge.layer({ deadline: "5 seconds" })
  )
  const signals: Array<Signal.Signal> = []
  const shedding = LoadShedding.layerUnmeasured({ routes: LoadShedding.endpoints(Shop), ...options }).pipe(
    Layer.provide(Layer.succeed(Shedder.LoopDelay, Effect.succeed(delay)))
  )
  const base = Layer.mergeAll(
    Signal.layer,
    Drain.layer,
    NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })
  )
  const context = yield* Layer.build(
    HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(shedding),
      Layer.provideMerge(Settings.layer),
      Layer.provideMerge(base)
    )
  )
  // Before the server stops, which waits for what still runs.
  yield* Effect.addFinalizer(() => Effect.sync(open))
  yield* Context.get(context, Signal.Bus).subscribe((signal) => void signals.push(signal))
  const { address } = Context.get(context, HttpServer.HttpServer)
  const port = "port" in address ? address.port : 0
  const state = () => Context.get(context, LoadShedding.LoadShedding)?.state() ?? {}
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${port}${path}`, init).then(async (response) => ({
      status: response.status,
      headers: response.headers,
      text: await response.text()
    }))
  return { ask, context, open, port, seen, signals, state }
})

/** Waits for what happens on the other side of a socket. */
const until = (holds: () => boolean) =>
  Effect.promise(async () => {
    for (let tries = 0; tries < 1000 && !holds(); tries++) await new Promise((resolve) => setTimeout(resolve, 5))
    assert.isTrue(holds(), "it never came to that")
  })

const priorityOf = ({ text }: { readonly text: string }) => JSON.parse(text).refusal.state.priority

const small = { limitMax: 10, queueMax: 0 } as const

describe("load shedding over HTTP", () => {
  it.live("sheds the least important first, and all are served again at once", () =>
    Effect.gen(function* () {
      const { ask, open, seen, state } = yield* started(small)
      const served: Array<Promise<{ readonly status: number }>> = []
      for (let n = 0; n < 7; n++) served.push(ask("/similar/x"))
      yield* until(() => seen.begun === 7)
      assert.strictEqual((yield* Effect.promise(() => ask("/similar/x"))).status, 503)
      assert.strictEqual(priorityOf(yield* Effect.promise(() => ask("/history"))), "sheddable")
      served.push(ask("/pages/1"), ask("/pages/1"))
      yield* until(() => seen.begun === 9)
      assert.strictEqual(priorityOf(yield* Effect.promise(() => ask("/pages/1"))), "default")
      served.push(ask("/orders/1"))
      yield* until(() => seen.begun === 10)
      assert.strictEqual(priorityOf(yield* Effect.promise(() => ask("/orders/1"))), "critical")
      open()
      assert.deepStrictEqual(
        (yield* Effect.promise(() => Promise.all(served))).map(({ status }) => status),
        served.map(() => 200)
      )
      assert.deepInclude(state(), { running: 0, waiting: 0 })
      const again = ask("/similar/x")
      yield* until(() => seen.begun === 11)
      open()
      assert.strictEqual((yield* Effect.promise(() => again)).status, 200)
    })
  )

  it.live("answers with the problem, the record and a Retry-After, and begins nothing", () =>
    Effect.gen(function* () {
      const { ask, seen, signals } = yield* started({ limitMax: 1, queueMax: 0, retryAfter: "3 seconds" })
      const first = ask("/pages/1")
      yield* until(() => seen.begun === 1)
      const shed = yield* Effect.promise(() => ask("/pages/2", { method: "POST", body: "x".repeat(500_000) }))
      assert.strictEqual(shed.status, 503)
      assert.strictEqual(shed.headers.get("content-type"), "application/problem+json")
      const seconds = Number(shed.headers.get("retry-after"))
      assert.isTrue(Number.isInteger(seconds) && seconds >= 3 && seconds <= 5, `${seconds} is about 3`)
      assert.deepInclude(JSON.parse(shed.text), {
        type: "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
        status: 503,
        reason: "LOAD_SHED",
        retryable: true
      })
      assert.deepInclude(JSON.parse(shed.text).refusal, { policy: "loadShedding", retryAfterMillis: 3000 })
      assert.deepInclude(JSON.parse(shed.text).refusal.state, {
        priority: "default",
        cause: "concurrency",
        running: 1,
        limit: 1
      })
      assert.strictEqual(seen.begun, 1)
      const told = signals.flatMap((signal) => (signal._tag === "RequestShed" ? [signal] : []))
      assert.strictEqual(told.length, 1)
      assert.include(told[0], {
        downstream: "edge",
        method: "other",
        priority: "default",
        reason: "concurrency",
        dark: false
      })
      void first.catch(() => {})
    })
  )

  it.live("never sheds health and exempt routes, nor counts them", () =>
    Effect.gen(function* () {
      const { ask, seen } = yield* started({ limitMax: 1, queueMax: 0 }, () => 10_000)
      void ask("/orders/1").catch(() => {})
      yield* until(() => seen.begun === 1)
      assert.strictEqual((yield* Effect.promise(() => ask("/orders/1"))).status, 503)
      for (const path of ["/livez", "/readyz", "/health", "/probe"]) {
        assert.strictEqual((yield* Effect.promise(() => ask(path))).status, 200, path)
      }
    })
  )

  it.live("lets a caller lower its priority, and raise it only where it is trusted", () =>
    Effect.gen(function* () {
      const { ask, seen, open } = yield* started({
        ...small,
        trusts: (request) => request.headers["x-mesh"] === "yes"
      })
      for (let n = 0; n < 9; n++) void ask("/orders/1").catch(() => {})
      yield* until(() => seen.begun === 9)
      const stated = (path: string, headers: Record<string, string>) =>
        Effect.map(
          Effect.promise(() => ask(path, { headers })),
          priorityOf
        )
      assert.strictEqual(yield* stated("/orders/1", { priority: "u=6, i" }), "sheddable")
      assert.strictEqual(yield* stated("/pages/1", { priority: "i, u=7" }), "sheddable")
      assert.strictEqual(yield* stated("/pages/1", { priority: "u=0" }), "default")
      assert.strictEqual(yield* stated("/pages/1", { priority: "u=3" }), "default")
      assert.strictEqual(yield* stated("/pages/1", { priority: "u=9, nonsense" }), "default")
      assert.strictEqual(yield* stated("/orders/1", { priority: "u=5", "x-mesh": "yes" }), "sheddable")
      void ask("/pages/1", { headers: { priority: "u=1", "x-mesh": "yes" } }).catch(() => {})
      yield* until(() => seen.begun === 10)
      open()
    })
  )

  it.live("lets a short burst wait, and serves it", () =>
    Effect.gen(function* () {
      const { ask, open, seen, state } = yield* started({ limitMax: 1, queueMax: 2, queueInterval: "4 seconds" })
      const served = [ask("/orders/1")]
      yield* until(() => seen.begun === 1)
      served.push(ask("/orders/2"), ask("/orders/3"))
      yield* until(() => state()["waiting"] === 2)
      assert.strictEqual((yield* Effect.promise(() => ask("/orders/4"))).status, 503)
      for (let n = 2; n <= 4; n++) {
        open()
        if (n < 4) yield* until(() => seen.begun === n)
      }
      assert.deepStrictEqual(
        (yield* Effect.promise(() => Promise.all(served))).map(({ status }) => status),
        [200, 200, 200]
      )
      assert.strictEqual(seen.peak, 1)
    })
  )

  it.live("counts a wait in the queue as part of the time that the request grants", () =>
    Effect.gen(function* () {
      const { ask, open, seen, state } = yield* started({ limitMax: 1, queueMax: 2, queueInterval: "4 seconds" })
      const first = ask("/orders/1")
      yield* until(() => seen.begun === 1)
      const startedAt = performance.now()
      const second = ask("/orders/2", { headers: { "grpc-timeout": "800m" } })
      yield* until(() => state()["waiting"] === 1)
      yield* Effect.sleep("500 millis")
      open()
      assert.strictEqual((yield* Effect.promise(() => second)).status, 503)
      assert.isBelow(performance.now() - startedAt, 1200)
      assert.strictEqual((yield* Effect.promise(() => first)).status, 200)
    })
  )

  it.live("lets nobody wait for longer than the request grants", () =>
    Effect.gen(function* () {
      const { ask, open, seen, state } = yield* started({ limitMax: 1, queueMax: 2, queueInterval: "4 seconds" })
      const first = ask("/orders/1")
      yield* until(() => seen.begun === 1)
      const startedAt = performance.now()
      const spent = yield* Effect.promise(() => ask("/orders/2", { headers: { "grpc-timeout": "200m" } }))
      assert.deepInclude(JSON.parse(spent.text), { status: 503, reason: "LOAD_SHED" })
      // A timer may ring within the millisecond before.
      assert.isAtMost(JSON.parse(spent.text).refusal.deadlineLeftMillis, 1)
      assert.isBelow(performance.now() - startedAt, 1500)
      assert.deepInclude(state(), { running: 1, waiting: 0 })
      open()
      assert.strictEqual((yield* Effect.promise(() => first)).status, 200)
    })
  )

  it.live("tells the span of the request why it was shed, by the same record", () =>
    Effect.gen(function* () {
      const events: Array<readonly [string, unknown]> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          span.event = (name, _, attributes) => void events.push([name, attributes])
          return span
        }
      })
      const { ask, open, seen } = yield* Effect.withTracer(started({ limitMax: 1, queueMax: 0 }), tracer)
      const first = ask("/orders/1")
      yield* until(() => seen.begun === 1)
      const shed = yield* Effect.promise(() => ask("/pages/1"))
      const { state, ...rest } = JSON.parse(shed.text).refusal
      const attributes = Object.entries({ ...rest, ...state }).map(([name, value]) => [`resilience.${name}`, value])
      assert.deepEqual(events, [
        ["resilience.refused", { downstream: "edge", method: "other", ...Object.fromEntries(attributes) }]
      ])
      open()
      assert.strictEqual((yield* Effect.promise(() => first)).status, 200)
    })
  )

  it.live("interrupts the request of a client that has gone, running or waiting, and takes its place back", () =>
    Effect.gen(function* () {
      const { port, seen, state } = yield* started({ limitMax: 2, queueMax: 5, queueInterval: "4 seconds" })
      const sockets = Array.from({ length: 5 }, () => {
        const socket = connect(port, "127.0.0.1")
        socket.on("error", () => {})
        socket.write("GET /orders/1 HTTP/1.1\r\nhost: a\r\n\r\n")
        return socket
      })
      yield* until(() => state()["running"] === 2 && state()["waiting"] === 3)
      for (const socket of sockets) socket.destroy()
      yield* until(() => state()["running"] === 0 && state()["waiting"] === 0)
      yield* until(() => seen.interrupted === seen.begun)
      assert.strictEqual(seen.ended, 0)
    })
  )

  it.live("in the dark lets everybody pass and counts whom it would shed", () =>
    Effect.gen(function* () {
      const { ask, open, seen, signals } = yield* started({ limitMax: 1, queueMax: 0, mode: "dark" })
      const served = [ask("/pages/1"), ask("/pages/2"), ask("/pages/3")]
      yield* until(() => seen.begun === 3)
      open()
      assert.deepStrictEqual(
        (yield* Effect.promise(() => Promise.all(served))).map(({ status }) => status),
        [200, 200, 200]
      )
      const told = signals.flatMap((signal) => (signal._tag === "RequestShed" ? [signal.dark] : []))
      assert.deepStrictEqual(told, [true, true])
    })
  )

  it.live("is turned while it runs", () =>
    Effect.gen(function* () {
      const { ask, context, seen } = yield* started({ limitMax: 1, queueMax: 0, limitInitial: 1, limitMin: 1 })
      void ask("/pages/1").catch(() => {})
      yield* until(() => seen.begun === 1)
      assert.strictEqual((yield* Effect.promise(() => ask("/pages/1"))).status, 503)
      const settings = Context.get(context, Settings.Registry)
      yield* settings.set("edge/requests/loadShedding.limitMax", 5, { by: "test" })
      void ask("/pages/1").catch(() => {})
      yield* until(() => seen.begun === 2)
    })
  )

  it.effect("refuses options that cannot work, and says which", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Effect.scoped(Layer.build(LoadShedding.layer({ defaultShare: 0.5, sheddableShare: 0.6, queueMax: -1 })))
      )
      assert.include(error.message, "queueMax must be a whole number of at least 0")
      const pair = yield* Effect.flip(
        Effect.scoped(Layer.build(LoadShedding.layer({ defaultShare: 0.5, sheddableShare: 0.6 })))
      )
      assert.include(pair.message, "sheddableShare (0.6) must be at most defaultShare (0.5)")
    })
  )
})
