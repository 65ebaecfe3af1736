/** Effect 4.1 as its documentation combines it. Fallbacks, knobs and advantages are those of `peers.ts`. */
import { createServer } from "node:http"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import {
  HttpClient,
  type HttpClientError,
  HttpClientResponse,
  HttpRouter,
  HttpServer,
  HttpServerResponse
} from "effect/http"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { CircuitBreaker } from "effect/persistence"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { knobs, type Name, type Origins, type Reply, type Start, substitute } from "../settings.ts"
import { LastGood, type Part, pageOf } from "./part.ts"

class Gone extends Schema.TaggedError<Gone>()("Gone", {}) {}
class Failed extends Schema.TaggedError<Failed>()("Failed", {}) {}

const decode = HttpClientResponse.schemaBodyJson(Schema.Struct({ sku: Schema.String, value: Schema.Finite }))

const answered = (
  response: HttpClientResponse.HttpClientResponse
): Effect.Effect<Reply, HttpClientError.HttpClientError | Schema.SchemaError | Gone | Failed> =>
  response.status === 200
    ? decode(response)
    : Effect.andThen(response.text, Effect.fail(response.status === 422 ? new Gone() : new Failed()))

const backoff = Schedule.min([Schedule.exponential(knobs.backoffMillis), Schedule.spaced(knobs.backoffMaxMillis)]).pipe(
  Schedule.jittered
)

/** One region of a downstream: circuit breaker > semaphore > timeout. */
const region = (client: HttpClient.HttpClient, name: Name, origin: string) =>
  Effect.gen(function* () {
    const semaphore = yield* Semaphore.make(knobs.permits)
    const breaker = yield* CircuitBreaker.make({
      // Its window counts calls, not time.
      tripPolicy: CircuitBreaker.rate({ threshold: knobs.failureRate, size: 128, minimumCalls: knobs.minimumCalls }),
      openDuration: knobs.openMillis
    })
    return (sku: string) =>
      client.get(`${origin}/${name}/${sku}`).pipe(
        Effect.flatMap(answered),
        Effect.timeout(knobs.attemptMillis),
        semaphore.withPermit,
        breaker.execute({
          key: origin,
          classify: (exit) => {
            const error = Option.getOrUndefined(Exit.findErrorOption(exit))
            return Exit.isSuccess(exit) || error instanceof Gone ? CircuitBreaker.success : CircuitBreaker.failure()
          }
        })
      )
  })

type Region = Effect.Success<ReturnType<typeof region>>
type RegionError = Effect.Error<ReturnType<Region>>

const refused = (error: RegionError) => error instanceof CircuitBreaker.CircuitBreakerError

/** Refused by the breaker, or by the region's socket. */
const notSent = (error: RegionError) =>
  refused(error) || (error._tag === "HttpClientError" && JSON.stringify(error.cause ?? "").includes("ECONNREFUSED"))

/** Asks the regions in turn, as those of `peers.ts`. */
const inTurn = (regions: ReadonlyArray<Region>, attempt: number, sku: string, nth = 0): ReturnType<Region> => {
  const ask = regions[(attempt + nth) % regions.length]
  if (ask === undefined) return Effect.fail(new Failed())
  return Effect.catch(ask(sku), (error) =>
    nth + 1 < regions.length && notSent(error) ? inTurn(regions, attempt, sku, nth + 1) : Effect.fail(error)
  )
}

/** A downstream: timeout of the whole > retry > region. */
const guarded = (client: HttpClient.HttpClient, name: Name, origins: Origins) =>
  Effect.map(
    Effect.forEach(origins[name], (origin) => region(client, name, origin)),
    (regions) => (sku: string) =>
      Effect.suspend(() => {
        let attempt = 0
        return Effect.suspend(() => inTurn(regions, attempt++, sku)).pipe(
          Effect.retry({
            times: knobs.retries,
            schedule: backoff,
            while: (error) => !(error instanceof Gone || refused(error))
          }),
          Effect.timeout(knobs.callMillis)
        )
      })
  )

const fresh = (value: unknown): Part => ({ value, quality: "fresh" })

const routes = (origins: Origins) =>
  HttpRouter.use((router) =>
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const essential = yield* guarded(client, "essential", origins)
      const degradable = yield* guarded(client, "degradable", origins)
      const optional = yield* guarded(client, "optional", origins)
      const lastGood = new LastGood()
      yield* router.add(
        "GET",
        "/page/:sku",
        Effect.gen(function* () {
          const { sku = "" } = yield* HttpRouter.params
          const [product, price, similar] = yield* Effect.all(
            [
              essential(sku).pipe(
                Effect.map((reply) => fresh(lastGood.put(reply))),
                Effect.catch((error) => {
                  const known = lastGood.get(sku)
                  if (error instanceof Gone) return Effect.succeed<Part>({ value: undefined, quality: "final" })
                  return Effect.succeed<Part | undefined>(
                    known === undefined ? undefined : { value: known, quality: "stale" }
                  )
                })
              ),
              degradable(sku).pipe(
                Effect.map(fresh),
                Effect.catch(() => Effect.succeed<Part>({ value: substitute, quality: "substituted" }))
              ),
              optional(sku).pipe(
                Effect.map(fresh),
                Effect.catch(() => Effect.succeed<Part>({ value: [], quality: "omitted" }))
              )
            ],
            { concurrency: "unbounded" }
          )
          if (product === undefined) return HttpServerResponse.empty({ status: 503 })
          const status = product.quality === "final" ? 404 : 200
          return HttpServerResponse.jsonUnsafe(pageOf(product, price, similar), { status })
        })
      )
    })
  )

export const effect: Start = (origins) =>
  new Promise((resolve, reject) => {
    const listening = Layer.effectDiscard(
      Effect.map(HttpServer.HttpServer, ({ address }) => {
        if ("port" in address) resolve({ port: address.port })
      })
    )
    const server = HttpRouter.serve(routes(origins), { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(listening),
      Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })),
      Layer.provide(NodeHttpClient.layerUndici),
      Layer.provide(Layer.succeed(HttpClient.TracerDisabledWhen, () => true)),
      Layer.provide(CircuitBreaker.layerStoreMemory())
    )
    const program = Effect.andThen(Layer.build(server), Effect.never)
    Effect.runPromise(Effect.scoped(program)).catch(reject)
  })
