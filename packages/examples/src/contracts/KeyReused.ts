/** The key of a write was used before, with another payload. */
import * as Schema from "effect/Schema"

/** A downstream knows this idempotency key with another payload; asking again gives the same. */
export class KeyReused extends Schema.TaggedError<KeyReused>()("KeyReused", {}) {}
