/**
 * What the shop sells. The same product is asked for in two ways: `show` for a
 * page, which may be old, and `price` for an order, which may not.
 */
import { Contract, Downstream, Transient } from "@failsoft/core"
import * as Schema from "effect/Schema"
import { Money } from "./Money.ts"
import { UnknownSku } from "./UnknownSku.ts"

/** A product of the catalog. */
export const Product = Schema.Struct({ sku: Schema.String, name: Schema.String, price: Money })

/** A product of the catalog. */
export type Product = typeof Product.Type

/** The cursor is not one that the catalog gave. */
export class InvalidCursor extends Schema.TaggedError<InvalidCursor>()("InvalidCursor", {}) {}

/** The catalog service. */
export class Catalog extends Downstream.Service<Catalog>()(
  "@failsoft/examples/Catalog",
  {
    show: Contract.method({
      payload: Schema.Struct({ sku: Schema.String }),
      success: Product,
      transient: Transient.Transient,
      permanent: UnknownSku,
      idempotency: "safe",
      onOutage: "degrade-or-fail",
      scope: "public",
      // Who saw the new price is not shown the old one again.
      reads: "monotonic"
    }),
    list: Contract.method({
      payload: Schema.Struct({ cursor: Schema.optionalKey(Schema.String) }),
      success: Schema.Struct({ items: Schema.Array(Product), nextCursor: Schema.optionalKey(Schema.String) }),
      transient: Transient.Transient,
      permanent: InvalidCursor,
      idempotency: "safe",
      onOutage: "degrade-or-fail",
      scope: "public"
    }),
    price: Contract.method({
      payload: Schema.Struct({ sku: Schema.String }),
      success: Product,
      transient: Transient.Transient,
      permanent: UnknownSku,
      idempotency: "safe",
      onOutage: "fail"
    })
  },
  {
    criticality: "essential",
    owner: "team-catalog",
    slo: { objective: 0.999, window: "30 days" },
    budget: "500 millis",
    docs: "https://runbooks.example/catalog"
  }
) {}
