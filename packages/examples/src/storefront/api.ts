/** The storefront's public API, as its OpenAPI document and its docs page show it. */
import { Degraded, LoadShedding, Problem } from "@failsoft/http"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { Product } from "../contracts/Catalog.ts"
import { Money } from "../contracts/Money.ts"
import { Recommended } from "../contracts/Recommendations.ts"
import { Quote } from "../contracts/Shipping.ts"

/** What a product is ordered by: letters, digits, hyphens and underscores. */
const Sku = Schema.String.check(Schema.isPattern(/^[\w-]{1,64}$/))

/** A name that a browser keeps for a visitor, so that he sees the same page again; it says nothing of him. */
const Visitor = Schema.String.check(Schema.isPattern(/^[\w-]{1,64}$/))

/** What a product page shows. */
export const ProductPage = Schema.Struct({
  product: Product,
  availability: Schema.Literals(["in-stock", "sold-out", "unknown"]),
  recommendations: Schema.Array(Recommended),
  meta: Degraded.Meta
})

/** One page of the catalog. */
export const ProductList = Schema.Struct({
  items: Schema.Array(Product),
  nextCursor: Schema.optionalKey(Schema.String),
  meta: Degraded.Meta
})

/** What each carrier wants for a delivery, and those of whom nobody knows. */
export const ShippingQuotes = Schema.Struct({
  quotes: Schema.Array(Schema.Struct({ carrier: Schema.String, ...Quote.fields })),
  unreachable: Schema.Array(Schema.String),
  meta: Degraded.Meta
})

/** What a customer orders, at most 50 lines of at most 100 pieces each. */
export const NewOrder = Schema.Struct({
  items: Schema.Array(
    Schema.Struct({
      sku: Sku,
      quantity: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 }))
    })
  ).check(Schema.isMinLength(1), Schema.isMaxLength(50)),
  card: Schema.String.check(Schema.isPattern(/^\d{4}-\d{4}-\d{4}-\d{4}$/))
})

/** What a customer orders. */
export type NewOrder = typeof NewOrder.Type

/** An order as its owner sees it. */
export const Order = Schema.Struct({
  id: Schema.String,
  status: Schema.Literals(["confirmed", "pending", "declined"]),
  total: Money,
  meta: Degraded.Meta
})

/** An order as its owner sees it. */
export type Order = typeof Order.Type

const problem = (status: number) =>
  Problem.Body.pipe(HttpApiSchema.asJson({ contentType: "application/problem+json" }), HttpApiSchema.status(status))

const Products = HttpApiGroup.make("products", { topLevel: true }).add(
  HttpApiEndpoint.get("showProduct", "/products/:sku", {
    params: { sku: Sku },
    headers: { visitor: Schema.optionalKey(Visitor) },
    success: ProductPage,
    error: [problem(404), problem(503)]
  })
    .annotate(OpenApi.Summary, "Show a product")
    .annotate(
      OpenApi.Description,
      "A product with its availability and what else one may like. Stays up in outages; `meta.degraded` says what is not fresh."
    ),
  HttpApiEndpoint.get("listProducts", "/products", {
    query: { cursor: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(64))) },
    success: ProductList,
    error: [problem(400), problem(503)]
  })
    // Under overload a list can be asked for again; a page that somebody reads comes before it.
    .annotate(LoadShedding.Priority, "sheddable")
    .annotate(OpenApi.Summary, "List products")
    .annotate(OpenApi.Description, "The products, twenty at a time.")
)

const Shipping = HttpApiGroup.make("shipping", { topLevel: true }).add(
  HttpApiEndpoint.get("quoteShipping", "/shipping-quotes", {
    query: { sku: Sku, country: Schema.String.check(Schema.isPattern(/^[A-Z]{2}$/)) },
    success: ShippingQuotes,
    error: [problem(400), problem(404), problem(503)]
  })
    .annotate(OpenApi.Summary, "Quote a delivery")
    .annotate(
      OpenApi.Description,
      "What each carrier wants for a product to a country (two letters of ISO 3166). Carriers that cannot be asked are `unreachable`; without any it is 503."
    )
)

const Orders = HttpApiGroup.make("orders", { topLevel: true })
  .add(
    HttpApiEndpoint.post("placeOrder", "/orders", {
      headers: {
        authorization: Schema.optionalKey(Schema.String),
        "idempotency-key": Schema.optionalKey(Schema.String)
      },
      payload: NewOrder,
      success: [Order.pipe(HttpApiSchema.status(201)), Order.pipe(HttpApiSchema.status(202))],
      error: [problem(400), problem(401), problem(402), problem(409), problem(422), problem(503)]
    })
      .annotate(OpenApi.Summary, "Place an order")
      .annotate(
        OpenApi.Description,
        "Orders and pays. Needs a bearer token and an `Idempotency-Key`; the same key gives the first answer again and charges once. 202 means that the payment is not known yet."
      ),
    HttpApiEndpoint.get("showOrder", "/orders/:id", {
      params: { id: Schema.NonEmptyString.check(Schema.isMaxLength(64)) },
      headers: { authorization: Schema.optionalKey(Schema.String) },
      success: Order,
      error: [problem(401), problem(404), problem(503)]
    })
      .annotate(OpenApi.Summary, "Show an order")
      .annotate(
        OpenApi.Description,
        "An order, for its owner. A signed token is checked here, with keys that may be stale for a stated time: reading goes on while identity is down."
      )
  )
  // Orders are what the shop lives on: they go last.
  .annotate(LoadShedding.Priority, "critical")

/** The storefront's public API. */
export const StorefrontApi = HttpApi.make("storefront")
  .add(Products)
  .add(Shipping)
  .add(Orders)
  .annotate(OpenApi.Title, "Storefront")
  .annotate(OpenApi.Version, "0.1.0")
  .annotate(
    OpenApi.Description,
    "A shop that stays useful while part of what it depends on is slow, wrong or gone. Every 200 says in `meta.degraded`, and in the header `Degradation`, what in it is not fresh and why; every error is a problem (RFC 9457) that says whether to retry and when."
  )
