/** The storefront's composition as it is, with fakes where HTTP would be. */
import { createPrivateKey, sign } from "node:crypto"
import { Answer, type Journal, Settings } from "@failsoft/core"
import { Check, Fake, type Trace, Traffic } from "@failsoft/core/testing"
import { Degraded, Problem } from "@failsoft/http"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Catalog, InvalidCursor } from "../../packages/examples/src/contracts/Catalog.ts"
import { Identity, InvalidToken } from "../../packages/examples/src/contracts/Identity.ts"
import { Inventory, ReservationReleased, SoldOut } from "../../packages/examples/src/contracts/Inventory.ts"
import { CardDeclined, Payments } from "../../packages/examples/src/contracts/Payments.ts"
import { Recommendations } from "../../packages/examples/src/contracts/Recommendations.ts"
import { Dhl, NotServed, Ups } from "../../packages/examples/src/contracts/Shipping.ts"
import * as SignedToken from "../../packages/examples/src/contracts/SignedToken.ts"
import { UnknownSku } from "../../packages/examples/src/contracts/UnknownSku.ts"
import { authenticate, authenticateReader } from "../../packages/examples/src/storefront/customer.ts"
import * as Orders from "../../packages/examples/src/storefront/Orders.ts"
import * as productPage from "../../packages/examples/src/storefront/productPage.ts"
import * as rings from "../../packages/examples/src/storefront/rings.ts"
import * as SigningKeys from "../../packages/examples/src/storefront/SigningKeys.ts"
import * as shippingQuotes from "../../packages/examples/src/storefront/shippingQuotes.ts"
import { catalogIn } from "../../packages/examples/src/storefront/transports.ts"

const product = (sku: string) => ({ sku, name: `Product ${sku}`, price: { amount: 500, currency: "EUR" } })

const exists = (sku: string) => /^sku-\d+$/.test(sku)

const found = <A>(sku: string, value: A) => (exists(sku) ? Effect.succeed(value) : Effect.fail(new UnknownSku({ sku })))

const declinedCard = "4000-0000-0000-0002"

