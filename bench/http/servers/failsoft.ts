/** Failsoft with everything on: server, edge, load shedding, transport, ring with a fallback. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Contract, Downstream, Fallback, Policy, Settings, Shedder, Signal, Transient } from "@failsoft/core"
import { Drain, Edge, Health, HttpTransport, LoadShedding, Server } from "@failsoft/http"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { fallback, hello, type Running, type Start, settings } from "../settings.ts"

class Stock extends Downstream.Service<Stock>()(
  "@failsoft/bench/Stock",
  {
    get: Contract.method({
      payload: Schema.Struct({ sku: Schema.String }),
      success: Schema.Struct({ sku: Schema.String, available: Schema.Finite }),
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "safe",
      onOutage: "degrade"
    })
  },
  {
    criticality: "optional",
    owner: "bench",
    slo: { objective: 0.99, window: "30 days" },
    budget: "5 seconds",
    docs: "https://example.com"
  }
) {}

type Stack = ReturnType<typeof Policy.standard>

/** The stack that a team gets without thinking. */
const standard: Stack = Policy.standard({ deadline: settings.timeoutMillis })

/** The policies and knobs of the peers' stacks. */
const sameAsPeers: Stack = Policy.stack(
  Policy.deadline(4 * settings.timeoutMillis),
  Policy.retry({ times: settings.retries, base: settings.backoffMillis, delayMax: 100 }),
  Policy.circuitBreaker({
    windowCalls: settings.windowCalls,
    failureRate: settings.failureRate,
    minimumCalls: settings.minimumCalls
  }),
  Policy.bulkhead({ permits: settings.permits, queueMax: settings.permits }),
  Policy.timeout(settings.timeoutMillis)
)

const ring = (downstream: string, policy: Stack) =>
  Stock.layer({ get: { policy, fallback: Fallback.value(fallback) } }).pipe(
    Layer.provide(
      HttpTransport.layerUndici(Stock, {
        baseUrl: downstream,
        methods: { get: { method: "GET", path: ({ sku }) => HttpTransport.path`/stock/${sku}` } }
      })
    ),
    Layer.provide(NodeHttpClient.layerDispatcherOptions({ connections: settings.connections }))
  )

/** Listens with these routes until the process ends. */
const listen = (
  routes: Parameters<typeof Server.serve<never, never, HttpRouter.HttpRouter>>[0],
  degraded: () => number
): Promise<Running> =>
  new Promise((resolve, reject) => {
    let bound = 0
    const server = Server.serve(routes, {
      port: 0,
      portVariable: "PORT",
      onListening: (port) => {
        bound = port
      }
    })
    const base = Layer.mergeAll(Settings.layer, Signal.layer, Drain.layer)
    const program = Effect.gen(function* () {
      yield* Layer.build(Layer.provide(server, base))
      resolve({ port: bound, degraded })
      return yield* Effect.never
    })
    Effect.runPromise(Effect.scoped(program)).catch(reject)
  })

const greet = HttpRouter.add(
  "GET",
  "/hello",
  Effect.sync(() => HttpServerResponse.jsonUnsafe(hello))
)

const health = Health.layer({ serviceId: "bench", checks: [] })

export const edge: Start = () =>
  listen(Layer.mergeAll(greet, health, Edge.layer()).pipe(Layer.provide(Layer.orDie(LoadShedding.layer()))), () => 0)

/** An event loop that claims to be very late, so that every request is shed. */
export const shedding: Start = () =>
  listen(
    Layer.mergeAll(greet, health, Edge.layer()).pipe(
      Layer.provide(Layer.orDie(LoadShedding.layerUnmeasured({ delayWindow: 1 }))),
      Layer.provide(
        Layer.succeed(
          Shedder.LoopDelay,
          Effect.succeed(() => 1e6)
        )
      )
    ),
    () => 0
  )

const hop =
  (policy: Stack): Start =>
  (downstream) => {
    let degraded = 0
    const route = HttpRouter.use((router) =>
      Effect.gen(function* () {
        const { get } = yield* Stock
        yield* router.add(
          "GET",
          "/stock",
          Effect.map(get({ sku: "a1" }), (answer) => {
            if (answer.quality !== "fresh") degraded++
            return HttpServerResponse.jsonUnsafe(answer.value)
          })
        )
      })
    )
    return listen(
      Layer.mergeAll(route, health, Edge.layer()).pipe(
        Layer.provide(Layer.orDie(LoadShedding.layer())),
        Layer.provide(Layer.orDie(ring(downstream, policy)))
      ),
      () => degraded
    )
  }

export const standardHop: Start = hop(standard)
export const sameHop: Start = hop(sameAsPeers)
