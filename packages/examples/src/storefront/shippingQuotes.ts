/** What a delivery costs: those who answer are enough, and who did not is named. */
import { Answer } from "@failsoft/core"
import { Degraded, Problem } from "@failsoft/http"
import * as Effect from "effect/Effect"
import { type Carrier, Dhl, Ups } from "../contracts/Shipping.ts"

const carriers: ReadonlyArray<Carrier> = ["dhl", "ups"]

/** The quotes of all carriers for one product to one country, in their order; of none where no carrier answers. */
export const ask = Effect.fn("storefront.shippingQuotes")(function* (sku: string, country: string) {
  const clients = { dhl: yield* Dhl, ups: yield* Ups }
  const quoteOf = (carrier: Carrier) =>
    clients[carrier].quote({ sku, country }).pipe(
      Effect.map((quote) => [{ carrier, ...quote }]),
      // That it does not go there is an answer.
      Effect.catchTag("NotServed", () => Effect.succeed([]))
    )
  const { value } = yield* Answer.collect(carriers, quoteOf, { downstream: "shipping", method: "quotes" }).pipe(
    Effect.mapError((error) =>
      error._tag === "UnknownSku"
        ? Problem.make({ status: 404, reason: "UNKNOWN_SKU", detail: `there is no ${sku}` })
        : error
    )
  )
  return {
    quotes: value.entries.flatMap(([, quotes]) => quotes),
    unreachable: value.unreachable,
    meta: yield* Degraded.meta
  }
})
