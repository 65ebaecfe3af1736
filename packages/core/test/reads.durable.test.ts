/** An answer that a session was shown, by a process that has been started again since. */
import { assert, describe, it } from "@effect/vitest"
import { Cache, ReadMarks } from "@failsoft/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import { TestClock } from "effect/testing"
import { type Gone, nothing, regionOf } from "./readsKit.ts"

const durable = () =>
  Cache.make<number, { readonly id: string }, Gone>({
    fresh: "1 minute",
    staleIfError: "1 hour",
    jitter: 0,
    entriesMax: 10,
    durable: true
  })

const store = Effect.map(Layer.build(KeyValueStore.layerMemory), Context.get(KeyValueStore.KeyValueStore))

/** The process shows it after 60 ms, and ends; what its client carries, and the texts in the store. */
const shown = Effect.fnUntraced(function* (kept: KeyValueStore.KeyValueStore) {
  const carried = ReadMarks.carried([], 10)
  yield* Effect.scoped(
    Effect.gen(function* () {
      const here = yield* regionOf({ cache: durable(), fallback: nothing }, undefined)
      here.region.takes = 60
      const asked = yield* Effect.forkChild(here.ask({ principal: "alice" }))
      yield* TestClock.adjust(60)
      assert.strictEqual(yield* Fiber.join(asked), "fresh v1 @0")
    }).pipe(Effect.provideService(ReadMarks.Carried, carried), Effect.provideService(Cache.Store, kept))
  )
  return carried.entries()
})

/** What the next process has for it while the downstream is gone. */
const again = (kept: KeyValueStore.KeyValueStore, carried: ReadMarks.CarriedMarks) =>
  Effect.gen(function* () {
    const here = yield* regionOf({ cache: durable(), fallback: nothing }, undefined)
    here.region.does = "fails"
    return yield* here.ask({ principal: "alice" })
  }).pipe(Effect.scoped, Effect.provideService(ReadMarks.Carried, carried), Effect.provideService(Cache.Store, kept))

describe("after a restart", () => {
  it.effect("an answer is known again by its two times, and shown again", () =>
    Effect.gen(function* () {
      const kept = yield* store
      const entries = yield* shown(kept)
      assert.deepStrictEqual(
        entries.map(([, mark]) => mark),
        [{ begunAt: 0, cameAt: 60 }]
      )
      yield* TestClock.adjust(40)
      assert.strictEqual(yield* again(kept, ReadMarks.carried(entries, 10)), "fresh v1 @0")
    })
  )

  it.effect("one that was kept before there were two times counts as come when it was read back", () =>
    Effect.gen(function* () {
      const kept = yield* store
      const entries = yield* shown(kept)
      const keys = yield* kept.keys
      assert.lengthOf(keys, 1)
      for (const key of keys) {
        const text = (yield* kept.get(key)) ?? ""
        assert.include(text, '"cameAt":60,')
        yield* kept.set(key, text.replace('"cameAt":60,', ""))
      }
      yield* TestClock.adjust(40)
      const first = ReadMarks.carried([], 10)
      assert.strictEqual(yield* again(kept, first), "fresh v1 @0")
      assert.deepStrictEqual(
        first.entries().map(([, mark]) => mark),
        [{ begunAt: 0, cameAt: 100 }]
      )
      // Nobody knows it again: it is no answer for who was shown something since its load began.
      assert.strictEqual(yield* again(kept, ReadMarks.carried(entries, 10)), "TRANSIENT_FAILURE")
    })
  )
})
