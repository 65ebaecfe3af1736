/** The products and their prices. */
import { type Downstream, problem, skuNumber } from "./Operation.ts"

const product = (number: number) => ({
  sku: `sku-${number}`,
  name: `Product ${number}`,
  price: { amount: 500 + number * 10, currency: "EUR" }
})

const pageSize = 20
const skus = 500

/** Makes the catalog downstream. */
export const make = (): Downstream => ({
  applied: () => [],
  operations: [
    {
      serves: ["show", "price"],
      method: "GET",
      path: /^\/products\/([^/]+)$/,
      run: ({ params: [sku = ""] }) => {
        const number = skuNumber(sku)
        return number === undefined
          ? problem(404, "UNKNOWN_SKU", `there is no ${sku}`)
          : { status: 200, body: product(number) }
      }
    },
    {
      serves: ["list"],
      method: "GET",
      path: /^\/products$/,
      run: ({ query }) => {
        const cursor = query.get("cursor") ?? "after-0"
        const after = Number(/^after-(\d{1,3})$/.exec(cursor)?.[1] ?? Number.NaN)
        if (!(after >= 0 && after < skus)) {
          return problem(400, "MALFORMED_CURSOR", "cursor must be a nextCursor of an earlier page")
        }
        const last = Math.min(skus, after + pageSize)
        const items = Array.from({ length: last - after }, (_, i) => product(after + 1 + i))
        return { status: 200, body: { items, ...(last < skus ? { nextCursor: `after-${last}` } : {}) } }
      }
    }
  ]
})
