/** What visitors of each taste buy, as it was computed at night. */
import * as Effect from "effect/Effect"
import * as Hash from "effect/Hash"

const product = (number: number) => ({ sku: `sku-${number}`, name: `Product ${number}` })

const tastes = [
  [product(11), product(12), product(13)],
  [product(21), product(22), product(23)],
  [product(31), product(32), product(33)],
  [product(41), product(42), product(43)]
]

/** The table of the night. */
export const load = Effect.succeed(tastes)

/** The picks of a visitor's taste. */
export const lookup = (table: typeof tastes, { userId }: { readonly userId: string }) =>
  table[Math.abs(Hash.string(userId)) % table.length]
