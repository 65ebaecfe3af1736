import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Downstream, Policy, Settings, Signal } from "@failsoft/core"
import { Admin, Edge, Health } from "@failsoft/http"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServer } from "effect/http"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Shop } from "./kit.ts"

const policy = Policy.standard({ deadline: "400 millis" })
const ring = Shop.layer({ get: { policy }, put: { policy } }).pipe(
  Layer.provide(Shop.transport({ get: () => Effect.succeed({ stock: 1 }), put: () => Effect.succeed({ stock: 1 }) }))
)

const get = "shop/get/timeout.limitMillis"
const put = "shop/put/timeout.limitMillis"

/** What a test asks of an admin port of its own. */
const admin = (options: Partial<Admin.Options> = {}) =>
  Effect.gen(function* () {
    const routes = Layer.unwrap(
      Effect.map(Shop, (shop) =>
        Layer.mergeAll(
          Admin.layer({
            downstreams: () =>
              [Downstream.describe(shop)].flatMap((description) =>
                description === undefined ? [] : [{ description, facts: { url: "http://shop" } }]
              ),
            ...options
          }),
          Health.layer({ serviceId: "test", checks: [] }),
          Edge.layer()
        )
      )
    )
    const context = yield* Layer.build(
      HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
        Layer.provide(ring),
        Layer.provide(Settings.layer),
        Layer.provide(Signal.layer)
      )
    )
    const { address } = yield* Effect.provideContext(HttpServer.HttpServer, context)
    const url = `http://127.0.0.1:${"port" in address ? address.port : 0}`
    return (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
      Effect.promise(async () => {
        const response = await fetch(url + path, {
          method,
          headers: { "content-type": "application/json", ...headers },
          ...(body instanceof ReadableStream
            ? { body, duplex: "half" }
            : body === undefined
              ? {}
              : { body: typeof body === "string" ? body : JSON.stringify(body) })
        })
        const text = await response.text()
        const read: Record<string, unknown> = text.startsWith("{") ? JSON.parse(text) : {}
        return { status: response.status, type: response.headers.get("content-type"), body: read }
      })
  })