/** The key pair of RFC 8037, A.1: everybody knows its private part, so it is for tests alone. */
const publicKey = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", kid: "rfc8037" }
const privateKey = createPrivateKey({
  format: "jwk",
  key: { ...publicKey, d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A" }
})

const encoded = (json: unknown) => Buffer.from(JSON.stringify(json)).toString("base64url")

/** A token of alice that ends in the year 2286: what is looked for here is the age of the keys. */
const signed = (kid: string) => {
  const said = [
    { alg: SignedToken.algorithm, kid },
    { sub: "alice", aud: SignedToken.audience, iat: 0, exp: 9_999_999_999 }
  ]
  const text = said.map(encoded).join(".")
  return `${text}.${sign(null, Buffer.from(text), privateKey).toString("base64url")}`
}
const carrier = {
  quote: ({ sku, country }: { readonly sku: string; readonly country: string }) =>
    country === "AQ" ? Effect.fail(new NotServed()) : found(sku, { price: { amount: 490, currency: "EUR" }, days: 2 })
}

const fakes = [
  Fake.make(Identity, {
    verify: ({ token }) => (token === "demo-alice" ? { customerId: "alice" } : Effect.fail(new InvalidToken())),
    keys: () => ({ keys: [publicKey] })
  }),
  Fake.inRegions(
    Fake.make(Catalog, {
      show: ({ sku }) => found(sku, product(sku)),
      price: ({ sku }) => found(sku, product(sku)),
      list: ({ cursor = "after-0" }) =>
        cursor.startsWith("after-")
          ? { items: [product("sku-1")], nextCursor: "after-20" }
          : Effect.fail(new InvalidCursor())
    }),
    ["eu", "us"],
    catalogIn
  ),
  Fake.make(Inventory, () => {
    const released = new Set<string>()
    return {
      stock: ({ sku }) => found(sku, { available: sku === "sku-13" ? 0 : 100 }),
      reserve: ({ reservation, items }) => {
        if (released.has(reservation)) return Effect.fail(new ReservationReleased())
        if (items.some(({ sku }) => sku === "sku-13")) return Effect.fail(new SoldOut())
        return { reservationId: `reservation-${reservation}` }
      },
      release: ({ reservation }) => void released.add(reservation)
    }
  }),
  Fake.make(Payments, {
    charge: ({ orderId, card }) =>
      card === declinedCard ? Effect.fail(new CardDeclined()) : { chargeId: `charge-${orderId}` }
  }),
  Fake.make(Recommendations, { forUser: () => [{ sku: "sku-7", name: "Product 7" }] }),
  Fake.make(Dhl, carrier),
  Fake.make(Ups, carrier)
] as const

/** The status of a problem says whether it is our failure or the customer's. */
const judgeProblem = (error: unknown): Traffic.Judgement =>
  error instanceof Problem.Problem ? (error.status >= 500 ? "unavailable" : "permanent") : undefined

const metaQuality = ({
  meta
}: {
  readonly meta: { readonly degraded: ReadonlyArray<Pick<Journal.Entry, "quality">> }
}) => Answer.worst(meta.degraded.map(({ quality }) => quality))

/** What a request asks for. */
export const sku = ({ nth }: Pick<Traffic.Request, "nth">) => `sku-${(nth % 40) + 1}`

const page = Traffic.make("GET /products/:sku", (of) => productPage.show(sku(of)), {
  judge: metaQuality,
  judgeError: judgeProblem
})

const list = Traffic.make("GET /products", () => productPage.list(undefined), {
  judge: metaQuality,
  judgeError: judgeProblem
})

const quotes = Traffic.make(
  "GET /shipping-quotes",
  (of) => shippingQuotes.ask(sku(of), of.nth % 10 === 0 ? "AQ" : "DE"),
  { judge: metaQuality, judgeError: judgeProblem }
)

/** An order; one in ten has a card that is declined. */
export const orderOf = (of: Traffic.Request) => ({
  items: [{ sku: sku(of), quantity: 1 }],
  card: of.draw("card") < 0.1 ? declinedCard : "4111-1111-1111-1111"
})

const order = Traffic.make(
  "POST /orders",
  (of) =>
    Effect.gen(function* () {
      const customerId = yield* authenticate("Bearer demo-alice")
      const orders = yield* Orders.Orders
      return yield* orders.place(customerId, `key-${of.nth}`, orderOf(of))
    }),
  {
    judge: (placed) =>
      placed instanceof Problem.Problem ? judgeProblem(placed) : placed.status === "pending" ? "deferred" : undefined,
    judgeError: judgeProblem
  }
)

/** The order that alice reads by a token. It is placed by the first who asks for it, and then it is known. */
const readBy = (name: string, token: string) =>
  Traffic.make(
    name,
    () =>
      Effect.gen(function* () {
        const orders = yield* Orders.Orders
        const placed = yield* orders.place("alice", "the one that is read", {
          items: [{ sku: "sku-1", quantity: 1 }],
          card: "4111-1111-1111-1111"
        })
        if (placed instanceof Problem.Problem) return yield* placed
        const order = orders.find(yield* authenticateReader(`Bearer ${token}`), placed.id)
        if (order === undefined) return yield* Effect.die("the order is lost")
        return { ...order, meta: yield* Degraded.meta }
      }),
    { judge: metaQuality, judgeError: judgeProblem }
  )

/** One a second: each costs a real signature's check. */
const read = { ...readBy("GET /orders/:id", signed(publicKey.kid)), perSecond: 1 }

/** The same by a token whose key identity does not have. */
export const strange = readBy("GET /orders/:id, unknown key", signed("of nobody"))

const appliedOf = (trace: Trace.Trace, downstream: string, method: string) =>
  trace.attempts.filter((of) => of.downstream === downstream && of.method === method && of.applied)

/** A 503 is not charged; what is confirmed is. */
const chargedIsTold: Check.Check = (trace) => {
  const charged = new Set(appliedOf(trace, "payments", "charge").map(({ request }) => request))
  for (const { id, name, outcome, quality, at, endedAt = at } of trace.requests) {
    if (name !== "POST /orders" || outcome === "aborted") continue
    if (outcome === "unavailable" && charged.has(id))
      return Check.broken("it was charged and told to try again", endedAt, id)
    if (outcome === "answered" && quality === "fresh" && !charged.has(id)) {
      return Check.broken("it was confirmed and never charged", endedAt, id)
    }
  }
  return undefined
}

/** When all is over, what is reserved was paid for. */
const reservedIsPaid: Check.Check = (trace) => {
  const keys = (method: string) => new Set(appliedOf(trace, "inventory", method).map((of) => of.idempotencyKey))
  const released = keys("release")
  const paid = new Set(appliedOf(trace, "payments", "charge").map(({ request }) => request))
  for (const { idempotencyKey, request, at } of appliedOf(trace, "inventory", "reserve")) {
    if (!released.has(idempotencyKey) && !paid.has(request)) {
      return Check.broken(`${idempotencyKey} is held by an order that was not paid`, at, request)
    }
  }
  return undefined
}

/** Half a second instead of five minutes, which is longer than a run; and no answer before it is refreshed. */
const KeysAgeSoon = Layer.effectDiscard(
  Effect.flatMap(Settings.Registry, ({ change }) =>
    change(
      { "identity/keys/cache.freshMillis": 500, "identity/keys/cache.staleWhileRevalidateMillis": 0 },
      { by: "the simulation" }
    )
  )
)

/** The storefront. */
export const storefront = {
  name: "storefront",
  layer: Layer.mergeAll(Orders.layer, SigningKeys.layer, KeysAgeSoon).pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        rings.IdentityRing,
        rings.CatalogRing,
        rings.InventoryRing,
        rings.PaymentsRing,
        rings.RecommendationsRing,
        rings.ShippingRings
      )
    )
  ),
  fakes,
  traffic: [page, list, quotes, order, read],
  deadline: "2 seconds",
  recovery: "10 seconds",
  checks: { "who is charged is told so": chargedIsTold, "what is reserved is paid for": reservedIsPaid }
} as const
