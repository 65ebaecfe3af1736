/**
 * A cache in a row of a ring: answers that are asked for once and given many times,
 * each of which knows as of when it is true.
 *
 * **Details**
 *
 * The cache stands outside of the policies and inside of the fallback. Within its
 * `fresh` lifetime an answer counts as fresh and has its `asOf`. After that it is
 * stale: for `staleWhileRevalidate` it is given at once while it is refreshed beside
 * the call, for `staleIfError` it is given where the downstream has no answer. Both
 * begin where freshness ends (RFC 5861). Callers of one key share one load, which
 * lives as long as one of them waits. A load that fails leaves the entry as it is; a
 * permanent error replaces it, and is kept itself where `negative` says so. What the
 * downstream says of keeping its answer ({@link Said}) shortens these lifetimes.
 *
 * The same value in two rows is the same state. Every knob is a live setting
 * (`downstream/method/cache.freshMillis`). With `durable`, what is held is also
 * written to the {@link Store}, from where a restarted process takes it up again.
 *
 * **Gotchas**
 *
 * Only `safe` methods can be cached, and a `fail` method only within the fresh
 * lifetime: its callers could not see that an answer is stale. Callers share one
 * object: do not change an answer. The durable level holds payloads and answers as
 * plain text, but for what holds something `Redacted`: that is kept in memory only.
 *
 * **Example** (a product page that outlives an outage of a day)
 *
 * ```ts
 * import { Cache } from "@failsoft/core"
 *
 * const products = Cache.make({
 *   fresh: "1 minute",
 *   staleWhileRevalidate: "5 minutes",
 *   staleIfError: "1 day",
 *   entriesMax: 10_000,
 *   tags: ({ sku }: { readonly sku: string }) => [`sku:${sku}`]
 * })
 * // A row of a ring: show: { policy: Policy.standard(), cache: products }
 * console.log(products.part.kind)
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { KeyValueStore } from "effect/persistence/KeyValueStore"
import { Events, type On } from "./cache/events.ts"
import type { CacheRow, Values } from "./internal/cache/entry.ts"
import { LivingCache } from "./internal/cache/living.ts"
import { Mirror } from "./internal/cache/mirror.ts"
import { type Build, sharedByValue } from "./internal/shared.ts"
import * as Knob from "./Knob.ts"
import type { Facts } from "./Policy.ts"

/**
 * What a cache's type remembers: that it gives `stale` answers.
 *
 * @category models
 * @since 0.1.0
 */
export type Mark = "stale"

/**
 * What a caller is content with: any answer that the cache gives, only one that
 * counts as fresh, only one that is asked for now (which is kept for the others), or
 * only what is known: then nobody is asked, and without an entry that would be given
 * at once the call is refused (`NOT_CACHED`). It binds methods with a cache.
 *
 * @category models
 * @since 0.1.0
 */
export type Demand = "any" | "fresh" | "live" | "cached"

/**
 * What the current caller is content with; `any` by default.
 *
 * @category references
 * @since 0.1.0
 */
export const Demand: Context.Reference<Demand> = Context.Reference<Demand>("@failsoft/core/Cache/Demand", {
  defaultValue: () => "any"
})

/**
 * Where durable caches keep what they hold, if anywhere. A ring takes it when its layer
 * is built.
 *
 * @category references
 * @since 0.1.0
 */
export const Store: Context.Reference<KeyValueStore | undefined> = Context.Reference<KeyValueStore | undefined>(
  "@failsoft/core/Cache/Store",
  { defaultValue: () => undefined }
)

/**
 * The living cache of a built ring, with the values of its knobs as they are now.
 * `assign` turns several at once; it does not check them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Instance {
  readonly values: Facts
  readonly assign: (values: Facts) => void
  readonly state: () => Facts
  /** Takes up a row: brings back what was kept of it. */
  readonly serve: (row: CacheRow) => Effect.Effect<LivingCache>
}

/**
 * A cache as a part of a row: its knobs, what is wrong with values of them, and how to
 * build it. Building the same part twice under one layer build gives the same cache.
 *
 * @category models
 * @since 0.1.0
 */
export interface Part {
  readonly kind: "cache"
  readonly knobs: Knob.Knobs
  readonly problems: (values: Facts) => ReadonlyArray<string>
  readonly build: Effect.Effect<Instance, never, Build>
}

declare const types: unique symbol

