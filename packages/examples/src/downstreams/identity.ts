/** Who a token belongs to, the tokens that it signs, and the keys by which others can check them. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { importJWK, SignJWT } from "jose"
import type { JwkSet } from "../contracts/JwkSet.ts"
import * as SignedToken from "../contracts/SignedToken.ts"
import { type Downstream, decoded, problem, type Reply } from "./Operation.ts"
import * as SigningKey from "./signingKey.ts"

const customers = new Map([
  ["demo-alice", "alice"],
  ["demo-bob", "bob"]
])

/** Of letters that take one byte each, so that no token is longer than the storefront reads. */
const CustomerId = Schema.String.check(Schema.isPattern(/^[\w.@+-]{1,64}$/))

const refused = problem(401, "INVALID_TOKEN", "nobody has this token")

const known = (customerId: string): Reply => ({ status: 200, body: { customerId } })

const publicKeys = ({ crv, kid, kty, x }: SigningKey.SigningKey): JwkSet => ({
  keys: [{ kty, crv, x, kid, alg: SignedToken.algorithm, use: "sig" }]
})

const mint = Effect.fnUntraced(function* (key: SigningKey.SigningKey, customerId: string) {
  const issuedAt = Math.floor((yield* Clock.currentTimeMillis) / 1000)
  return yield* Effect.promise(async () =>
    new SignJWT()
      .setProtectedHeader({ alg: SignedToken.algorithm, kid: key.kid, typ: "JWT" })
      .setSubject(customerId)
      .setAudience(SignedToken.audience)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + SignedToken.lifetimeSeconds)
      .sign(await importJWK(key, SignedToken.algorithm))
  )
})

/** Makes the identity downstream; with a folder its tokens survive a kill. */
export const make = (folder: string | undefined): Downstream => {
  const key = SigningKey.open(folder)
  const keys = publicKeys(key)
  return {
    applied: () => [],
    operations: [
      {
        serves: ["verify"],
        method: "POST",
        path: /^\/verify$/,
        run: ({ body }) =>
          decoded(Schema.Struct({ token: Schema.String }), body, ({ token }) => {
            const customerId = customers.get(token)
            if (customerId !== undefined) return known(customerId)
            return Effect.match(SignedToken.check(token, keys), { onSuccess: known, onFailure: () => refused })
          })
      },
      { serves: ["keys"], method: "GET", path: /^\/keys$/, run: () => ({ status: 200, body: keys }) },
      {
        // It stands for a login, and asks nobody for a password.
        serves: ["tokens"],
        method: "POST",
        path: /^\/tokens$/,
        run: ({ body }) =>
          decoded(Schema.Struct({ customerId: CustomerId }), body, ({ customerId }) =>
            Effect.map(mint(key, customerId), (token) => ({ status: 201, body: { token } }))
          )
      }
    ]
  }
}
