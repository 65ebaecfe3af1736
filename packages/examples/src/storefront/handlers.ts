/** The routes of the storefront's API. */
import { Degraded, IdempotencyKey, Problem } from "@failsoft/http"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Layer from "effect/Layer"
import { type NewOrder, StorefrontApi } from "./api.ts"
import { authenticate, authenticateReader } from "./customer.ts"
import { Orders, type Placed } from "./Orders.ts"
import * as productPage from "./productPage.ts"
import * as shippingQuotes from "./shippingQuotes.ts"

const Products = HttpApiBuilder.group(StorefrontApi, "products", (handlers) =>
  handlers.handleAll({
    showProduct: ({ headers, params }) => Problem.orRaise(productPage.show(params.sku, headers.visitor)),
    listProducts: ({ query }) => Problem.orRaise(productPage.list(query.cursor))
  })
)

const ShippingRoutes = HttpApiBuilder.group(StorefrontApi, "shipping", (handlers) =>
  handlers.handleAll({
    quoteShipping: ({ query }) => Problem.orRaise(shippingQuotes.ask(query.sku, query.country))
  })
)

const respond = (placed: Placed) => {
  if (placed instanceof Problem.Problem) return Problem.raise(placed)
  const pending = placed.status === "pending"
  return Effect.succeed(
    HttpServerResponse.jsonUnsafe(placed, {
      status: pending ? 202 : 201,
      headers: { location: `/orders/${placed.id}`, ...(pending ? { "retry-after": "1" } : {}) }
    })
  )
}

const placeOrder = Effect.fn("storefront.placeOrder")(function* (
  headers: { readonly authorization?: string; readonly "idempotency-key"?: string },
  order: NewOrder
) {
  const key = IdempotencyKey.parse(headers["idempotency-key"])
  if (typeof key !== "string") return yield* key
  const customerId = yield* authenticate(headers.authorization)
  const orders = yield* Orders
  return yield* Effect.flatMap(orders.place(customerId, key, order), respond)
})

const showOrder = Effect.fn("storefront.showOrder")(function* (authorization: string | undefined, id: string) {
  const customerId = yield* authenticateReader(authorization)
  const orders = yield* Orders
  const order = orders.find(customerId, id)
  if (order === undefined) {
    // Whether somebody else has such an order is nobody's business.
    return yield* Problem.make({ status: 404, reason: "UNKNOWN_ORDER", detail: "you have no such order" })
  }
  // What is less than fresh in this answer, not in the one that was given when it was placed.
  return { ...order, meta: yield* Degraded.meta }
})

const OrderRoutes = HttpApiBuilder.group(StorefrontApi, "orders", (handlers) =>
  handlers.handleAll({
    placeOrder: ({ headers, payload }) => Problem.orRaise(placeOrder(headers, payload)),
    showOrder: ({ headers, params }) => Problem.orRaise(showOrder(headers.authorization, params.id))
  })
)

/** The handlers of all groups. */
export const layer = Layer.mergeAll(Products, ShippingRoutes, OrderRoutes)
