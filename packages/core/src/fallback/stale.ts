/** The last good answer, labelled with its age. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Answer from "../Answer.ts"
import * as Fallback from "../Fallback.ts"
import { withCameAt } from "../internal/cameAt.ts"
import * as Knob from "../Knob.ts"

/** A fresh answer, when its call began, and when it came. */
interface Kept {
  readonly value: unknown
  readonly asOf: number
  readonly cameAt: number
}

/** Whether it began later; a time in the future is of a clock that was set back, and says nothing. */
const isNewer = (known: Kept, than: Kept): boolean => known.asOf > than.asOf && known.asOf <= than.cameAt

/**
 * The last good answer to the same payload (and the same owner, as the contract's `scope` says), if it is not older than `maxAge`:
 * quality `stale`, `asOf` the time at which its call began: it was true then or later. Of
 * two answers it remembers the one whose call began later, whichever came first. Keeps
 * `entriesMax` answers and drops the longest unused; fewer take effect at once.
 *
 * @category fallbacks
 * @since 0.1.0
 */
export const stale = (options: {
  readonly maxAge: Duration.Input
  readonly entriesMax: number
}): Fallback.Fallback<never, unknown, "partial" | "keeps"> => {
  const knobs = {
    maxAgeMillis: Knob.millis(options.maxAge),
    entriesMax: Knob.count(options.entriesMax, { most: 1_000_000 })
  }
  return Fallback.fromInstance<never, unknown, "partial" | "keeps", typeof knobs>({
    kind: "stale",
    quality: "stale",
    marks: ["partial", "keeps"],
    knobs,
    immediate: true,
    make: (values) =>
      Effect.sync(() => {
        // A Map keeps the order of insertion: its first key is the longest unused.
        const entries = new Map<string, Kept>()
        const trim = () => {
          for (const oldest of entries.keys()) {
            if (entries.size <= values.entriesMax) return
            entries.delete(oldest)
          }
        }
        const put = (key: string, entry: Kept) => {
          entries.delete(key)
          entries.set(key, entry)
          trim()
        }
        const take = (key: string, now: number): Kept | undefined => {
          const entry = entries.get(key)
          if (entry === undefined) return undefined
          if (now - entry.asOf > values.maxAgeMillis) {
            entries.delete(key)
            return undefined
          }
          put(key, entry)
          return entry
        }
        return {
          observe: (request, value) => {
            const key = request.key()
            if (key === undefined) return
            const known = entries.get(key)
            const came = { value, asOf: request.startedAt, cameAt: request.now }
            put(key, known !== undefined && isNewer(known, came) ? known : came)
          },
          answer: (request, failure) =>
            Effect.sync(() => {
              const key = request.key()
              const entry = key === undefined ? undefined : take(key, request.now)
              return entry === undefined
                ? Option.none()
                : Option.some(
                    withCameAt(
                      Answer.degraded(entry.value, { quality: "stale", asOf: entry.asOf, reason: failure.reason }),
                      entry.cameAt
                    )
                  )
            }),
          changed: trim
        }
      })
  })
}
