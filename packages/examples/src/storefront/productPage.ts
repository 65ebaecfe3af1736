/** The pages that anybody may look at: they stay up while downstreams are down. */
import { Caller } from "@failsoft/core"
import { Degraded, Problem } from "@failsoft/http"
import * as Effect from "effect/Effect"
import { Catalog } from "../contracts/Catalog.ts"
import { Inventory } from "../contracts/Inventory.ts"
import { Recommendations } from "../contracts/Recommendations.ts"
import { anonymous } from "./customer.ts"

/** The page of one product, for a visitor who may have said which one he is. */
export const show = Effect.fn("storefront.showProduct")(function* (sku: string, visitor: string = anonymous) {
  const catalog = yield* Catalog
  const recommendations = yield* Recommendations
  // Visitors without a name are many: one has not seen what another was shown.
  const session = visitor === anonymous ? {} : { session: visitor }
  const answers = yield* Effect.all(
    {
      product: catalog.show({ sku }).pipe(
        Caller.as(session),
        Effect.mapError((error) => (error._tag === "UnknownSku" ? unknown(sku) : error))
      ),
      availability: availability(sku),
      // Visitors without a name share what is recommended to them; each of the others is a principal of his own.
      others: recommendations.forUser({ userId: visitor }).pipe(Caller.as({ principal: visitor }))
    },
    { concurrency: "unbounded" }
  )
  return {
    product: answers.product.value,
    availability: answers.availability,
    recommendations: answers.others.value,
    meta: yield* Degraded.meta
  }
})

const unknown = (sku: string) => Problem.make({ status: 404, reason: "UNKNOWN_SKU", detail: `there is no ${sku}` })

const availability = (sku: string) =>
  Effect.flatMap(Inventory, (inventory) => inventory.stock({ sku })).pipe(
    Effect.map(({ value: { available } }) =>
      available === null ? ("unknown" as const) : available > 0 ? ("in-stock" as const) : ("sold-out" as const)
    ),
    // The catalog decides what exists; a sku that only the inventory lacks cannot be bought.
    Effect.catchTag("UnknownSku", () => Effect.succeed("sold-out" as const))
  )

/** Twenty products from a cursor. */
export const list = Effect.fn("storefront.listProducts")(function* (cursor: string | undefined) {
  const catalog = yield* Catalog
  const { value } = yield* Effect.mapError(catalog.list(cursor === undefined ? {} : { cursor }), (error) =>
    error._tag === "InvalidCursor" ? malformedCursor : error
  )
  return { ...value, meta: yield* Degraded.meta }
})

const malformedCursor = Problem.make({
  status: 400,
  reason: "MALFORMED_CURSOR",
  detail: "the query: cursor must be the nextCursor of an earlier page"
})