describe("the admin API", () => {
  it.live("shows downstreams with their picture, values, origins, state and worst case", () =>
    Effect.gen(function* () {
      const ask = yield* admin()
      const { status, body } = yield* ask("GET", "/admin/downstreams")
      assert.strictEqual(status, 200)
      const text = JSON.stringify(body)
      assert.include(text, '"name":"shop","url":"http://shop","criticality":"optional"')
      assert.include(text, '"policy":"deadline > retry')
      assert.include(text, `"${get}":{"value":100,"origin":"code"}`)
      assert.include(text, '"state":{')
      assert.match(text, /"worstLatencyMillis":\d+,"worstLoad":[\d.]+,"worstExtraPerSecond":[\d.]+,"warnings":\[/)
      assert.include(text, "worst case: at most")
    }).pipe(Effect.scoped)
  )

  it.live("reads, changes and clears a setting by its name, with slashes or encoded", () =>
    Effect.gen(function* () {
      const ask = yield* admin()
      for (const path of [`/admin/settings/${get}`, `/admin/settings/${encodeURIComponent(get)}`]) {
        assert.deepInclude((yield* ask("GET", path)).body, { name: get, value: 100, origin: "code" })
        const changed = yield* ask("PUT", path, {
          value: 80,
          reason: "a test",
          by: "alice",
          expiresAfterMillis: 60_000
        })
        assert.strictEqual(changed.status, 200)
        assert.include(JSON.stringify(changed.body), '"by":"alice"')
        assert.deepInclude((yield* ask("GET", path)).body, { value: 80, origin: "admin", reason: "a test" })
        assert.strictEqual((yield* ask("DELETE", `${path}?reason=done&by=bob`)).status, 200)
        assert.deepInclude((yield* ask("GET", path)).body, { value: 100, origin: "code" })
      }
      const audit = yield* ask("GET", "/admin/settings-audit")
      assert.strictEqual(Array.isArray(audit.body["changes"]) && audit.body["changes"].length, 4)
      assert.include(JSON.stringify(audit.body), '"by":"bob"')
      assert.include(JSON.stringify((yield* ask("GET", "/admin/settings")).body), get)
    }).pipe(Effect.scoped)
  )

  it.live("changes a group, all or nothing", () =>
    Effect.gen(function* () {
      const ask = yield* admin()
      const bad = yield* ask("PUT", "/admin/settings", { changes: { [get]: 90, "shop/put/deadline.limitMillis": 50 } })
      assert.strictEqual(bad.status, 422)
      assert.deepInclude((yield* ask("GET", `/admin/settings/${get}`)).body, { value: 100 })
      const good = yield* ask("PUT", "/admin/settings", { changes: { [get]: 90, [put]: "90 millis" } })
      assert.strictEqual(good.status, 200)
      // Both rows have the same policy value, which has one timeout.
      assert.strictEqual(Array.isArray(good.body["changes"]) && good.body["changes"].length, 1)
      yield* ask("PUT", "/admin/settings", { changes: { [get]: null } })
      assert.deepInclude((yield* ask("GET", `/admin/settings/${put}`)).body, { value: 100, origin: "code" })
    }).pipe(Effect.scoped)
  )

  it.live("opens a breaker by hand and closes it", () =>
    Effect.gen(function* () {
      const ask = yield* admin()
      const breaker = "/admin/breakers/shop/get/circuitBreaker"
      const state = Effect.map(
        ask("GET", "/admin/downstreams"),
        ({ body }) => /"circuit":"([\w-]+)"/.exec(JSON.stringify(body))?.[1]
      )
      assert.strictEqual((yield* ask("POST", `${breaker}/open`)).status, 200)
      assert.strictEqual(yield* state, "open")
      assert.strictEqual(
        (yield* ask("POST", `/admin/breakers/${encodeURIComponent("shop/get/circuitBreaker")}/close`)).status,
        200
      )
      assert.strictEqual(yield* state, "closed")
      assert.strictEqual((yield* ask("POST", `${breaker}/reset`)).status, 200)
    }).pipe(Effect.scoped)
  )

  it.live("answers every mistake with a problem that says what would be right", () =>
    Effect.gen(function* () {
      const ask = yield* admin()
      const one = `/admin/settings/${get}`
      const mistakes: ReadonlyArray<readonly [string, string, unknown, number, string]> = [
        ["GET", "/admin/settings/shop/get/timeout.limit", undefined, 404, `did you mean ${get}`],
        ["PUT", "/admin/settings/nothing", { value: 1 }, 404, "a name is downstream/method/policy.knob"],
        ["DELETE", "/admin/settings/nothing", undefined, 404, "there is no setting 'nothing'"],
        ["PUT", one, { value: "soon" }, 400, "must be a finite duration above zero"],
        ["PUT", one, { value: 100_000 }, 422, "must be shorter than deadline.limitMillis"],
        ["PUT", one, {}, 400, "the body must be { value"],
        ["PUT", one, { value: [1] }, 400, "the body must be { value"],
        ["PUT", one, { value: 80, expiresAfter: 5 }, 400, "expiresAfter"],
        ["PUT", one, { value: 80, expiresAfterMillis: 1e12 }, 400, "from 1 ms to 7 days"],
        ["PUT", one, "{", 400, "valid JSON"],
        ["PUT", "/admin/settings", { changes: [] }, 400, "the body must be { changes"],
        ["GET", "/admin/settings/%E0%A4%A", undefined, 404, "no route"],
        ["POST", "/admin/breakers/shop/get/circuitBreaker/explode", undefined, 404, "it has open, close"],
        ["POST", "/admin/breakers/nothing/open", undefined, 404, "there are shop/get/circuitBreaker"],
        ["POST", "/admin/breakers/open", undefined, 404, "there are shop/get/circuitBreaker"]
      ]
      for (const [method, path, given, status, detail] of mistakes) {
        const seen = yield* ask(method, path, given)
        const where = `${method} ${path} ${JSON.stringify(given)}: ${JSON.stringify(seen.body)}`
        assert.strictEqual(seen.status, status, where)
        assert.match(seen.type ?? "", /^application\/problem\+json/, where)
        assert.include(String(seen.body["detail"]), detail, where)
      }
    }).pipe(Effect.scoped)
  )

  it.live("lets in who bears the token, whatever the path looks like", () =>
    Effect.gen(function* () {
      const ask = yield* admin({ token: Redacted.make("a secret of some length"), host: "0.0.0.0" })
      const status = (path: string, authorization?: string) =>
        Effect.map(ask("GET", path, undefined, authorization === undefined ? {} : { authorization }), (of) => of.status)
      for (const path of ["/admin/settings", "/%61dmin/settings", "//admin/settings", "/admin/nothing"]) {
        assert.strictEqual(yield* status(path), 401, path)
        assert.strictEqual(yield* status(path, "Bearer a secret of some lengt"), 401, path)
        assert.strictEqual(yield* status(path, "Basic a secret of some length"), 401, path)
      }
      assert.strictEqual(yield* status("/admin/settings", "Bearer a secret of some length"), 200)
      assert.strictEqual(yield* status("/livez"), 200)
    }).pipe(Effect.scoped)
  )

  it.live("leaves a probe open that has a query", () =>
    Effect.gen(function* () {
      const ask = yield* admin({ token: Redacted.make("a secret of some length"), host: "0.0.0.0" })
      assert.strictEqual((yield* ask("GET", "/livez?from=balancer")).status, 200)
      for (const path of ["/livez/../admin/settings", "/admin/settings?/livez", "/livez%3F/../admin/settings"]) {
        assert.strictEqual((yield* ask("GET", path)).status, 401, path)
      }
    }).pipe(Effect.scoped)
  )

  it.live("says of a body that it is too large, also where it was not declared", () =>
    Effect.gen(function* () {
      const ask = yield* admin()
      const large = new Blob(["x".repeat(1_200_000)]).stream()
      assert.deepInclude((yield* ask("PUT", "/admin/settings", large)).body, { status: 413, reason: "BODY_TOO_LARGE" })
    }).pipe(Effect.scoped)
  )

  it.live("finds a setting however the way to it is written", () =>
    Effect.gen(function* () {
      const ask = yield* admin()
      for (const path of [`/%61dmin/settings/${get}`, `//admin/settings/${get}`, `/admin/settings/${get}?x=1`]) {
        assert.deepInclude((yield* ask("GET", path)).body, { name: get }, path)
      }
    }).pipe(Effect.scoped)
  )

  it.live("refuses on loopback what a web page of another site asks for", () =>
    Effect.gen(function* () {
      const ask = yield* admin()
      const breaker = "/admin/breakers/shop/get/circuitBreaker/open"
      const foreign = yield* ask("POST", breaker, undefined, { origin: "https://evil.example" })
      assert.deepInclude(foreign.body, { status: 403, reason: "FOREIGN_ORIGIN" })
    }).pipe(Effect.scoped)
  )

  it.live("does not start beyond loopback without a token", () =>
    Effect.gen(function* () {
      for (const host of ["0.0.0.0", "::", "10.0.0.1", "example.com", "127.example.com"]) {
        const failure = yield* Effect.flip(admin({ host, token: Redacted.make("") }))
        assert.include(
          String(failure),
          `The admin API listens on ${host}, beyond loopback, and has no token: set ADMIN_TOKEN`
        )
      }
      for (const host of ["127.0.0.1", "localhost", "::1"]) yield* admin({ host })
    }).pipe(Effect.scoped)
  )
})
