/** The downstreams' clients, for those who show them: health, admin. */
import { Downstream, type ServiceMode, Transport } from "@failsoft/core"
import type { Health } from "@failsoft/http"
import * as Effect from "effect/Effect"
import { Catalog } from "../contracts/Catalog.ts"
import { Identity } from "../contracts/Identity.ts"
import { Inventory } from "../contracts/Inventory.ts"
import { Payments } from "../contracts/Payments.ts"
import { Recommendations } from "../contracts/Recommendations.ts"
import { Dhl, Ups } from "../contracts/Shipping.ts"

/** What the rings show of themselves, read anew at each call. */
export const descriptions = Effect.gen(function* () {
  const clients = [
    yield* Identity,
    yield* Catalog,
    yield* Inventory,
    yield* Payments,
    yield* Recommendations,
    yield* Dhl,
    yield* Ups
  ]
  return () => clients.flatMap((client) => Downstream.describe(client) ?? [])
})

/** The regions of those that have several. */
export const regions = Effect.map(Catalog.Transport, (catalog) => () => Transport.describe(catalog))

const page = "GET /products/:sku"
const order = "POST /orders"
const quotes = "GET /shipping-quotes"

/** Where the loss of each shows: what fails, and what goes on with less. */
const endpoints: Readonly<Record<string, ReadonlyArray<string>>> = {
  identity: [order, "GET /orders/:id"],
  catalog: [page, "GET /products", order],
  inventory: [page, order],
  payments: [order],
  recommendations: [page],
  "shipping.dhl": [quotes],
  "shipping.ups": [quotes]
}

/** What each downstream means for the shop; the loss of one region costs nobody anything yet. */
export const checks = Effect.gen(function* () {
  const ofRings = yield* descriptions
  const ofRegions = yield* regions
  return (): ReadonlyArray<Health.Check> => [
    ...ofRings().map((description) => ({ description, affectedEndpoints: endpoints[description.name] ?? [] })),
    ...ofRegions().map((description) => ({ description, impact: "warn" as const }))
  ]
})

/**
 * Only who orders needs identity, a price and payments: the pages go on without them, and so does
 * the reading of one's orders for as long as identity's keys may be used.
 */
const without: Readonly<Record<string, Exclude<ServiceMode.Dependent["without"], undefined>>> = {
  identity: { verify: "read-only", keys: "reduced" },
  catalog: { price: "read-only" },
  inventory: { stock: "reduced", reserve: "read-only", release: "reduced" }
}

/** What is left of the shop without each downstream. */
export const dependents = Effect.map(
  descriptions,
  (read) => (): ReadonlyArray<ServiceMode.Dependent> =>
    read().map((description) => {
      const stated = without[description.name]
      return stated === undefined ? { description } : { description, without: stated }
    })
)
