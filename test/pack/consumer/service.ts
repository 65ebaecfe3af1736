/** A small service of somebody who installed the packages from the registry. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Contract, Downstream, Fallback, Policy, Transient } from "@failsoft/core"
import { Degraded, HttpTransport } from "@failsoft/http"
import { Effect, Layer, Schema } from "effect"

class Stock extends Downstream.Service<Stock>()(
  "consumer/Stock",
  {
    get: Contract.method({
      payload: Schema.Struct({ sku: Schema.String }),
      success: Schema.Struct({ available: Schema.Int }),
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "safe",
      onOutage: "degrade"
    })
  },
  {
    criticality: "optional",
    owner: "consumer",
    slo: { objective: 0.99, window: "30 days" },
    budget: "1 second",
    docs: "https://example.com"
  }
) {}

const server = createServer((_, response) => response.end('{"available":3}'))
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
const { port } = server.address() as AddressInfo

const live = Stock.layer({ get: { policy: Policy.standard(), fallback: Fallback.value({ available: 0 }) } }).pipe(
  Layer.provide(
    HttpTransport.layer(Stock, {
      baseUrl: `http://127.0.0.1:${port}`,
      methods: { get: { method: "GET", path: ({ sku }) => HttpTransport.path`/stock/${sku}` } }
    })
  ),
  Layer.provide(NodeHttpClient.layerUndici)
)

const twice = Effect.gen(function* () {
  const stock = yield* Stock
  const well = yield* stock.get({ sku: "sku-1" })
  server.close()
  server.closeAllConnections()
  const broken = yield* stock.get({ sku: "sku-1" })
  return `${well.quality} ${well.value.available}, ${broken.quality} ${broken.value.available}, ${Degraded.fromJournal([]).length}`
})

console.log(await Effect.runPromise(Effect.provide(twice, live)))
