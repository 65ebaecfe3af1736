/**
 * Effect's rate limiter (`effect/persistence`, unstable in 4.1) behind the few words
 * that our policy needs of it: the one place that an upgrade touches.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as EffectLimiter from "effect/persistence/RateLimiter"
import type * as Scope from "effect/Scope"
import { connect } from "./sharedStore.ts"

/** The layer of a store: Effect's in memory or on Redis, with its connection. */
export type LimiterStore = Layer.Layer<EffectLimiter.RateLimiterStore, unknown>

/** The knobs, as they are now. */
export interface SharedLimitValues {
  readonly algorithm: string
  readonly permits: number
  readonly windowMillis: number
  readonly storeLimitMillis: number
}

/** What the store says to one call. */
export type Said =
  | { readonly _tag: "Go" }
  | { readonly _tag: "Exceeded"; readonly retryAfterMillis: number }
  | { readonly _tag: "Away" }

/** The limiter of one policy. */
export interface SharedLimiter {
  readonly ask: (key: string) => Effect.Effect<Said>
  readonly isAway: () => boolean
}

const go: Said = { _tag: "Go" }
const nobody: Said = { _tag: "Away" }

const isExceeded = (
  error: unknown
): error is EffectLimiter.RateLimiterError & {
  readonly reason: EffectLimiter.RateLimitExceeded
} => error instanceof EffectLimiter.RateLimiterError && error.reason._tag === "RateLimitExceeded"

/** Makes the limiter over a store. */
export const makeSharedLimiter = (
  store: LimiterStore,
  values: SharedLimitValues
): Effect.Effect<SharedLimiter, never, Scope.Scope> =>
  Effect.map(connect(EffectLimiter.RateLimiterStore, store, isExceeded), (shared) => ({
    isAway: shared.isAway,
    ask: (key) =>
      shared
        .ask(
          (of) =>
            Effect.flatMap(Effect.provideService(EffectLimiter.make, EffectLimiter.RateLimiterStore, of), (limiter) =>
              limiter.consume({
                key,
                limit: values.permits,
                window: Duration.millis(values.windowMillis),
                algorithm: values.algorithm === "fixed-window" ? "fixed-window" : "token-bucket",
                // A turn that is taken ahead could not be given back by who does not wait for it.
                onExceeded: "fail"
              })
            ),
          values.storeLimitMillis
        )
        .pipe(
          Effect.match({
            onSuccess: () => go,
            onFailure: (error): Said =>
              isExceeded(error)
                ? {
                    _tag: "Exceeded",
                    retryAfterMillis: Math.max(1, Math.ceil(Duration.toMillis(error.reason.retryAfter)))
                  }
                : nobody
          })
        )
  }))
