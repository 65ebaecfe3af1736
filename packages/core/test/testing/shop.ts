/** A small shop: a page that may not break and an order that must be right. */
import { Contract, Downstream, Fallback, Policy, Transient } from "@failsoft/core"
import { Fake, type Simulation, type Trace, Traffic } from "@failsoft/core/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

const info = {
  owner: "team",
  slo: { objective: 0.99, window: "30 days" },
  budget: "1 second",
  docs: "https://runbooks.example"
} as const

export class Stock extends Downstream.Service<Stock>()(
  "@failsoft/core/test/Stock",
  {
    get: Contract.method({
      payload: Schema.Struct({ sku: Schema.String }),
      success: Schema.Int,
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "safe",
      onOutage: "degrade"
    })
  },
  { criticality: "optional", ...info }
) {}

export class Declined extends Schema.TaggedError<Declined>()("Declined", {}) {}

export class Payments extends Downstream.Service<Payments>()(
  "@failsoft/core/test/Payments",
  {
    charge: Contract.method({
      payload: Schema.Struct({ order: Schema.String, card: Schema.String }),
      success: Schema.Struct({ chargeId: Schema.String }),
      transient: Transient.Transient,
      permanent: Declined,
      idempotency: "keyed",
      idempotencyKey: ({ order }) => order,
      onOutage: "fail"
    })
  },
  { criticality: "essential", ...info }
) {}

export const StockRing = Stock.layer({ get: { policy: Policy.standard(), fallback: Fallback.value(0) } })
export const PaymentsRing = Payments.layer({ charge: { policy: Policy.standard() } })

const show = Traffic.make("GET /stock", ({ nth }) => Stock.use((stock) => stock.get({ sku: `sku-${nth % 20}` })))

const order = Traffic.make("POST /orders", ({ nth, draw }) =>
  Payments.use((payments) => payments.charge({ order: `order-${nth}`, card: draw("card") < 0.1 ? "bad" : "good" }))
)

/** The shop, as it should be. */
export const shop = {
  name: "shop",
  layer: Layer.merge(StockRing, PaymentsRing),
  fakes: [
    Fake.make(Stock),
    Fake.make(Payments, {
      charge: ({ card }) => (card === "bad" ? Effect.fail(new Declined()) : { chargeId: "charge" })
    })
  ],
  traffic: [show, order],
  deadline: "1 second",
  recovery: "10 seconds"
} as const

/** The hashes of a few runs with faults and preemption. */
export const hashed = (run: typeof Simulation.run, hash: typeof Trace.hash): ReadonlyArray<string> =>
  [1, 2, 3].map((seed) =>
    hash(
      run(
        shop,
        {
          faults: [
            { kind: "transient", target: "payments", from: 1000, until: 6000, percent: 50 },
            { kind: "hang", target: "stock", from: 2000, until: 4000 }
          ]
        },
        { seed, preemption: 0.1 }
      )
    )
  )
