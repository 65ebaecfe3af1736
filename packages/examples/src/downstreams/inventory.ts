/** Stock and reservations; never more is reserved than there is. */
import * as Schema from "effect/Schema"
import * as Ledger from "./ledger.ts"
import { type Applied, type Downstream, decoded, problem, skuNumber } from "./Operation.ts"

const Items = Schema.Array(
  Schema.Struct({ sku: Schema.String, quantity: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 })) })
)

const Line = Schema.Struct({
  at: Schema.Int,
  operation: Schema.Literals(["reserve", "release"]),
  key: Schema.String,
  items: Items
})

/** What there is of each sku before anything is sold; sku-13 is sold out. */
const initialStock = (number: number) => (number === 13 ? 0 : 10_000)

/** Makes the inventory downstream; with a folder its reservations survive a kill. */
export const make = (folder: string | undefined): Downstream => {
  const ledger = Ledger.open(Line, folder, "inventory")
  const held = new Map<string, typeof Items.Type>()
  /** A release may overtake its reservation, which must then not be made any more. */
  const released = new Set<string>()
  const taken = new Map<string, number>()

  const take = (items: typeof Items.Type, sign: 1 | -1) => {
    for (const { sku, quantity } of items) taken.set(sku, (taken.get(sku) ?? 0) + sign * quantity)
  }
  const apply = (line: typeof Line.Type) => {
    take(line.items, line.operation === "reserve" ? 1 : -1)
    if (line.operation === "reserve") held.set(line.key, line.items)
    else {
      held.delete(line.key)
      released.add(line.key)
    }
  }
  const commit = (line: typeof Line.Type) => {
    ledger.append(line)
    apply(line)
  }
  ledger.lines.forEach(apply)

  const available = (sku: string) => {
    const number = skuNumber(sku)
    return number === undefined ? undefined : initialStock(number) - (taken.get(sku) ?? 0)
  }

  return {
    applied: () =>
      ledger.lines
        // A release of what was never reserved took nothing and gave nothing.
        .filter((line) => line.items.length > 0)
        .map((line): Applied => ({ at: line.at, operation: line.operation, idempotencyKey: line.key })),
    operations: [
      {
        serves: ["stock"],
        method: "GET",
        path: /^\/stock\/([^/]+)$/,
        run: ({ params: [sku = ""] }) => {
          const left = available(sku)
          return left === undefined
            ? problem(404, "UNKNOWN_SKU", `there is no ${sku}`)
            : { status: 200, body: { sku, available: left } }
        }
      },
      {
        serves: ["reserve"],
        method: "POST",
        path: /^\/reservations$/,
        run: ({ body, idempotencyKey: key }) => {
          if (key === undefined) return problem(400, "MISSING_KEY", "the header Idempotency-Key is required")
          return decoded(Schema.Struct({ items: Items }), body, ({ items }) => {
            if (released.has(key)) return problem(409, "RESERVATION_RELEASED", "this reservation was given back")
            const known = held.get(key)
            if (known !== undefined) {
              return JSON.stringify(known) === JSON.stringify(items)
                ? { status: 201, body: { reservationId: `reservation-${key}` } }
                : problem(422, "KEY_REUSED", "this Idempotency-Key was used with another payload")
            }
            const wanted = new Map<string, number>()
            for (const { sku, quantity } of items) wanted.set(sku, (wanted.get(sku) ?? 0) + quantity)
            for (const [sku, quantity] of wanted) {
              const left = available(sku)
              if (left === undefined) return problem(404, "UNKNOWN_SKU", `there is no ${sku}`)
              if (left < quantity) return problem(409, "SOLD_OUT", `there is not enough of ${sku}`)
            }
            commit({ at: Date.now(), operation: "reserve", key, items })
            return { status: 201, body: { reservationId: `reservation-${key}` } }
          })
        }
      },
      {
        serves: ["release"],
        method: "DELETE",
        path: /^\/reservations\/([^/]+)$/,
        run: ({ params: [key = ""] }) => {
          if (!released.has(key)) commit({ at: Date.now(), operation: "release", key, items: held.get(key) ?? [] })
          return { status: 204 }
        }
      }
    ]
  }
}
