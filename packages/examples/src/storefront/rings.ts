/**
 * The resilience rings of the storefront: one table per downstream, one row per
 * method. This file is where a team reads what happens in an outage.
 */
import { Cache, Fallback, Policy, RetryBudget } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Catalog } from "../contracts/Catalog.ts"
import { Identity } from "../contracts/Identity.ts"
import { Inventory } from "../contracts/Inventory.ts"
import { Payments } from "../contracts/Payments.ts"
import { Recommendations } from "../contracts/Recommendations.ts"
import { Dhl, Ups } from "../contracts/Shipping.ts"
import * as bestsellers from "./bestsellers.ts"
import { anonymous } from "./customer.ts"
import * as flags from "./flags.ts"
import * as picks from "./picks.ts"
import * as SigningKeys from "./SigningKeys.ts"

/** In memory only: who can write a file must not be able to sign by it. */
const keysCache = Cache.make({
  fresh: SigningKeys.freshFor,
  staleWhileRevalidate: "5 minutes",
  staleIfError: SigningKeys.staleFor,
  entriesMax: 1
})

/** Nobody orders without identity's word, so there is nothing to fall back to; its keys may be old. */
export const IdentityRing = Identity.layer({
  verify: { policy: Policy.standard({ deadline: "350 millis" }) },
  keys: { policy: Policy.standard({ deadline: "350 millis" }), cache: keysCache }
})

const catalogPage = Policy.standard({ deadline: "400 millis" })

/**
 * A page asks each time, together with all who ask for the same, and may show an old
 * product for a day, also after a restart in the middle of an outage. An operator who
 * turns `catalog/show/cache.freshMillis` takes load from the catalog.
 */
const catalogCache = (entriesMax: number) => Cache.make({ fresh: 0, staleIfError: "1 day", entriesMax, durable: true })

/** An order may not use an old price. */
export const CatalogRing = Catalog.layer({
  show: { policy: catalogPage, cache: catalogCache(10_000) },
  list: { policy: catalogPage, cache: catalogCache(1000) },
  price: { policy: Policy.standard({ deadline: "350 millis" }) }
})

/** What nobody knows; a page then lets people order, and the reservation decides. */
const unknownStock: { readonly available: number | null } = { available: null }

/** Of those who were let hope for what was sold out, somebody should know. */
const assumed = Fallback.optimistic({
  assume: (_: { readonly sku: string }) => unknownStock,
  holds: "10 minutes",
  reconcile: ({ actual, payload: { sku }, times }) =>
    actual.available === 0
      ? Effect.logWarning(`${sku} is sold out, and was shown ${times} times while nobody knew`)
      : Effect.void
})

/** Not knowing the stock costs the page one word; an order without a reservation is refused. */
export const InventoryRing = Inventory.layer({
  stock: {
    policy: Policy.standard({ deadline: "300 millis" }),
    fallback: Fallback.chain(assumed, Fallback.value(unknownStock, { quality: "optimistic" }))
  },
  reserve: { policy: Policy.standard({ deadline: "400 millis" }) },
  release: { policy: Policy.standard({ deadline: "400 millis" }) }
})

/** A charge is asked for again with the same key; it may take its time. */
export const PaymentsRing = Payments.layer({
  charge: { policy: Policy.standard({ deadline: "600 millis" }) }
})

/** What was shown last, else what everybody buys, or by the flag what those of his taste buy, else nothing. */
export const RecommendationsRing = Recommendations.layer({
  forUser: {
    policy: Policy.standard({ deadline: "250 millis" }),
    fallback: Fallback.chain(
      Fallback.stale({ maxAge: "1 hour", entriesMax: 1000 }),
      Fallback.rollout({
        flag: flags.picks,
        stable: Fallback.chain(
          Fallback.precomputed({ load: bestsellers.load, lookup: bestsellers.lookup, name: "the bestsellers" }),
          // Where the file is missing or broken the page goes without.
          Fallback.omit([])
        ),
        candidate: Fallback.precomputed({ load: picks.load, lookup: picks.lookup, name: "the picks of the night" }),
        // Who has not said who he is has no side.
        key: ({ userId }: { readonly userId: string }) => (userId === anonymous ? "" : userId)
      })
    )
  }
})

/**
 * The same for each carrier, and shared by none: its own breaker, its own places. A
 * quote that is missing is named in the answer, so there is nothing to fall back to.
 */
const carrier = () => ({
  quote: {
    policy: Policy.stack(
      Policy.deadline("400 millis"),
      Policy.retry({ times: 1, base: "10 millis", delayMax: "40 millis", budget: RetryBudget.standard }),
      Policy.circuitBreaker({ failureRate: 0.9, consecutiveFailures: 20, openFor: "300 millis", openMax: "1 second" }),
      Policy.bulkhead({ permits: 4, queueMax: 2, waitMax: "20 millis" }),
      Policy.timeout("150 millis")
    )
  }
})

/** Two carriers. */
export const ShippingRings = Layer.merge(Dhl.layer(carrier()), Ups.layer(carrier()))