/**
 * A cache of answers `A` and final words `P` for payloads of `Payload`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Cache<in A = never, in Payload = never, in P = never, out Marks extends Mark = Mark> {
  readonly part: Part
  readonly [types]?: {
    readonly takes: (answer: A, payload: Payload, permanent: P) => void
    readonly marks: Marks
  }
}

/**
 * What a cache is made from. Lifetimes may be 0: without a `fresh` lifetime each call
 * asks the downstream, and what is kept serves its outages.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<A, Payload, P> {
  /** How long an answer counts as fresh. */
  readonly fresh: Duration.Input
  /** How long after that it is given while it is refreshed. */
  readonly staleWhileRevalidate?: Duration.Input
  /** How long after the fresh lifetime it is given where the downstream has no answer. */
  readonly staleIfError?: Duration.Input
  /** Keeps the downstream's permanent errors, all or some, for so long. Default: none. */
  readonly negative?: Duration.Input | { readonly lifetime: Duration.Input; readonly of: (error: P) => boolean }
  /** The most of its fresh lifetime, as a share, that chance takes from an entry. Default 0.1. */
  readonly jitter?: number
  /** The most entries; the longest unused goes first. */
  readonly entriesMax: number
  /** The most bytes, counted as UTF-8 of keys and answers in JSON. Default 64 MiB. */
  readonly bytesMax?: number
  /** What an answer is about, for those who invalidate it; at most 100 tags. */
  readonly tags?: (payload: Payload, answer: A) => ReadonlyArray<string>
  /** What becomes invalid with which event. */
  readonly on?: ReadonlyArray<On>
  /** Whether it is kept in the {@link Store} too. Default false. */
  readonly durable?: boolean
  /**
   * Whether what the downstream says of keeping an answer binds ({@link Said}): it shortens
   * lifetimes and forbids, and never lengthens. Default true. How old an answer was on its
   * arrival counts in any case.
   */
  readonly obeyDownstream?: boolean
  /** With `dark` it only tells what it would answer. Default `on`. */
  readonly mode?: "on" | "dark" | "off"
}

/** Those that give stale answers say so in their type. */
type MarksOf<O> = O extends { readonly staleWhileRevalidate: unknown } | { readonly staleIfError: unknown }
  ? "stale"
  : never

const longest = (of: Duration.Input | undefined) => (of === undefined ? Knob.fixed(0) : Knob.millis(of, { zero: true }))

const isRule = <P>(
  of: Options<never, never, P>["negative"]
): of is { readonly lifetime: Duration.Input; readonly of: (error: P) => boolean } =>
  typeof of === "object" && of !== null && "lifetime" in of

/**
 * Makes a cache for the rows that it is put into.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <
  A = unknown,
  Payload = unknown,
  P = unknown,
  const O extends Options<A, Payload, P> = Options<A, Payload, P>
>(
  options: O & Options<A, Payload, P>
): Cache<A, Payload, P, MarksOf<O>> => {
  const { negative, tags, durable = false, obeyDownstream = true } = options
  const knobs = {
    mode: Knob.word(options.mode ?? "on", ["on", "dark", "off"]),
    freshMillis: Knob.millis(options.fresh, { zero: true }),
    staleWhileRevalidateMillis: longest(options.staleWhileRevalidate),
    staleIfErrorMillis: longest(options.staleIfError),
    negativeMillis: longest(isRule(negative) ? negative.lifetime : negative),
    jitter: Knob.share(options.jitter ?? 0.1, { zero: true }),
    entriesMax: Knob.count(options.entriesMax, { most: 1_000_000 }),
    bytesMax: Knob.count(options.bytesMax ?? 64 * 1024 * 1024),
    durable: Knob.fixed(durable),
    obeyDownstream: Knob.fixed(obeyDownstream)
  }
  const rules = {
    // The ring gives only payloads, answers and errors of its own method; the types say so to the caller.
    tagsOf: (payload: unknown, value: unknown) => tags?.(payload as Payload, value as A) ?? [],
    isNegative: (error: unknown) => !isRule(negative) || negative.of(error as P),
    obeyDownstream
  }
  const build = Effect.gen(function* () {
    const values: Record<string, Knob.Value> = { ...Knob.initials(knobs) }
    const store = durable ? yield* Store : undefined
    if (durable && store === undefined) {
      yield* Effect.logWarning("a durable cache has no store and is kept in memory only: provide Cache.layerStore")
    }
    const mirror = store === undefined ? undefined : yield* Mirror.make(store)
    const clock = yield* Clock.Clock
    // `values` holds one value for each knob.
    const living = new LivingCache(values as unknown as Values, rules, mirror)
    yield* Effect.addFinalizer(() => Effect.sync(() => living.close()))
    const events = yield* Events
    yield* events.subscribe(({ name, data }) => {
      for (const on of options.on ?? []) {
        if (on.name !== name) continue
        const what = on.invalidates(data)
        if (what === "all") living.invalidateAll()
        else living.invalidateTags(what.tags)
      }
    })
    const instance: Instance = {
      values,
      assign: (next) => {
        Object.assign(values, next)
        living.changed(clock.currentTimeMillisUnsafe())
      },
      state: () => living.state(),
      serve: (row) => Effect.as(Effect.timeoutOption(living.restore(row, clock), restoreMillis), living)
    }
    return instance
  })
  return {
    part: { kind: "cache", knobs, problems: (values) => Knob.problemsOf(knobs, values), build: sharedByValue(build) }
  }
}

/** So long the start waits for what was kept; what is not back by then is not brought back. */
const restoreMillis = 5000
