import { createServer, request } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Route } from "@failsoft/http"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Layer from "effect/Layer"

/** The ways to write one address that are the same to the router, and some that are not. */
const spellings = [
  "/orders",
  "/orders?",
  "/orders?x=1",
  "/orders;x=1",
  "/orders/",
  "/orders//?x",
  "//orders",
  "/Orders",
  "/%6frders",
  "/ORDER%53/",
  "/orders%2F",
  "/orders/1",
  "/order",
  "/orders%",
  "/.//orders"
]

describe("for which route a request is", () => {
  it.live("is the same as at the router, however the address is written", () =>
    Effect.gen(function* () {
      const routes = Layer.mergeAll(
        HttpRouter.add("POST", "/orders", HttpServerResponse.text("orders")),
        HttpRouter.add("GET", "/items/:id", HttpServerResponse.text("item")),
        HttpRouter.add("*", "/files/*", HttpServerResponse.text("files"))
      )
      const meant = {
        orders: Route.matching("POST", "/orders"),
        item: Route.matching("GET", "/items/:id"),
        files: Route.matching("*", "/files/*")
      }
      const said: Array<string> = []
      const saying = HttpRouter.middleware(
        (app) =>
          Effect.flatMap(HttpServerRequest.HttpServerRequest, (of) => {
            said.push(...Object.entries(meant).flatMap(([name, matches]) => (matches(of) ? [name] : [])))
            return app
          }),
        { global: true }
      )
      const context = yield* Layer.build(
        HttpRouter.serve(Layer.merge(saying, routes), { disableLogger: true, disableListenLog: true }).pipe(
          Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
        )
      )
      const { address } = Context.get(context, HttpServer.HttpServer)
      const port = "port" in address ? address.port : 0
      const ask = (method: string, path: string) =>
        Effect.promise(
          () =>
            new Promise<string>((resolve, reject) => {
              // No URL is parsed on the way: it is sent as it is.
              const asked = request({ host: "127.0.0.1", port, method, path }, (response) => {
                let text = ""
                response.on("data", (part) => {
                  text += String(part)
                })
                response.on("end", () => resolve(method === "HEAD" && response.statusCode === 200 ? "item" : text))
              })
              asked.on("error", reject)
              asked.end()
            })
        )
      let found = 0
      for (const [method, path] of [
        ...spellings.map((path) => ["POST", path] as const),
        ["GET", "/orders"] as const,
        ...["/items/1", "/Items/A?x", "/items", `/items/${"x".repeat(101)}`].map((path) => ["GET", path] as const),
        ["HEAD", "/items/1"] as const,
        ...["/files", "/files/", "/files/a/b", "/filesa"].map((path) => ["PUT", path] as const),
        ["POST", "http://elsewhere.example/orders"] as const
      ]) {
        said.length = 0
        const text = yield* ask(method, path)
        assert.strictEqual(said.join(), text, `${method} ${path}`)
        if (text !== "") found++
      }
      assert.isAbove(found, 15)
    })
  )

  it("of paths and what lies below them is not what only begins alike", () => {
    const below = Route.below(["/health", "/admin/"])
    const means = (url: string) => below({ method: "GET", url })
    const long = `/admin/${"x".repeat(300)}`
    assert.deepEqual(["/health", "/HEALTH/?x", "/health/a/b", "/admin", "/admin/x?y=1", long].filter(means).length, 6)
    assert.deepEqual(["/healthy", "/", "/a/health", "/admi"].filter(means), [])
    assert.isTrue(Route.below(["/"])({ method: "POST", url: "/anything/at/all" }))
  })

  it("follows a router that is configured otherwise", () => {
    const exact = Route.matching("GET", "/Items", { caseSensitive: true, ignoreTrailingSlash: false })
    assert.isTrue(exact({ method: "GET", url: "/Items" }))
    assert.isFalse(exact({ method: "GET", url: "/items" }))
    assert.isFalse(exact({ method: "GET", url: "/Items/" }))
  })
})
