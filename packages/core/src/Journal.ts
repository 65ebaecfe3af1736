/**
 * What degraded while one request was served.
 *
 * **Details**
 *
 * The edge gives each request a journal of its own; every ring below writes each
 * degraded answer into it, so nothing degrades in silence even where a handler
 * ignores the quality. The edge turns it into the `Degradation` header and
 * `meta.degraded`.
 *
 * **Gotchas**
 *
 * It holds at most {@link entriesMax} entries and counts the rest in `dropped`.
 * Without a journal in the context, writing does nothing.
 *
 * **Example** (a journal around some work)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Journal } from "@failsoft/core"
 *
 * const program = Effect.gen(function*() {
 *   const journal = yield* Journal.make
 *   yield* Journal.record({ downstream: "stock", method: "get", quality: "stale", reason: "timeout", ageMillis: 900 })
 *     .pipe(Effect.provideService(Journal.Journal, journal))
 *   return journal.entries()
 * })
 * console.log(Effect.runSync(program))
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { DegradedQuality } from "./Answer.ts"

/**
 * One degraded answer: whose, how good, why, and how old in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly downstream: string
  readonly method: string
  readonly quality: DegradedQuality
  readonly reason: string
  readonly ageMillis?: number
}

/**
 * What a cache did for one call: whose, how, how old its answer is and what is left
 * of its fresh lifetime (below zero where it is stale), in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface CacheUse {
  readonly downstream: string
  readonly method: string
  /** Answered from the cache, stale because the downstream had no answer, or forwarded to it. */
  readonly status: "hit" | "stale-if-error" | "miss" | "collapsed" | "bypass"
  readonly ageMillis?: number
  readonly ttlMillis?: number
  readonly reason?: string
}

/**
 * The journal of one request.
 *
 * @category models
 * @since 0.1.0
 */
export interface RequestJournal {
  readonly entries: () => ReadonlyArray<Entry>
  readonly dropped: () => number
  readonly add: (entry: Entry) => void
  /** What caches did, in the order of the calls. */
  readonly cacheUses: () => ReadonlyArray<CacheUse>
  readonly addCacheUse: (use: CacheUse) => void
}

/**
 * The most entries that a journal keeps.
 *
 * @category limits
 * @since 0.1.0
 */
export const entriesMax = 100

/**
 * The journal of the current request, if there is one.
 *
 * @category references
 * @since 0.1.0
 */
export const Journal: Context.Reference<RequestJournal | undefined> = Context.Reference<RequestJournal | undefined>(
  "@failsoft/core/Journal",
  { defaultValue: () => undefined }
)

/**
 * Makes an empty journal.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<RequestJournal> = Effect.sync(() => makeUnsafe())

/**
 * The same in a synchronous block.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = (): RequestJournal => {
  const entries: Array<Entry> = []
  let uses: Array<CacheUse> | undefined
  let dropped = 0
  return {
    entries: () => entries.slice(),
    dropped: () => dropped,
    add: (entry) => {
      if (entries.length < entriesMax) entries.push(entry)
      else dropped++
    },
    cacheUses: () => uses ?? [],
    addCacheUse: (use) => {
      uses ??= []
      if (uses.length < entriesMax) uses.push(use)
    }
  }
}

/**
 * Writes an entry into the current request's journal.
 *
 * @category combinators
 * @since 0.1.0
 */
export const record = (entry: Entry): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    fiber.getRef(Journal)?.add(entry)
    return Effect.void
  })
