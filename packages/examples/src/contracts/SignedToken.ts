/**
 * The tokens that identity signs: a JWT of ten minutes that names a customer, for the
 * storefront alone. Who has identity's keys can check one without asking identity.
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { base64url, decodeJwt, decodeProtectedHeader } from "jose"
import { InvalidToken } from "./Identity.ts"
import type { JwkSet } from "./JwkSet.ts"

/** The one way of signing: whatever else a token says of itself, it is refused. */
export const algorithm = "EdDSA"

/** For whom the tokens are: one that was made for another service opens nothing here. */
export const audience = "storefront"

/** How long a token is valid. */
export const lifetimeSeconds = 600

/** Whether a token means to be signed: it has three parts. Whether it is, `check` says. */
export const isSigned = (token: string): boolean => token.split(".").length === 3

/** What a token says of how it is signed. Of what it says beside that only `crit` counts: it demands what nobody here knows. */
const Header = Schema.Struct({
  alg: Schema.Literal(algorithm),
  kid: Schema.String,
  crit: Schema.optionalKey(Schema.Never)
})

/** What a token must say. One without an end is refused, not trusted for ever. */
const Claims = Schema.Struct({
  sub: Schema.NonEmptyString,
  aud: Schema.Union([
    Schema.Literal(audience),
    Schema.Array(Schema.String).check(Schema.makeFilter((all) => all.includes(audience)))
  ]),
  iat: Schema.Finite,
  exp: Schema.Finite,
  nbf: Schema.optionalKey(Schema.Finite)
})

const isHeader = Schema.is(Header)
const isClaims = Schema.is(Claims)

/** The name of the key that a token says it is signed with; nothing where it could not be a token of identity. */
export const kidOf = (token: string): string | undefined => {
  try {
    const header: unknown = decodeProtectedHeader(token)
    return isHeader(header) ? header.kid : undefined
  } catch {
    return undefined
  }
}

/** To read a key takes as long as to check a signature with it; who forgets the key forgets this. */
const publicKeys = new WeakMap<JwkSet["keys"][number], KeyObject>()

/** Whether a key has signed it. Only a key of the one kind is tried, whatever else has its name. */
const isSignedBy = (key: JwkSet["keys"][number], signed: string, signature: Uint8Array): boolean => {
  const { alg = algorithm, crv, kty, use = "sig", x = "" } = key
  if (kty !== "OKP" || crv !== "Ed25519" || alg !== algorithm || use !== "sig") return false
  const known = publicKeys.get(key) ?? createPublicKey({ format: "jwk", key: { kty, crv, x } })
  publicKeys.set(key, known)
  return verify(null, Buffer.from(signed), known, signature)
}

/** The customer of a token by these keys at a time in milliseconds; nothing where anything is wrong with it. */
const customerOf = (token: string, { keys }: JwkSet, now: number): string | undefined => {
  const kid = kidOf(token)
  const end = token.lastIndexOf(".")
  const [signed, text] = [token.slice(0, end), token.slice(end + 1)]
  const signature = base64url.decode(text)
  // The last character of a signature has bits that nobody reads: a token has one text, not four.
  if (kid === undefined || base64url.encode(signature) !== text) return undefined
  if (!keys.some((key) => key.kid === kid && isSignedBy(key, signed, signature))) return undefined
  const claims: unknown = decodeJwt(token)
  const seconds = Math.floor(now / 1000)
  return isClaims(claims) && seconds < claims.exp && (claims.nbf ?? 0) <= seconds ? claims.sub : undefined
}

/**
 * The customer of a token by these keys, as of now. Whatever is wrong with it, it is refused. It
 * waits for nothing, which the simulator needs, and takes some tenths of a millisecond.
 */
export const check = Effect.fnUntraced(function* (token: string, keys: JwkSet) {
  const now = yield* Clock.currentTimeMillis
  const customerId = yield* Effect.try({
    try: () => customerOf(token, keys, now),
    catch: () => new InvalidToken()
  })
  return customerId ?? (yield* new InvalidToken())
})
