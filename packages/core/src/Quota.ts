/**
 * What a provider says about how much it still allows, told from a transport to the
 * rate limit above it.
 *
 * **Details**
 *
 * A transport calls {@link tell} during an attempt, or a leaf's function the listener {@link Heard} of its context; `Policy.rateLimit` hears it for
 * the key of that attempt. With nothing remaining it sends nothing until the reset;
 * with less than its own options allow, it sends no more than that. It never sends
 * more than its options allow. `HttpTransport` reads `RateLimit`, `RateLimit-Policy`
 * and, with a 429, `Retry-After`.
 *
 * **Gotchas**
 *
 * Told outside of an attempt under a rate limit, it goes nowhere.
 *
 * **Example** (a transport of your own)
 *
 * ```ts
 * import { Quota } from "@failsoft/core"
 * import { Effect } from "effect"
 *
 * const charge = Effect.gen(function*() {
 *   yield* Quota.tell({ remaining: 0, resetMillis: 30_000 })
 *   return "receipt"
 * })
 * Effect.runPromise(charge).then(console.log)
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * How many more calls a provider allows, and in how many milliseconds it allows anew;
 * without that, the window of the policy is taken.
 *
 * @category models
 * @since 0.1.0
 */
export interface Quota {
  readonly remaining: number
  readonly resetMillis?: number | undefined
}

/**
 * Who hears of it, at a time in milliseconds since the epoch.
 *
 * @category models
 * @since 0.1.0
 */
export type Listener = (quota: Quota, now: number) => void

/**
 * The listener of the current attempt, where there is one.
 *
 * @category references
 * @since 0.1.0
 */
export const Heard: Context.Reference<Listener | undefined> = Context.Reference<Listener | undefined>(
  "@failsoft/core/Quota/Heard",
  { defaultValue: () => undefined }
)

/**
 * Tells the rate limit above the current attempt, if there is one.
 *
 * @category combinators
 * @since 0.1.0
 */
export const tell = (quota: Quota): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    fiber.getRef(Heard)?.(quota, fiber.getRef(Clock.Clock).currentTimeMillisUnsafe())
    return Effect.void
  })
