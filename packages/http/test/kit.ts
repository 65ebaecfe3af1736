/** A server that the test drives, and a downstream whose transport talks to it. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Contract, Downstream, Transient } from "@failsoft/core"
import { HttpTransport } from "@failsoft/http"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

export class Gone extends Schema.TaggedError<Gone>()("Gone", { id: Schema.String }) {}

const shape = {
  payload: Schema.Struct({ id: Schema.String, at: Schema.optionalKey(Schema.DateTimeUtcFromString) }),
  success: Schema.Struct({ stock: Schema.FiniteFromString }),
  transient: Transient.Transient,
  permanent: Gone
}

export class Shop extends Downstream.Service<Shop>()(
  "@failsoft/http/test/Shop",
  {
    get: Contract.method({ ...shape, idempotency: "safe", onOutage: "fail" }),
    put: Contract.method({ ...shape, idempotency: "keyed", idempotencyKey: ({ id }) => id, onOutage: "fail" })
  },
  {
    criticality: "optional",
    owner: "nobody",
    slo: { objective: 0.99, window: "30 days" },
    budget: "2 seconds",
    docs: "https://example.com"
  }
) {}

/** What a test server does with a request. */
export type Behaviour = (request: IncomingMessage, response: ServerResponse) => void

/** Starts a server on a free port for the scope of the test. */
export const serve = (behaviour: Behaviour) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
      const server = createServer(behaviour)
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        const close = () => {
          server.close()
          server.closeAllConnections()
        }
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

const options = (baseUrl: string, more: { readonly responseMaxBytes?: number }) =>
  ({
    baseUrl,
    ...more,
    methods: {
      get: {
        method: "GET",
        path: ({ id }: { readonly id: string }) => HttpTransport.path`/items/${id}`,
        query: ({ id }: { readonly id: string }) => ({ id, absent: undefined }),
        permanent: {
          404: (problem: unknown, { id }: { readonly id: string }) =>
            problem === undefined ? undefined : new Gone({ id })
        }
      },
      put: { method: "POST", path: () => "/items" }
    }
  }) as const

/** The transports over HTTP to a URL, by either client. */
export const transports = {
  "Effect's client": (baseUrl: string) =>
    HttpTransport.layer(Shop, options(baseUrl, {})).pipe(Layer.provide(NodeHttpClient.layerUndici)),
  "undici alone": (baseUrl: string) =>
    HttpTransport.layerUndici(Shop, options(baseUrl, {})).pipe(Layer.provide(NodeHttpClient.layerDispatcher))
}

/** The raw calls over HTTP to a URL, by Effect's client. */
export const calls = (baseUrl: string, more: { readonly responseMaxBytes?: number } = {}) =>
  Effect.map(
    Layer.build(HttpTransport.layer(Shop, options(baseUrl, more)).pipe(Layer.provide(NodeHttpClient.layerUndici))),
    (context) => Effect.provide(Shop.Transport, context)
  ).pipe(Effect.flatten)

/** The same by undici alone. */
export const callsByUndici = (baseUrl: string, more: { readonly responseMaxBytes?: number } = {}) =>
  Effect.map(
    Layer.build(
      HttpTransport.layerUndici(Shop, options(baseUrl, more)).pipe(Layer.provide(NodeHttpClient.layerDispatcher))
    ),
    (context) => Effect.provide(Shop.Transport, context)
  ).pipe(Effect.flatten)

/** Answers with a status, headers and a text. */
export const answer =
  (status: number, text: string, headers: Record<string, string> = {}): Behaviour =>
  (_, response) =>
    void response.writeHead(status, headers).end(text)
