/**
 * What a downstream says of keeping its answer, told from a transport to the cache
 * above it: who may be given it again and for how long, and how old it is already.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * What a downstream says of the answer to one attempt. Its limits only shorten what the
 * cache allows; what it does not say is left to the cache.
 *
 * @category models
 * @since 0.1.0
 */
export interface Said {
  /**
   * Who may be given it again: `anybody` who asks the same, its `owner` only (then it is
   * kept where the contract's scope is `principal`), or `nobody`: then it is not kept, and
   * nobody else gets it who waited for it.
   */
  readonly keepFor: "anybody" | "owner" | "nobody"
  /** The longest that it counts as fresh. */
  readonly freshMaxMillis?: number | undefined
  /** The longest after that for which it is given while it is refreshed. */
  readonly staleWhileRevalidateMaxMillis?: number | undefined
  /** The longest after its freshness for which it is given where the downstream has no answer. */
  readonly staleIfErrorMaxMillis?: number | undefined
  /** How old it was on its arrival: it comes from a cache below. */
  readonly ageMillis?: number | undefined
}

/**
 * Who hears of it.
 *
 * @category models
 * @since 0.1.0
 */
export type Listener = (said: Said) => void

/**
 * The listener of the current attempt; nothing where no cache is above it.
 *
 * @category references
 * @since 0.1.0
 */
export const Heard: Context.Reference<Listener | undefined> = Context.Reference<Listener | undefined>(
  "@failsoft/core/Cache/Heard",
  { defaultValue: () => undefined }
)

/**
 * Tells the cache above the current attempt, if there is one. It counts where the
 * attempt ends with an answer or a final word; of what is told twice the strictest holds.
 *
 * @category combinators
 * @since 0.1.0
 */
export const tell = (said: Said): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    fiber.getRef(Heard)?.(said)
    return Effect.void
  })
