/** The final word of catalog and inventory on a sku that they do not have. */
import * as Schema from "effect/Schema"

/** There is no such sku. */
export class UnknownSku extends Schema.TaggedError<UnknownSku>()("UnknownSku", { sku: Schema.String }) {}
