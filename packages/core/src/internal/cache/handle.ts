/** The caches of a built client, for those who invalidate and update by hand or after a write. */
import * as Effect from "effect/Effect"
import type { Said } from "../../cache/said.ts"
import type * as Fallback from "../../Fallback.ts"
import type { CacheRow } from "./entry.ts"
import type { LivingCache } from "./living.ts"

/** A method with its cache. */
export interface Cached {
  readonly cache: LivingCache
  readonly row: CacheRow
  /** The request that a caller would make, with his key. */
  readonly request: (payload: unknown) => Effect.Effect<Fallback.Request>
}

/** What a write says of a method's cache, once the types have been checked. */
export type AnyWrite = Readonly<Record<string, unknown>>

export class Caches {
  private readonly byMethod = new Map<string, Cached>()

  add(method: string, cached: Cached): void {
    this.byMethod.set(method, cached)
  }

  invalidate(method: string, payload: unknown): Effect.Effect<void> {
    const cached = this.byMethod.get(method)
    if (cached === undefined) return Effect.void
    return Effect.flatMap(cached.request(payload), (request) => {
      cached.cache.invalidate(request)
      return cached.cache.flush
    })
  }

  invalidateTags(tags: ReadonlyArray<string>): Effect.Effect<void> {
    return this.all((cache) => cache.invalidateTags(tags))
  }

  get clear(): Effect.Effect<void> {
    return this.all((cache) => cache.invalidateAll())
  }

  /** Does what a confirmed write says that began at this time; the durable level follows by itself. `said` is of the answer to the write. */
  write(writes: ReadonlyArray<AnyWrite>, startedAt: number, said: Said | undefined): Effect.Effect<void> {
    return Effect.forEach(writes, (of) => this.one(of, startedAt, said), { discard: true })
  }

  private one(of: AnyWrite, startedAt: number, said: Said | undefined): Effect.Effect<void> {
    if (Array.isArray(of["tags"])) {
      const tags: ReadonlyArray<string> = of["tags"]
      return Effect.sync(() => {
        for (const { cache } of this.byMethod.values()) cache.invalidateTags(tags)
      })
    }
    const cached = this.byMethod.get(String(of["invalidate"] ?? of["update"]))
    if (cached === undefined) return Effect.void
    const { cache, request, row } = cached
    return Effect.flatMap(request(of["payload"]), (asked) =>
      Effect.sync(() => {
        if ("update" in of) cache.update(row, asked, of["answer"], startedAt, asked.now, said)
        else cache.invalidate(asked)
      })
    )
  }

  private all(forget: (cache: LivingCache) => void): Effect.Effect<void> {
    return Effect.suspend(() => {
      const caches = new Set([...this.byMethod.values()].map(({ cache }) => cache))
      for (const cache of caches) forget(cache)
      return Effect.forEach(caches, (cache) => cache.flush, { discard: true })
    })
  }
}

const handles = Symbol.for("@failsoft/core/caches")

const none = new Caches()

/** Gives a client its caches. */
export const attach = (client: object, caches: Caches): void => {
  Object.defineProperty(client, handles, { value: caches })
}

/** The caches of a client; none for an object that no ring made. */
export const cachesOf = (client: object): Caches => {
  const own: unknown = Reflect.get(client, handles)
  return own instanceof Caches ? own : none
}
