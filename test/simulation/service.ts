/** A small service that is right, as the ground on which bugs are planted. */
import { Contract, Downstream, Fallback, Policy, Transient } from "@failsoft/core"
import { Fake, Traffic } from "@failsoft/core/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

const info = {
  owner: "team",
  slo: { objective: 0.99, window: "30 days" },
  budget: "1 second",
  docs: "https://runbooks.example"
} as const

/** Read for a page. */
export class Catalog extends Downstream.Service<Catalog>()(
  "@failsoft/simulation/Catalog",
  {
    get: Contract.method({
      payload: Schema.Struct({ sku: Schema.String }),
      success: Schema.String,
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "safe",
      onOutage: "degrade"
    })
  },
  { criticality: "optional", ...info }
) {}

/** The bank said no. */
export class Declined extends Schema.TaggedError<Declined>()("Declined", {}) {}

/** A write that must be sent once, and one with a key. */
export class Bank extends Downstream.Service<Bank>()(
  "@failsoft/simulation/Bank",
  {
    charge: Contract.method({
      payload: Schema.Struct({ order: Schema.String, card: Schema.String }),
      success: Schema.String,
      transient: Transient.Transient,
      permanent: Declined,
      idempotency: "keyed",
      idempotencyKey: ({ order }) => order,
      onOutage: "fail"
    }),
    ring: Contract.method({
      payload: Schema.Struct({ bell: Schema.String }),
      success: Schema.String,
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "unsafe",
      onOutage: "fail"
    })
  },
  { criticality: "essential", ...info }
) {}

/** The policies of the service, each of which a bug may replace. */
export interface Parts {
  readonly retry: Policy.Policy<"replays" | "unbounded">
  readonly breaker: Policy.Policy<"unbounded">
  readonly bulkhead: Policy.Policy<"unbounded">
  /** Around the unsafe write. */
  readonly once: Policy.Policy<"unbounded">
}

/** As they should be. */
export const sound = (): Parts => ({
  retry: Policy.retry({ times: 2, base: "20 millis", delayMax: "100 millis" }),
  breaker: Policy.circuitBreaker({
    failureRate: 0.5,
    minimumCalls: 5,
    window: "5 seconds",
    openFor: "1 second",
    probes: 1
  }),
  bulkhead: Policy.bulkhead({ permits: 6, queueMax: 6, waitMax: "50 millis" }),
  once: Policy.make("once", () => (call) => call)
})

const charge = Traffic.make(
  "POST /orders",
  ({ nth, draw }) =>
    Bank.use((bank) => bank.charge({ order: `order-${nth}`, card: draw("card") < 0.1 ? "bad" : "good" })),
  { perSecond: 10, burstMax: 8 }
)
const ring = Traffic.make("POST /bell", ({ nth }) => Bank.use((bank) => bank.ring({ bell: `bell-${nth}` })), {
  perSecond: 2
})
const show = Traffic.make("GET /products", ({ nth }) =>
  Catalog.use((catalog) => catalog.get({ sku: `sku-${nth % 20}` }))
)

/** The service with some of its parts replaced. */
export const service = (replaced: Partial<Parts> = {}) => {
  const { retry, breaker, bulkhead, once } = { ...sound(), ...replaced }
  const timeout = Policy.timeout("150 millis")
  return {
    name: "service",
    layer: Layer.merge(
      Catalog.layer({ get: { policy: Policy.standard(), fallback: Fallback.value("nothing") } }),
      Bank.layer({
        charge: { policy: Policy.stack(Policy.deadline("800 millis"), retry, breaker, bulkhead, timeout) },
        ring: { policy: Policy.stack(Policy.deadline("800 millis"), once, Policy.timeout("150 millis")) }
      })
    ),
    fakes: [
      Fake.make(Catalog),
      Fake.make(Bank, { charge: ({ card }) => (card === "bad" ? Effect.fail(new Declined()) : "charged") })
    ],
    traffic: [charge, ring, show],
    deadline: "1 second",
    recovery: "10 seconds"
  } as const
}
