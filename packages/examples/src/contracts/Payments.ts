/**
 * Who takes the money. A charge is keyed by its order, so asking again for the
 * same order is always right and charging it twice never happens.
 */
import { Contract, Downstream, Transient } from "@failsoft/core"
import * as Schema from "effect/Schema"
import { KeyReused } from "./KeyReused.ts"

/** The bank said no; asking again gives the same. */
export class CardDeclined extends Schema.TaggedError<CardDeclined>()("CardDeclined", {}) {}

/** The payments service. */
export class Payments extends Downstream.Service<Payments>()(
  "@failsoft/examples/Payments",
  {
    charge: Contract.method({
      payload: Schema.Struct({
        orderId: Schema.String,
        amount: Schema.Int,
        currency: Schema.String,
        card: Schema.String
      }),
      success: Schema.Struct({ chargeId: Schema.String }),
      transient: Transient.Transient,
      permanent: Schema.Union([CardDeclined, KeyReused]),
      idempotency: "keyed",
      idempotencyKey: ({ orderId }) => orderId,
      onOutage: "fail"
    })
  },
  {
    criticality: "essential",
    owner: "team-payments",
    slo: { objective: 0.9995, window: "30 days" },
    budget: "700 millis",
    docs: "https://runbooks.example/payments"
  }
) {}
