/**
 * The resilience rings of the storefront: one table per downstream, one row per
 * method. This file is where a team reads what happens in an outage.
 */
import { Fallback, Policy } from "@failsoft/core"
import { Catalog } from "../contracts/Catalog.ts"
import { Identity } from "../contracts/Identity.ts"
import { Inventory } from "../contracts/Inventory.ts"
import { Payments } from "../contracts/Payments.ts"
import { Recommendations } from "../contracts/Recommendations.ts"
import { bestsellers } from "./bestsellers.ts"

/** Nobody is let in without identity's word, so there is nothing to fall back to. */
export const IdentityRing = Identity.layer({
  verify: { policy: Policy.standard({ deadline: "350 millis" }) }
})

const catalogPage = Policy.standard({ deadline: "400 millis" })

/** A page may show an old product for a day; an order may not use an old price. */
export const CatalogRing = Catalog.layer({
  show: { policy: catalogPage, fallback: Fallback.stale({ maxAge: "1 day", entriesMax: 10_000 }) },
  list: { policy: catalogPage, fallback: Fallback.stale({ maxAge: "1 day", entriesMax: 1000 }) },
  price: { policy: Policy.standard({ deadline: "350 millis" }) }
})

/** Not knowing the stock costs the page one word; an order without a reservation is refused. */
export const InventoryRing = Inventory.layer({
  stock: {
    policy: Policy.standard({ deadline: "300 millis" }),
    fallback: Fallback.value({ available: null }, { quality: "optimistic" })
  },
  reserve: { policy: Policy.standard({ deadline: "400 millis" }) },
  release: { policy: Policy.standard({ deadline: "400 millis" }) }
})

/** A charge is asked for again with the same key; it may take its time. */
export const PaymentsRing = Payments.layer({
  charge: { policy: Policy.standard({ deadline: "600 millis" }) }
})

/** What was shown last, else what everybody buys. */
export const RecommendationsRing = Recommendations.layer({
  forUser: {
    policy: Policy.standard({ deadline: "250 millis" }),
    fallback: Fallback.chain(Fallback.stale({ maxAge: "1 hour", entriesMax: 1000 }), Fallback.value(bestsellers))
  }
})
