/**
 * Who sends a request. Who orders is whom identity says now: there is no other answer. Who
 * only reads what is his may be known by a token that identity has signed, also while
 * identity is down.
 */
import { Problem } from "@failsoft/http"
import * as Effect from "effect/Effect"
import { Identity, InvalidToken } from "../contracts/Identity.ts"
import * as SignedToken from "../contracts/SignedToken.ts"
import { SigningKeys } from "./SigningKeys.ts"

/** Who looks at a page without having said so. */
export const anonymous = "anonymous"

const unauthenticated = (detail: string, challenge = "Bearer") =>
  Problem.make({ status: 401, reason: "INVALID_TOKEN", detail, challenge })

const refused = () => unauthenticated("nobody has this token", 'Bearer error="invalid_token"')

const tokenOf = (authorization: string | undefined) => {
  const token = /^Bearer ([\w.~+/-]{1,512}=*)$/i.exec(authorization ?? "")?.[1]
  return token === undefined
    ? Effect.fail(unauthenticated("the header Authorization must be Bearer and a token"))
    : Effect.succeed(token)
}

const asIdentitySays = Effect.fnUntraced(function* (token: string) {
  const identity = yield* Identity
  const { customerId } = yield* identity.verify({ token })
  return customerId
})

const asSigned = Effect.fnUntraced(function* (token: string) {
  const kid = SignedToken.kidOf(token)
  if (kid === undefined) return yield* new InvalidToken()
  const signingKeys = yield* SigningKeys
  return yield* SignedToken.check(token, yield* signingKeys.forToken(kid))
})

/** The customer of an `Authorization` header, for all that he changes. */
export const authenticate = Effect.fn("storefront.authenticate")(
  function* (authorization: string | undefined) {
    return yield* asIdentitySays(yield* tokenOf(authorization))
  },
  Effect.catchTag("InvalidToken", refused)
)

/** The customer of an `Authorization` header, for what he reads: by a signed token he is known without identity. */
export const authenticateReader = Effect.fn("storefront.authenticateReader")(
  function* (authorization: string | undefined) {
    const token = yield* tokenOf(authorization)
    return yield* SignedToken.isSigned(token) ? asSigned(token) : asIdentitySays(token)
  },
  Effect.catchTag("InvalidToken", refused)
)
