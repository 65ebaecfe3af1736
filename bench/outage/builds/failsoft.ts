/** Failsoft with the defaults that a team gets without thinking: `standard`, edge, load shedding, health. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import {
  type Answer,
  Contract,
  Downstream,
  Fallback,
  Policy,
  Settings,
  Signal,
  Transient,
  Transport
} from "@failsoft/core"
import { Drain, Edge, Health, HttpTransport, LoadShedding, Server } from "@failsoft/http"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { knobs, type Start, substitute } from "../settings.ts"
import { type Part, pageOf } from "./part.ts"

class Gone extends Schema.TaggedError<Gone>()("Gone", {}) {}

const info = {
  owner: "bench",
  slo: { objective: 0.99, window: "30 days" },
  budget: "2 seconds",
  docs: "https://example.com"
} as const

const one = {
  payload: Schema.Struct({ sku: Schema.String }),
  success: Schema.Struct({ sku: Schema.String, value: Schema.Finite }),
  transient: Transient.Transient,
  idempotency: "safe",
  scope: "public"
} as const

class Essential extends Downstream.Service<Essential>()(
  "@failsoft/bench/Essential",
  { get: Contract.method({ ...one, permanent: Gone, onOutage: "degrade-or-fail", scope: "public" }) },
  { ...info, criticality: "essential" }
) {}

class Degradable extends Downstream.Service<Degradable>()(
  "@failsoft/bench/Degradable",
  { get: Contract.method({ ...one, permanent: Schema.Never, onOutage: "degrade", scope: "public" }) },
  { ...info, criticality: "optional" }
) {}

class Optional extends Downstream.Service<Optional>()(
  "@failsoft/bench/Optional",
  { get: Contract.method({ ...one, permanent: Schema.Never, onOutage: "degrade", scope: "public" }) },
  { ...info, criticality: "optional" }
) {}

const policy = () => Policy.standard({ deadline: knobs.callMillis })

const rings = Layer.mergeAll(
  Essential.layer({ get: { policy: policy(), fallback: Fallback.stale({ maxAge: "1 minute", entriesMax: 1000 }) } }),
  Degradable.layer({ get: { policy: policy(), fallback: Fallback.value({ sku: "", value: substitute }) } }),
  Optional.layer({ get: { policy: policy(), fallback: Fallback.omit({ sku: "", value: substitute }) } })
)

const path = (name: string) =>
  ({ method: "GET", path: ({ sku }: { readonly sku: string }) => HttpTransport.path`/${name}/${sku}` }) as const

const essentialAt = (baseUrl: string) =>
  HttpTransport.layerUndici(Essential, {
    baseUrl,
    methods: { get: { ...path("essential"), permanent: { 422: () => new Gone() } } }
  })

/** A region has four fifths of an attempt, as the page on regions advises. */
const essentialIn = ([a = "", b]: ReadonlyArray<string>) =>
  b === undefined
    ? essentialAt(a)
    : Transport.failover(
        Essential,
        { a: essentialAt(a), b: essentialAt(b) },
        { attempt: (knobs.attemptMillis * 4) / 5 }
      )

const part = ({ quality, value }: Answer.Answer<unknown>): Part => ({
  value,
  // These rings have no other qualities.
  quality: quality === "stale" || quality === "substituted" || quality === "omitted" ? quality : "fresh"
})

const route = HttpRouter.use((router) =>
  Effect.gen(function* () {
    const essential = yield* Essential
    const degradable = yield* Degradable
    const optional = yield* Optional
    yield* router.add(
      "GET",
      "/page/:sku",
      Effect.gen(function* () {
        const { sku = "" } = yield* HttpRouter.params
        const [product, price, similar] = yield* Effect.all(
          [
            essential.get({ sku }).pipe(
              Effect.map(part),
              Effect.catchTag("Gone", () => Effect.succeed<Part>({ value: undefined, quality: "final" }))
            ),
            Effect.map(degradable.get({ sku }), part),
            Effect.map(optional.get({ sku }), part)
          ],
          { concurrency: "unbounded" }
        )
        return HttpServerResponse.jsonUnsafe(pageOf(product, price, similar), {
          status: product.quality === "final" ? 404 : 200
        })
      })
    )
  })
)

export const failsoft: Start = ({ degradable, essential, optional }) =>
  new Promise((resolve, reject) => {
    let port = 0
    const transports = Layer.mergeAll(
      essentialIn(essential),
      HttpTransport.layerUndici(Degradable, { baseUrl: degradable[0] ?? "", methods: { get: path("degradable") } }),
      HttpTransport.layerUndici(Optional, { baseUrl: optional[0] ?? "", methods: { get: path("optional") } })
    ).pipe(Layer.provide(NodeHttpClient.layerDispatcher))
    const routes = Layer.mergeAll(route, Health.layer({ serviceId: "bench", checks: [] }), Edge.layer()).pipe(
      Layer.provide(LoadShedding.layer()),
      Layer.provide(Layer.provide(rings, transports)),
      Layer.orDie
    )
    const server = Server.serve(routes, {
      port: 0,
      portVariable: "PORT",
      onListening: (bound) => {
        port = bound
      }
    })
    const program = Effect.gen(function* () {
      yield* Layer.build(Layer.provide(server, Layer.mergeAll(Settings.layer, Signal.layer, Drain.layer)))
      resolve({ port })
      return yield* Effect.never
    })
    Effect.runPromise(Effect.scoped(program)).catch(reject)
  })
