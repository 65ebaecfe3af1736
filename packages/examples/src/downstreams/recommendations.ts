/** What else a customer may like: a fixed choice per customer. */
import { Draw } from "@failsoft/core/testing/faults"
import type { Downstream } from "./Operation.ts"

/** Makes the recommendations downstream. */
export const make = (): Downstream => ({
  applied: () => [],
  operations: [
    {
      serves: ["forUser"],
      method: "GET",
      path: /^\/for\/([^/]+)$/,
      run: ({ params: [user = ""] }) => ({
        status: 200,
        body: {
          items: [0, 1, 2].map((nth) => {
            const number = 1 + Math.floor(Draw.draw(user, nth) * 500)
            return { sku: `sku-${number}`, name: `Product ${number}` }
          })
        }
      })
    }
  ]
})
