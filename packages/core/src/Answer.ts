/**
 * An answer that says how good it is.
 *
 * **Details**
 *
 * The qualities, best first: `fresh`, `stale`, `partial`, `optimistic`,
 * `deferred`, `substituted`, `omitted`. Combining answers takes the worst, a
 * semilattice: order and repetition do not matter. `asOf` is the time, in
 * milliseconds since the epoch, at which the value was true; `reason` says why
 * it is not fresh.
 *
 * **Gotchas**
 *
 * A page that shows a degraded value without saying so hides an outage; the HTTP
 * edge says it for you, by the Journal.
 *
 * **Example** (combining)
 *
 * ```ts
 * import { Answer } from "@failsoft/core"
 *
 * const price = Answer.fresh(10)
 * const stock = Answer.degraded(3, { quality: "stale", asOf: 0, reason: "CIRCUIT_OPEN" })
 * console.log(Answer.worst([price.quality, stock.quality]))
 * ```
 *
 * @since 0.1.0
 */

/**
 * The qualities from best to worst.
 *
 * @category models
 * @since 0.1.0
 */
export const qualities = ["fresh", "stale", "partial", "optimistic", "deferred", "substituted", "omitted"] as const

/**
 * How good an answer is.
 *
 * @category models
 * @since 0.1.0
 */
export type Quality = (typeof qualities)[number]

/**
 * A quality that is less than fresh.
 *
 * @category models
 * @since 0.1.0
 */
export type DegradedQuality = Exclude<Quality, "fresh">

/**
 * A value with its quality, the time at which it was true (milliseconds since the
 * epoch), and why it is not fresh.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answer<out A> {
  readonly value: A
  readonly quality: Quality
  readonly asOf?: number
  readonly reason?: string
  /** Until when what it assumes may be relied on, in milliseconds since the epoch; optimistic answers have it. */
  readonly until?: number
}

/**
 * A fresh answer.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fresh = <A>(value: A): Answer<A> => ({ value, quality: "fresh" })

/**
 * An answer of a lesser quality.
 *
 * @category constructors
 * @since 0.1.0
 */
export const degraded = <A>(
  value: A,
  how: { readonly quality: DegradedQuality; readonly asOf?: number; readonly reason: string; readonly until?: number }
): Answer<A> => ({ value, ...how })

/**
 * Applies a function to the value and keeps the quality.
 *
 * @category combinators
 * @since 0.1.0
 */
export const map = <A, B>(self: Answer<A>, f: (value: A) => B): Answer<B> => ({ ...self, value: f(self.value) })

/**
 * The worst of some qualities; `fresh` for none.
 *
 * @category combinators
 * @since 0.1.0
 */
export const worst = (of: Iterable<Quality>): Quality => {
  let rank = 0
  for (const quality of of) rank = Math.max(rank, qualities.indexOf(quality))
  return qualities[rank] ?? "fresh"
}

/**
 * Combines two answers: the worst quality with its reason, the older time, the
 * earlier end of what is assumed.
 *
 * @category combinators
 * @since 0.1.0
 */
export const zipWith = <A, B, C>(a: Answer<A>, b: Answer<B>, f: (a: A, b: B) => C): Answer<C> => {
  const lead = qualities.indexOf(b.quality) > qualities.indexOf(a.quality) ? b : a
  const asOf = Math.min(a.asOf ?? Infinity, b.asOf ?? Infinity)
  const until = Math.min(a.until ?? Infinity, b.until ?? Infinity)
  return {
    value: f(a.value, b.value),
    quality: lead.quality,
    ...(asOf === Infinity ? {} : { asOf }),
    ...(until === Infinity ? {} : { until }),
    ...(lead.reason === undefined ? {} : { reason: lead.reason })
  }
}
