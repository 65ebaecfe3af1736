/** A server that sheds on the socket, over real HTTP on loopback, and whoever fills it. */
import { Agent, request } from "node:http"
import { connect } from "node:net"
import { assert } from "@effect/vitest"
import { Settings, Signal } from "@failsoft/core"
import { Drain, Edge, Health, LoadShedding, Server } from "@failsoft/http"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Layer from "effect/Layer"

/** A server of which one handler holds its place until it is opened; `spans` are what Effect made for requests. */
export const started = Effect.fnUntraced(function* (
  options: LoadShedding.Options = {},
  around: Layer.Layer<never, unknown> = Layer.empty
) {
  const held: Array<() => void> = []
  const seen = { holding: 0, bodies: 0, passed: 0 }
  let port = 0
  const hold = Effect.callback<HttpServerResponse.HttpServerResponse>((resume) => {
    seen.holding++
    held.push(() => resume(Effect.succeed(HttpServerResponse.text("held"))))
  })
  const routes = Layer.mergeAll(
    // Whatever comes in passes here: who was added first stands outermost.
    HttpRouter.middleware(
      (app) =>
        Effect.suspend(() => {
          seen.passed++
          return app
        }),
      { global: true }
    ),
    HttpRouter.add("GET", "/hold", hold).pipe(LoadShedding.priority("critical")),
    HttpRouter.add("GET", "/page", HttpServerResponse.text("page")),
    HttpRouter.add("POST", "/fail", HttpServerResponse.empty({ status: 500 })),
    HttpRouter.add("GET", "/hang", Effect.never).pipe(LoadShedding.exempt),
    HttpRouter.add(
      "POST",
      "/page",
      Effect.gen(function* () {
        const incoming = yield* HttpServerRequest.HttpServerRequest
        seen.bodies += (yield* incoming.text).length
        return HttpServerResponse.text("taken")
      })
    ),
    Health.layer({ serviceId: "test", checks: [] }),
    Edge.layer({ deadline: "20 seconds" })
  ).pipe(Layer.provide(LoadShedding.layer({ limitMax: 1, queueMax: 0, ...options })), Layer.provide(around))
  const onListening = (bound: number) => {
    port = bound
  }
  const context = yield* Layer.build(
    Layer.provideMerge(
      Server.serve(routes, { port: 0, portVariable: "PORT", onListening }),
      Layer.mergeAll(Settings.layer, Signal.layer, Drain.layer)
    )
  )
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const go of held) go()
    })
  )
  const signals: Array<Signal.Signal> = []
  yield* Context.get(context, Signal.Bus).subscribe((signal) => void signals.push(signal))
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  yield* Effect.addFinalizer(() => Effect.sync(() => agent.destroy()))
  const asking = (method: string, path: string, headers: Record<string, string>, body: string | undefined) =>
    new Promise<{
      readonly status: number
      readonly headers: Record<string, unknown>
      readonly text: string
      readonly socket: unknown
    }>((resolve, reject) => {
      const asked = request({ agent, host: "127.0.0.1", port, method, path, headers }, (response) => {
        const { socket } = response
        let text = ""
        response.on("data", (part) => {
          text += String(part)
        })
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text, socket }))
      })
      asked.on("error", reject)
      asked.end(body)
    })
  const ask = (method: string, path: string, headers: Record<string, string> = {}, body?: string) =>
    Effect.promise(() => asking(method, path, headers, body))
  /** Takes the only place. */
  const fill = Effect.promise(async () => {
    void fetch(`http://127.0.0.1:${port}/hold`).then(
      (response) => response.text(),
      () => ""
    )
    for (let tries = 0; tries < 1000 && seen.holding === 0; tries++) await new Promise((go) => setTimeout(go, 2))
    assert.strictEqual(seen.holding, 1)
  })
  /** Sends 64 MiB, as fast as they are taken, until the connection ends or three seconds are over. */
  const upload = (framing: string) =>
    Effect.promise(
      () =>
        new Promise<{ readonly answer: string; readonly closed: boolean; readonly taken: number }>((resolve) => {
          const part = Buffer.alloc(1 << 20)
          const chunk = framing.startsWith("transfer")
            ? Buffer.concat([Buffer.from("100000\r\n"), part, Buffer.from("\r\n")])
            : part
          let [answer, sent] = ["", 0]
          const end = (closed: boolean) => {
            clearTimeout(late)
            resolve({ answer, closed, taken: socket.bytesWritten - socket.writableLength })
            socket.destroy()
          }
          const more = (): void => {
            while (sent < 64 && !socket.destroyed) {
              sent++
              if (!socket.write(chunk)) return void socket.once("drain", more)
            }
          }
          const socket = connect(port, "127.0.0.1", () => {
            socket.write(`POST /page HTTP/1.1\r\nHost: x\r\n${framing}\r\n\r\n`)
            more()
          })
          socket.on("data", (data) => {
            answer += String(data)
          })
          socket.on("error", () => {})
          socket.on("close", () => end(true))
          const late = setTimeout(() => end(false), 3000)
        })
    )
  /** Sends 40 kB piece by piece, and looks for an answer only then. */
  const trickle = Effect.promise(
    () =>
      new Promise<string>((resolve) => {
        let answer = ""
        const socket = connect(port, "127.0.0.1", async () => {
          socket.pause()
          socket.write("POST /page HTTP/1.1\r\nHost: x\r\ncontent-length: 40000\r\n\r\n")
          for (let nth = 0; nth < 4; nth++) {
            await new Promise((go) => setTimeout(go, 20))
            socket.write(Buffer.alloc(10_000))
          }
          socket.resume()
        })
        socket.on("data", (data) => {
          answer += String(data)
        })
        socket.on("error", () => {})
        socket.on("close", () => resolve(answer))
      })
  )
  const open = Effect.sync(() => {
    for (const go of held.splice(0)) go()
  })
  return { ask, fill, open, seen, signals, trickle, upload, context, drain: Context.get(context, Drain.Drain) }
})
