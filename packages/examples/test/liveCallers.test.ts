/** The product page over HTTP: who gets past the cache of the catalog, and who does not. */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Settings } from "@failsoft/core"
import { Edge } from "@failsoft/http"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import * as Layer from "effect/Layer"
import { Catalog } from "../src/contracts/Catalog.ts"
import { Inventory } from "../src/contracts/Inventory.ts"
import { Recommendations } from "../src/contracts/Recommendations.ts"
import * as liveCallers from "../src/storefront/liveCallers.ts"
import * as productPage from "../src/storefront/productPage.ts"
import { CatalogRing } from "../src/storefront/rings.ts"
import { fromEnvironment } from "../src/storefront/settings.ts"

const others = Layer.mergeAll(
  Layer.succeed(Inventory, {
    stock: () => Effect.succeed({ value: { available: 1 }, quality: "fresh" }),
    reserve: () => Effect.die("unused"),
    release: () => Effect.die("unused")
  }),
  Layer.succeed(Recommendations, { forUser: () => Effect.succeed({ value: [], quality: "fresh" }) })
)

/** An operator takes load from the catalog: its answers count as fresh for a minute. */
const turned = Layer.effectDiscard(
  Effect.flatMap(Settings.Registry, (settings) =>
    settings.set("catalog/show/cache.freshMillis", 60_000, { by: "test" })
  )
)

/** A storefront that shows one product, whose price is how often the catalog was asked. */
const storefront = (env: NodeJS.ProcessEnv) =>
  Effect.gen(function* () {
    let asked = 0
    const show = ({ sku }: { readonly sku: string }) =>
      Effect.sync(() => ({ sku, name: sku, price: { amount: ++asked, currency: "EUR" } }))
    const catalog = Catalog.transport({ show, price: show, list: () => Effect.die("unused") })
    const page = Effect.map(productPage.show("sku-1"), ({ product }) =>
      HttpServerResponse.text(String(product.price.amount))
    )
    const edge = Edge.layer({ callerCaching: liveCallers.callers(yield* fromEnvironment(env)) })
    const routes = Layer.merge(HttpRouter.add("GET", "/products/sku-1", page), edge)
    return HttpRouter.serve(routes, { disableListenLog: true, disableLogger: true }).pipe(
      Layer.provide(
        Layer.merge(turned.pipe(Layer.provideMerge(Layer.fresh(CatalogRing)), Layer.provide(catalog)), others)
      ),
      Layer.provide(Settings.layer),
      Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
    )
  })

const price = (headers: Record<string, string>) =>
  Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    const port = "port" in address ? address.port : 0
    return yield* Effect.promise(async () =>
      (await fetch(`http://127.0.0.1:${port}/products/sku-1`, { headers })).text()
    )
  })

const noCache = { "cache-control": "no-cache" }

describe("a visitor who reloads", () => {
  it.live("gets the cached page, and who bears the token a live one", () =>
    Effect.flatMap(storefront({ LIVE_TOKEN: "s3cret" }), (server) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* price({}), "1")
        assert.strictEqual(yield* price(noCache), "1")
        assert.strictEqual(yield* price({ ...noCache, "live-token": "guessed" }), "1")
        assert.strictEqual(yield* price({ ...noCache, "live-token": "s3cret" }), "2")
        assert.strictEqual(yield* price({}), "2")
      }).pipe(Effect.provide(server))
    )
  )

  it.live("gets it from everybody's cache where there is no token", () =>
    Effect.flatMap(storefront({}), (server) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* price({}), "1")
        assert.strictEqual(yield* price({ ...noCache, "live-token": "" }), "1")
      }).pipe(Effect.provide(server))
    )
  )
})
