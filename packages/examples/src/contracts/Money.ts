/** An amount of money in minor units (cents). */
import * as Schema from "effect/Schema"

/** An amount in minor units with its ISO 4217 currency. */
export const Money = Schema.Struct({ amount: Schema.Int, currency: Schema.String })

/** An amount in minor units with its ISO 4217 currency. */
export type Money = typeof Money.Type
