/** The keys that identity signs with, as the storefront knows them. */
import { Cache, Deadline, type Unavailable } from "@failsoft/core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { Identity } from "../contracts/Identity.ts"
import type { JwkSet } from "../contracts/JwkSet.ts"

/** Who has identity's keys asks for them again after so long. */
export const freshFor = "5 minutes"

/**
 * So long identity's keys serve its outage, from the end of their fresh lifetime. A key that
 * identity withdraws meanwhile opens for so long what a token may open without identity, which
 * is the reading of one's own orders; an hour is enough to mend most outages.
 */
export const staleFor = "1 hour"

/** Whoever invents names of keys makes the storefront ask for them so often, and no more. */
export const refreshEvery = "30 seconds"

/**
 * After an answer that did not come, identity is asked again so soon: a good token with a new key
 * waits for it, and the breaker keeps what is down from being asked more.
 */
export const retryEvery = "2 seconds"

/** Identity's keys. */
export class SigningKeys extends Context.Service<
  SigningKeys,
  {
    /** The keys; where a key of this name is not among them, identity is asked whether it has a new one. */
    readonly forToken: (kid: string) => Effect.Effect<JwkSet, Unavailable.Unavailable>
  }
>()("@failsoft/examples/SigningKeys") {}

/** Keys, and when they were asked for, by the clock that nobody sets. */
interface Got extends JwkSet {
  readonly at: bigint
}

const has = ({ keys }: JwkSet, kid: string) => keys.some((key) => key.kid === kid)

const nanos = (input: Duration.Input) => Duration.toNanosUnsafe(Duration.fromInputUnsafe(input))

const ageMax = nanos(freshFor) + nanos(staleFor)

/** The keys by identity's ring, which keeps them. */
export const layer = Layer.effect(
  SigningKeys,
  Effect.gen(function* () {
    const identity = yield* Identity
    const clock = yield* Clock.Clock
    const scope = yield* Effect.scope
    // Where the clock on the wall is set back, keys would stay young by it.
    const now = () => clock.monotonicTimeNanosUnsafe()
    let lastRead = now()
    let got = { asOf: Number.NaN, at: lastRead }

    const known = Effect.suspend(() => {
      const [at, before, millis] = [now(), lastRead, clock.currentTimeMillisUnsafe()]
      lastRead = at
      // What the caller says of caches is of what he asks for, not of by what he is known.
      const kept = Effect.provideService(identity.keys({}), Cache.Demand, "any")
      return Effect.map(kept, ({ asOf = millis, quality, value }) => {
        // Only a read makes the cache ask: what is new was asked for by this one, or beside the one before.
        if (asOf !== got.asOf) got = { asOf, at: quality === "fresh" && asOf >= millis ? at : before }
        return { ...value, at: got.at }
      })
    })

    let askAgainAt = now()
    let answer = Deferred.makeUnsafe<Got, Unavailable.Unavailable>()
    // All who wait for it share one. It belongs to none of them: it does not end with the time of the
    // first, and who goes away at once does not get around the limit.
    const refreshed = Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        if (now() < askAgainAt) return restore(Deferred.await(answer))
        const done = Deferred.makeUnsafe<Got, Unavailable.Unavailable>()
        answer = done
        const at = now()
        // Nobody begins another until it ends, and the policies end it.
        askAgainAt = at + ageMax
        return identity.keys({}).pipe(
          Effect.map(({ value }): Got => ({ ...value, at })),
          Effect.provideService(Cache.Demand, "live"),
          Effect.provideService(Deadline.Deadline, Infinity),
          Effect.onExit((exit) =>
            Effect.sync(() => {
              askAgainAt = now() + nanos(Exit.isSuccess(exit) ? refreshEvery : retryEvery)
              Deferred.doneUnsafe(done, exit)
            })
          ),
          Effect.forkIn(scope),
          Effect.andThen(restore(Deferred.await(done)))
        )
      })
    )

    return {
      forToken: (kid) =>
        Effect.flatMap(known, (seen) =>
          has(seen, kid) && now() - seen.at < ageMax
            ? Effect.succeed(seen)
            : // What was asked for last knows better: a key that identity has withdrawn since does not come back.
              Effect.map(refreshed, (later) => (later.at < seen.at ? seen : later))
        )
    }
  })
)
