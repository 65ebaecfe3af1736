/** The public keys with which somebody signs, as RFC 7517 writes them. */
import * as Schema from "effect/Schema"

/** One key; what else its owner says of it, a private part for one, is not taken in. */
const Jwk = Schema.Struct({
  kty: Schema.String,
  kid: Schema.optionalKey(Schema.String),
  alg: Schema.optionalKey(Schema.String),
  use: Schema.optionalKey(Schema.String),
  crv: Schema.optionalKey(Schema.String),
  x: Schema.optionalKey(Schema.String)
})

/** A set of keys, at most 32. Keys of a kind that nobody here uses may be among them, and are passed over. */
export const JwkSet = Schema.Struct({ keys: Schema.Array(Jwk).check(Schema.isMaxLength(32)) })

/** A set of keys. */
export type JwkSet = typeof JwkSet.Type
