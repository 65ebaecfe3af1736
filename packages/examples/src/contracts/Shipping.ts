/**
 * What the delivery of a product costs: each carrier is a downstream of its own, with
 * one contract, so that the outage of one costs its own quote and nothing else.
 */
import { Contract, Downstream, Transient } from "@failsoft/core"
import * as Schema from "effect/Schema"
import { Money } from "./Money.ts"
import { UnknownSku } from "./UnknownSku.ts"

/** The carrier does not go to this country. */
export class NotServed extends Schema.TaggedError<NotServed>()("NotServed", {}) {}

/** What a carrier wants for a delivery, and how many days it takes. */
export const Quote = Schema.Struct({ price: Money, days: Schema.Int })

const methods = {
  quote: Contract.method({
    payload: Schema.Struct({ sku: Schema.String, country: Schema.String }),
    success: Quote,
    transient: Transient.Transient,
    permanent: Schema.Union([UnknownSku, NotServed]),
    idempotency: "safe",
    onOutage: "fail"
  })
}

const info = (carrier: string) =>
  ({
    name: `shipping.${carrier}`,
    criticality: "optional",
    owner: "team-delivery",
    slo: { objective: 0.95, window: "30 days" },
    budget: "500 millis",
    docs: "https://runbooks.example/shipping"
  }) as const

/** The carrier DHL. */
export class Dhl extends Downstream.Service<Dhl>()("@failsoft/examples/Shipping/dhl", methods, info("dhl")) {}

/** The carrier UPS. */
export class Ups extends Downstream.Service<Ups>()("@failsoft/examples/Shipping/ups", methods, info("ups")) {}

/** The name of a carrier. */
export type Carrier = "dhl" | "ups"
