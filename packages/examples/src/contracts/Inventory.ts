/**
 * What is in stock: optional on a page, where `null` means "nobody knows", and
 * essential in an order, where nothing may be sold twice.
 */
import { Contract, Downstream, Transient } from "@failsoft/core"
import * as Schema from "effect/Schema"
import { KeyReused } from "./KeyReused.ts"
import { UnknownSku } from "./UnknownSku.ts"

/** There is not enough of it. */
export class SoldOut extends Schema.TaggedError<SoldOut>()("SoldOut", {}) {}

/** A reservation of this id was given back before; an id serves once. */
export class ReservationReleased extends Schema.TaggedError<ReservationReleased>()("ReservationReleased", {}) {}

/** Some skus and how many of each. */
export const Items = Schema.Array(Schema.Struct({ sku: Schema.String, quantity: Schema.Int }))

/** The inventory service. */
export class Inventory extends Downstream.Service<Inventory>()(
  "@failsoft/examples/Inventory",
  {
    stock: Contract.method({
      payload: Schema.Struct({ sku: Schema.String }),
      success: Schema.Struct({ available: Schema.NullOr(Schema.Int) }),
      transient: Transient.Transient,
      permanent: UnknownSku,
      idempotency: "safe",
      onOutage: "degrade",
      scope: "public"
    }),
    reserve: Contract.method({
      payload: Schema.Struct({ reservation: Schema.String, items: Items }),
      success: Schema.Struct({ reservationId: Schema.String }),
      transient: Transient.Transient,
      permanent: Schema.Union([SoldOut, UnknownSku, ReservationReleased, KeyReused]),
      idempotency: "keyed",
      idempotencyKey: ({ reservation }) => reservation,
      onOutage: "fail"
    }),
    release: Contract.method({
      payload: Schema.Struct({ reservation: Schema.String }),
      success: Schema.Void,
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "keyed",
      idempotencyKey: ({ reservation }) => reservation,
      onOutage: "fail"
    })
  },
  {
    criticality: "optional",
    owner: "team-warehouse",
    slo: { objective: 0.99, window: "30 days" },
    budget: "500 millis",
    docs: "https://runbooks.example/inventory"
  }
) {}
