/** Whether what each endpoint calls fits into the deadline of the edge: else the storefront does not start. */
import { LatencyBudget } from "@failsoft/core"
import * as Layer from "effect/Layer"
import { Catalog } from "../contracts/Catalog.ts"
import { Identity } from "../contracts/Identity.ts"
import { Inventory } from "../contracts/Inventory.ts"
import { Payments } from "../contracts/Payments.ts"
import { Recommendations } from "../contracts/Recommendations.ts"
import { Dhl, Ups } from "../contracts/Shipping.ts"

const { call, parallel, sequence } = LatencyBudget

/** The time of every public endpoint. */
export const deadline = "2 seconds"

export const layer = Layer.mergeAll(
  LatencyBudget.layer({
    endpoint: "GET /products/:sku",
    deadline,
    calls: parallel<Catalog | Inventory | Recommendations>(
      call(Catalog, "show"),
      call(Inventory, "stock"),
      call(Recommendations, "forUser")
    )
  }),
  LatencyBudget.layer({ endpoint: "GET /products", deadline, calls: call(Catalog, "list") }),
  LatencyBudget.layer({
    endpoint: "GET /shipping-quotes",
    deadline,
    calls: parallel<Dhl | Ups>(call(Dhl, "quote"), call(Ups, "quote"))
  }),
  LatencyBudget.layer({
    endpoint: "POST /orders",
    deadline,
    calls: sequence<Identity | Catalog | Inventory | Payments>(
      call(Identity, "verify"),
      // One price for each item, at once.
      call(Catalog, "price"),
      call(Inventory, "reserve"),
      call(Payments, "charge")
    )
  }),
  LatencyBudget.layer({
    endpoint: "GET /orders/:id",
    deadline,
    // The second time for a key that the first did not know.
    calls: sequence<Identity>(call(Identity, "keys"), call(Identity, "keys"))
  })
)
