/** One carrier and what it wants for a delivery. */
import { Draw } from "@failsoft/core/testing/faults"
import { type Downstream, problem, skuNumber } from "./Operation.ts"

/** Where no carrier of ours goes. */
const notServed = new Set(["AQ"])

/** Makes the downstream of a carrier. */
export const make = (carrier: string): Downstream => ({
  applied: () => [],
  operations: [
    {
      serves: ["quote"],
      method: "GET",
      path: /^\/quotes\/([^/]+)$/,
      run: ({ params: [sku = ""], query }) => {
        if (skuNumber(sku) === undefined) return problem(404, "UNKNOWN_SKU", `there is no ${sku}`)
        const country = query.get("country") ?? ""
        if (notServed.has(country)) return problem(409, "NOT_SERVED", `${carrier} does not go to ${country}`)
        return {
          status: 200,
          body: {
            price: { amount: 390 + Math.floor(Draw.draw(carrier, country) * 1000), currency: "EUR" },
            days: 1 + Math.floor(Draw.draw(country, carrier) * 5)
          }
        }
      }
    }
  ]
})
