/** Rows that make something of their own of a request or an answer mean the same to either transport. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, describe, it } from "@effect/vitest"
import { Contract, Downstream, Transient } from "@failsoft/core"
import { HttpTransport } from "@failsoft/http"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { serve } from "./kit.ts"

class Notes extends Downstream.Service<Notes>()(
  "@failsoft/http/test/Notes",
  {
    get: Contract.method({
      payload: Schema.String,
      success: Schema.NullOr(Schema.String),
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "safe",
      onOutage: "fail"
    })
  },
  {
    criticality: "optional",
    owner: "nobody",
    slo: { objective: 0.99, window: "30 days" },
    budget: "2 seconds",
    docs: "https://example.com"
  }
) {}

/** The path is the payload as it stands; an answer is its member `note`, or none. */
const options = (baseUrl: string) =>
  ({
    baseUrl,
    methods: {
      get: {
        method: "GET",
        path: (path: string) => path,
        answer: (json: unknown) => (typeof json === "object" && json !== null && "note" in json ? json.note : null)
      }
    }
  }) as const

const byClient = (url: string) =>
  HttpTransport.layer(Notes, options(url)).pipe(Layer.provide(NodeHttpClient.layerUndici))
const byUndici = (url: string) =>
  HttpTransport.layerUndici(Notes, options(url)).pipe(Layer.provide(NodeHttpClient.layerDispatcher))

describe.each([
  { by: "Effect's client", layer: byClient },
  { by: "undici", layer: byUndici }
])("a row of its own, by $by", ({ layer }) => {
  const started = (text: string) =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const { url } = yield* serve((request, response) => {
        seen.push(request.url ?? "")
        response.end(text)
      })
      const calls = yield* Effect.provide(Notes.Transport, yield* Layer.build(layer(`${url}/v1/`)))
      return { calls, seen }
    })

  it.live("gives the schema what `answer` made of it, also where that is nothing", () =>
    Effect.gen(function* () {
      const { calls } = yield* started('"not a note"')
      assert.strictEqual(yield* calls.get("/a"), null)
    })
  )

  it.live("sends a path that was written without `path` as a URL has it", () =>
    Effect.gen(function* () {
      const { calls, seen } = yield* started('{"note":"x"}')
      for (const path of ["/ü", "/a b", "/a/../b", "/a#b", "/a?x=ü y", ""]) yield* calls.get(path)
      assert.deepEqual(seen, ["/v1/%C3%BC", "/v1/a%20b", "/v1/b", "/v1/a", "/v1/a?x=%C3%BC%20y", "/v1"])
    })
  )

  it.live("refuses unsent a path that would change the host", () =>
    Effect.gen(function* () {
      const { calls, seen } = yield* started('{"note":"x"}')
      for (const path of ["@evil.example/", ".evil.example", "8"]) {
        assert.deepInclude(yield* Effect.flip(calls.get(path)), { reason: "UNSENDABLE_REQUEST" })
      }
      assert.deepEqual(seen, [])
    })
  )
})
