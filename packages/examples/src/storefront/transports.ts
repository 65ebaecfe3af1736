/** How each contract goes over HTTP: the wire forms of the downstream servers. */
import { type Downstream, Transport } from "@failsoft/core"
import { HttpTransport } from "@failsoft/http"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import { Catalog, InvalidCursor } from "../contracts/Catalog.ts"
import { Identity, InvalidToken } from "../contracts/Identity.ts"
import { Inventory, ReservationReleased, SoldOut } from "../contracts/Inventory.ts"
import { KeyReused } from "../contracts/KeyReused.ts"
import { CardDeclined, Payments } from "../contracts/Payments.ts"
import { Recommendations } from "../contracts/Recommendations.ts"
import { Dhl, NotServed, Ups } from "../contracts/Shipping.ts"
import { UnknownSku } from "../contracts/UnknownSku.ts"

/** Where each downstream is. */
export interface Urls {
  readonly identity: string
  readonly catalog: { readonly eu: string; readonly us: string }
  readonly inventory: string
  readonly payments: string
  readonly recommendations: string
  readonly shipping: { readonly dhl: string; readonly ups: string }
}

const { path } = HttpTransport

const hasReason = (problem: unknown, reason: string) =>
  Predicate.hasProperty(problem, "reason") && problem.reason === reason

const unknownSku = (problem: unknown, { sku }: { readonly sku: string }) =>
  hasReason(problem, "UNKNOWN_SKU") ? new UnknownSku({ sku }) : undefined

const keyReused = (problem: unknown) => (hasReason(problem, "KEY_REUSED") ? new KeyReused() : undefined)

const product = {
  method: "GET",
  path: ({ sku }: { readonly sku: string }) => path`/products/${sku}`,
  permanent: { 404: unknownSku }
} as const

const catalogAt = (baseUrl: string) =>
  HttpTransport.layer(Catalog, {
    baseUrl,
    methods: {
      show: product,
      price: product,
      list: {
        method: "GET",
        path: () => "/products",
        query: ({ cursor }) => ({ cursor }),
        permanent: { 400: () => new InvalidCursor() }
      }
    }
  })

/** The catalog of two regions. An attempt is shorter than the quarter of a deadline that one of the ring has. */
export const catalogIn = <E, R>(
  regions: Readonly<Record<"eu" | "us", Layer.Layer<Downstream.Transport<typeof Catalog.key>, E, R>>>
) => Transport.failover(Catalog, regions, { attempt: "80 millis" })

const quotes = {
  quote: {
    method: "GET",
    path: ({ sku }: { readonly sku: string }) => path`/quotes/${sku}`,
    query: ({ country }: { readonly country: string }) => ({ country }),
    permanent: { 404: unknownSku, 409: () => new NotServed() }
  }
} as const

/** The raw calls of all downstreams. */
export const layer = (urls: Urls) =>
  Layer.mergeAll(
    HttpTransport.layer(Identity, {
      baseUrl: urls.identity,
      methods: {
        verify: { method: "POST", path: () => "/verify", permanent: { 401: () => new InvalidToken() } },
        keys: { method: "GET", path: () => "/keys" }
      }
    }),
    catalogIn({ eu: catalogAt(urls.catalog.eu), us: catalogAt(urls.catalog.us) }),
    HttpTransport.layer(Inventory, {
      baseUrl: urls.inventory,
      methods: {
        stock: { method: "GET", path: ({ sku }) => path`/stock/${sku}`, permanent: { 404: unknownSku } },
        reserve: {
          method: "POST",
          path: () => "/reservations",
          body: ({ items }) => ({ items }),
          permanent: {
            404: (problem) => (hasReason(problem, "UNKNOWN_SKU") ? new UnknownSku({ sku: "" }) : undefined),
            409: (problem) => (hasReason(problem, "RESERVATION_RELEASED") ? new ReservationReleased() : new SoldOut()),
            422: keyReused
          }
        },
        release: { method: "DELETE", path: ({ reservation }) => path`/reservations/${reservation}` }
      }
    }),
    HttpTransport.layer(Payments, {
      baseUrl: urls.payments,
      methods: {
        charge: {
          method: "POST",
          path: () => "/charges",
          body: ({ amount, currency, card }) => ({ amount, currency, card }),
          permanent: { 402: () => new CardDeclined(), 422: keyReused }
        }
      }
    }),
    HttpTransport.layer(Recommendations, {
      baseUrl: urls.recommendations,
      methods: {
        forUser: {
          method: "GET",
          path: ({ userId }) => path`/for/${userId}`,
          answer: (json) => (Predicate.hasProperty(json, "items") ? json.items : json)
        }
      }
    }),
    HttpTransport.layer(Dhl, { baseUrl: urls.shipping.dhl, methods: quotes }),
    HttpTransport.layer(Ups, { baseUrl: urls.shipping.ups, methods: quotes })
  )
