/**
 * A process with a durable cache in a folder: `node … <folder> fill` asks for ten answers
 * and is killed without warning, `node … <folder> outage` has a dead downstream and
 * prints what it answers.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cache, Contract, Downstream, Policy, Transient } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { KeyValueStore } from "effect/persistence"
import * as Schema from "effect/Schema"

const [folder = "", does = ""] = process.argv.slice(2)

class Catalog extends Downstream.Service<Catalog>()(
  "@failsoft/http/test/Catalog",
  {
    show: Contract.method({
      payload: Schema.Struct({ sku: Schema.String }),
      success: Schema.Struct({ name: Schema.String }),
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "safe",
      onOutage: "degrade-or-fail",
      scope: "public"
    })
  },
  {
    criticality: "essential",
    owner: "nobody",
    slo: { objective: 0.99, window: "30 days" },
    budget: "1 second",
    docs: "https://example.com"
  }
) {}

const ring = Catalog.layer({
  show: {
    policy: Policy.deadline("1 second"),
    cache: Cache.make({ fresh: 0, staleIfError: "1 day", entriesMax: 100, durable: true })
  }
}).pipe(
  Layer.provide(
    Catalog.transport({
      show: ({ sku }) =>
        does === "fill"
          ? Effect.succeed({ name: `Thing ${sku}` })
          : Effect.fail(new Transient.Transient({ cause: "connection_refused", applied: "no" }))
    })
  ),
  Layer.provide(Cache.layerStore(KeyValueStore.layerFileSystem(folder))),
  Layer.provide(NodeServices.layer)
)

const skus = Array.from({ length: 10 }, (_, nth) => `sku-${nth}/€ ${"x".repeat(nth * 40)}`)

const program = Effect.gen(function* () {
  const catalog = yield* Catalog
  for (const sku of skus) {
    const answer = yield* Effect.result(catalog.show({ sku }))
    console.log(
      answer._tag === "Success" ? `${answer.success.quality} ${answer.success.value.name}` : answer.failure.reason
    )
  }
  if (does === "fill") {
    // The durable level is written behind the calls; then the process dies as processes do.
    yield* Effect.sleep("300 millis")
    process.kill(process.pid, "SIGKILL")
  }
})

Effect.runPromise(Effect.provide(program, ring)).catch((error) => {
  console.error(error)
  process.exit(1)
})
