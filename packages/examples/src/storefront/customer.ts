/** Who sends a request. There is no answer to this but identity's own. */
import { Problem } from "@failsoft/http"
import * as Effect from "effect/Effect"
import { Identity } from "../contracts/Identity.ts"

/** Who looks at a page without having said so. */
export const anonymous = "anonymous"

const unauthenticated = (detail: string, challenge = "Bearer") =>
  Problem.make({ status: 401, reason: "INVALID_TOKEN", detail, challenge })

/** The customer of an `Authorization` header. */
export const authenticate = Effect.fn("storefront.authenticate")(
  function* (authorization: string | undefined) {
    const token = /^Bearer ([\w.~+/-]{1,512}=*)$/i.exec(authorization ?? "")?.[1]
    if (token === undefined) {
      return yield* unauthenticated("the header Authorization must be Bearer and a token")
    }
    const identity = yield* Identity
    const { customerId } = yield* identity.verify({ token })
    return customerId
  },
  Effect.catchTag("InvalidToken", () => unauthenticated("nobody has this token", 'Bearer error="invalid_token"'))
)
