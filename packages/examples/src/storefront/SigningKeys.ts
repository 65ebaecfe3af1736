/** The keys that identity signs with, as the storefront knows them. */
import { Cache, Deadline, type Unavailable } from "@failsoft/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Identity } from "../contracts/Identity.ts"
import type { JwkSet } from "../contracts/JwkSet.ts"

/** Whoever invents names of keys makes the storefront ask for them so often, and no more. */
export const refreshEvery = "30 seconds"

/** Identity's keys. */
export class SigningKeys extends Context.Service<
  SigningKeys,
  {
    /** The keys; where a key of this name is not among them, identity is asked whether it has a new one. */
    readonly forToken: (kid: string) => Effect.Effect<JwkSet, Unavailable.Unavailable>
  }
>()("@failsoft/examples/SigningKeys") {}

const has = ({ keys }: JwkSet, kid: string) => keys.some((key) => key.kid === kid)

/** The keys by identity's ring, which keeps them. */
export const layer = Layer.effect(
  SigningKeys,
  Effect.gen(function* () {
    const identity = yield* Identity
    const known = Effect.map(identity.keys({}), ({ value }) => value)
    // All who wait for it share one, which ends by the policies and not with the first of them. One
    // that fails counts as well: what was known before is still known.
    const refresh = yield* identity
      .keys({})
      .pipe(
        Effect.provideService(Cache.Demand, "live"),
        Effect.provideService(Deadline.Deadline, Infinity),
        Effect.ignore,
        Effect.cachedWithTTL(refreshEvery)
      )
    return {
      forToken: (kid) =>
        Effect.flatMap(known, (keys) =>
          has(keys, kid)
            ? Effect.succeed(keys)
            : // Who goes away at once must not get around the limit: what he began is finished and counts.
              Effect.andThen(Effect.uninterruptible(refresh), known)
        )
    }
  })
)
