/**
 * The tokens that identity signs: a JWT of ten minutes that names a customer, for the
 * storefront alone. Who has identity's keys can check one without asking identity.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { base64url, createLocalJWKSet, decodeProtectedHeader, jwtVerify } from "jose"
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

/** The name of the key that a token says it is signed with; nothing where it could not be a token of identity. */
export const kidOf = (token: string): string | undefined => {
  try {
    const { alg, kid } = decodeProtectedHeader(token)
    return alg === algorithm && typeof kid === "string" ? kid : undefined
  } catch {
    return undefined
  }
}

/** The last character of a signature has bits that nobody reads: a token has one text, not four. */
const isCanonical = (token: string): boolean => {
  const signature = token.slice(token.lastIndexOf(".") + 1)
  return base64url.encode(base64url.decode(signature)) === signature
}

/** The customer of a token by these keys, as of now. Whatever is wrong with it, it is refused. */
export const check = Effect.fnUntraced(function* (token: string, { keys }: JwkSet) {
  const currentDate = new Date(yield* Clock.currentTimeMillis)
  const customerId = yield* Effect.tryPromise({
    try: async () => {
      const { payload } = await jwtVerify(token, createLocalJWKSet({ keys: [...keys] }), {
        algorithms: [algorithm],
        audience,
        currentDate,
        requiredClaims: ["sub", "iat", "exp"]
      })
      return isCanonical(token) ? payload.sub : undefined
    },
    catch: () => new InvalidToken()
  })
  return customerId === undefined || customerId === "" ? yield* new InvalidToken() : customerId
})
