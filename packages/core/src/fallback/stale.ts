/** The last good answer, labelled with its age. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Answer from "../Answer.ts"
import * as Fallback from "../Fallback.ts"
import { toMillis } from "../internal/duration.ts"
import { durationProblems, integerProblems } from "../internal/problems.ts"

/**
 * The last good answer to the same payload, if it is not older than `maxAge`:
 * quality `stale`, `asOf` the time at which it was fresh. Keeps `entriesMax`
 * answers and drops the longest unused.
 *
 * @category fallbacks
 * @since 0.1.0
 */
export const stale = (options: {
  readonly maxAge: Duration.Input
  readonly entriesMax: number
}): Fallback.Fallback<never, unknown, "partial"> => {
  const maxAgeMillis = toMillis(options.maxAge)
  return Fallback.fromInstance<never, unknown, "partial">({
    kind: "stale",
    quality: "stale",
    knobs: { maxAgeMillis, entriesMax: options.entriesMax },
    problems: [
      ...durationProblems("maxAge", options.maxAge),
      ...integerProblems("entriesMax", options.entriesMax, 1, 1_000_000)
    ],
    make: Effect.sync(() => {
      // A Map keeps the order of insertion: its first key is the longest unused.
      const entries = new Map<string, { readonly value: unknown; readonly asOf: number }>()
      const put = (key: string, entry: { readonly value: unknown; readonly asOf: number }) => {
        entries.delete(key)
        entries.set(key, entry)
        if (entries.size <= options.entriesMax) return
        const [oldest] = entries.keys()
        if (oldest !== undefined) entries.delete(oldest)
      }
      return {
        observe: (request, value) => put(request.key(), { value, asOf: request.now }),
        answer: (request, failure) =>
          Effect.sync(() => {
            const key = request.key()
            const entry = entries.get(key)
            if (entry === undefined) return Option.none()
            if (request.now - entry.asOf > maxAgeMillis) {
              entries.delete(key)
              return Option.none()
            }
            put(key, entry)
            return Option.some(
              Answer.degraded(entry.value, { quality: "stale", asOf: entry.asOf, reason: failure.reason })
            )
          })
      }
    })
  })
}
