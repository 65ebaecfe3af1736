/**
 * What recent calls say about a downstream.
 *
 * **Details**
 *
 * A ring notes, per method, when it last got an answer of the downstream and when
 * it last got none. A method is failing while its last call got none, for at most
 * {@link memoryMillis}: without traffic nobody knows, and a health page that stays
 * red for ever hides the next outage.
 *
 * **Gotchas**
 *
 * It is observed, never probed: a downstream that nobody calls is `unknown`.
 *
 * **Example** (its three words)
 *
 * ```ts
 * import { Health } from "@failsoft/core"
 *
 * console.log(Health.judge({ lastGoodAt: 10, lastBadAt: 20 }, 30))
 * ```
 *
 * @since 0.1.0
 */

/**
 * When a method last worked and last did not: milliseconds since the epoch, with
 * the reason of the latter.
 *
 * @category models
 * @since 0.1.0
 */
export interface Observed {
  readonly lastGoodAt?: number
  readonly lastBadAt?: number
  readonly lastReason?: string
  /** The first failure since the last good answer. */
  readonly failingSince?: number
}

/**
 * How a downstream does, as far as its callers know.
 *
 * @category models
 * @since 0.1.0
 */
export type Condition = "working" | "failing" | "unknown"

/**
 * How long, in milliseconds, a failure is remembered without further traffic.
 *
 * @category limits
 * @since 0.1.0
 */
export const memoryMillis = 60_000

/**
 * Judges what was observed at the given time.
 *
 * @category combinators
 * @since 0.1.0
 */
export const judge = (observed: Observed, now: number): Condition => {
  const good = observed.lastGoodAt ?? -Infinity
  const bad = observed.lastBadAt ?? -Infinity
  if (bad > good) return now - bad <= memoryMillis ? "failing" : "unknown"
  return good === -Infinity ? "unknown" : "working"
}
