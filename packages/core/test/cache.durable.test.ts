/** The durable level: what a restarted process takes up again, and what a bad store costs. */
import { assert, describe, it } from "@effect/vitest"
import { Cache } from "@failsoft/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import { TestClock } from "effect/testing"
import { type Answered, ringOf } from "./cacheKit.ts"

const durable = () =>
  Cache.make({
    fresh: "10 seconds",
    staleIfError: "1 minute",
    negative: "30 seconds",
    jitter: 0,
    entriesMax: 100,
    durable: true,
    tags: ({ id }: { readonly id: string }, _answer: Answered) => [`id:${id}`]
  })

/** A store that outlives the rings, and what is in it. */
const outliving = Effect.gen(function* () {
  const store = Context.get(yield* Layer.build(KeyValueStore.layerMemory), KeyValueStore.KeyValueStore)
  return { store, context: Context.make(Cache.Store, store) }
})

/** A process: its ring lives as long as this runs. */
const process = <A, E>(
  context: Context.Context<never>,
  use: (ring: Effect.Success<ReturnType<typeof ringOf>>) => Effect.Effect<A, E>,
  cache = durable()
) => Effect.scoped(Effect.flatMap(ringOf(cache, { context }), use))

describe("after a restart", () => {
  it.effect("in the middle of an outage there are still answers, with their own age", () =>
    Effect.gen(function* () {
      const { context, store } = yield* outliving
      yield* process(context, ({ control, read }) =>
        Effect.gen(function* () {
          yield* read("a")
          yield* TestClock.adjust("5 seconds")
          yield* read("b")
          control.does = "is gone"
          assert.strictEqual(yield* read("c"), "gone")
        })
      )
      assert.strictEqual(yield* store.size, 3)
      yield* TestClock.adjust("7 seconds")
      yield* process(context, ({ control, read, state }) =>
        Effect.gen(function* () {
          control.does = "fails"
          assert.strictEqual(yield* read("a"), "stale v1 @0")
          assert.strictEqual(yield* read("b"), "fresh v1 @5000")
          assert.strictEqual(yield* read("c"), "gone")
          assert.strictEqual(yield* read("d"), "TRANSIENT_FAILURE")
          assert.deepInclude(state(), { store: "well", entries: 3 })
          yield* TestClock.adjust("2 minutes")
          assert.strictEqual(yield* read("a"), "TRANSIENT_FAILURE")
        })
      )
    })
  )

  it.effect("what was invalidated, evicted or is over does not come back", () =>
    Effect.gen(function* () {
      const { context, store } = yield* outliving
      yield* process(context, ({ read, things, turn }) =>
        Effect.gen(function* () {
          for (const id of ["a", "b", "c", "d"]) yield* read(id)
          yield* Cache.invalidate(things, "read", { id: "a" })
          yield* Cache.invalidateTags(things, ["id:b"])
          assert.strictEqual(yield* store.size, 2)
          yield* turn("entriesMax", 1)
        })
      )
      assert.strictEqual(yield* store.size, 1)
      yield* TestClock.adjust("70 seconds")
      yield* process(context, ({ state }) => Effect.sync(() => assert.deepInclude(state(), { entries: 0 })))
      assert.strictEqual(yield* store.size, 0)
    })
  )

  it.effect("what cannot be read is dropped and told, and the others stay", () =>
    Effect.gen(function* () {
      const { context, store } = yield* outliving
      yield* process(context, ({ read }) => Effect.forEach(["a", "b", "c", "d", "e"], read))
      const keys = [...(yield* store.keys)].sort()
      const poison: ReadonlyArray<(text: string) => string> = [
        (text) => text.slice(0, 40),
        (text) => text.replace('"version\\":1', '"version\\":\\"one\\"'),
        (text) => text.replace('"v":1', '"v":3'),
        (text) => text.replace(/\{\\"id\\":\\"\w/, '{\\"id\\":\\"z')
      ]
      for (const [nth, poisoned] of poison.entries()) {
        const before = (yield* store.get(keys[nth] ?? "")) ?? ""
        assert.notStrictEqual(poisoned(before), before)
        yield* store.set(keys[nth] ?? "", poisoned(before))
      }
      yield* process(context, ({ signals, state }) =>
        Effect.gen(function* () {
          const dropped = signals.filter((of) => of._tag === "CacheDropped")
          assert.deepEqual(
            dropped.map((of) => of._tag === "CacheDropped" && of.why),
            ["undecodable", "undecodable", "undecodable", "undecodable"]
          )
          assert.deepInclude(state(), { entries: 1 })
          yield* Effect.yieldNow
        })
      )
      assert.strictEqual(yield* store.size, 1)
    })
  )

  it.effect("a tag that is invalidated while the store is read keeps its entries out", () =>
    Effect.gen(function* () {
      const { context, store } = yield* outliving
      yield* process(context, ({ read }) => read("a"))
      const slow: KeyValueStore.KeyValueStore = { ...store, get: (key) => Effect.delay(store.get(key), "500 millis") }
      const hub = yield* Layer.build(Cache.layerEvents)
      const Changed = Cache.event<string>("changed")
      const cache = Cache.make({
        fresh: "1 hour",
        entriesMax: 10,
        durable: true,
        on: [Cache.on(Changed, (id) => ({ tags: [`id:${id}`] }))]
      })
      const starting = yield* Effect.forkChild(
        process(
          Context.merge(hub, Context.make(Cache.Store, slow)),
          ({ state }) => Effect.succeed(state()["entries"]),
          cache
        )
      )
      yield* TestClock.adjust(200)
      yield* Effect.provideContext(Cache.publish(Changed("a")), hub)
      yield* TestClock.adjust("2 seconds")
      const exit = starting.pollUnsafe()
      assert.strictEqual(exit?._tag === "Success" ? exit.value : undefined, 0)
    })
  )
})

describe("a bad store", () => {
  const failing = (
    store: KeyValueStore.KeyValueStore,
    does: Effect.Effect<never, KeyValueStore.KeyValueStoreError>
  ) => ({
    ...store,
    get: () => does,
    set: () => does,
    remove: () => does,
    keys: does
  })
  const error = new KeyValueStore.KeyValueStoreError({ method: "any", message: "the disk is full" })

  it.effect("that fails or hangs costs no call anything, and is tried again", () =>
    Effect.gen(function* () {
      const { store } = yield* outliving
      for (const does of [Effect.fail(error), Effect.never]) {
        const control = { bad: true }
        const bad = failing(store, does)
        const switching: KeyValueStore.KeyValueStore = {
          ...store,
          set: (key, value) => Effect.suspend(() => (control.bad ? bad.set() : store.set(key, value)))
        }
        yield* process(Context.make(Cache.Store, switching), ({ read, state }) =>
          Effect.gen(function* () {
            assert.include(yield* read("a"), "fresh v1")
            assert.include(yield* read("a"), "fresh v1")
            yield* TestClock.adjust("1 second")
            assert.deepInclude(state(), { store: "failing", hits: 1 })
            control.bad = false
            yield* TestClock.adjust("2 seconds")
            assert.deepInclude(state(), { store: "well" })
          })
        )
        assert.strictEqual(yield* store.size, 1)
        yield* store.clear
      }
    })
  )

  it.effect("that cannot be read at the start does not keep the service from starting", () =>
    Effect.gen(function* () {
      const { store } = yield* outliving
      const starting = yield* Effect.forkChild(
        process(Context.make(Cache.Store, failing(store, Effect.never)), ({ read }) => read("a"))
      )
      yield* TestClock.adjust("10 seconds")
      const exit = starting.pollUnsafe()
      assert.include(exit?._tag === "Success" ? exit.value : "", "fresh v1")
    })
  )

  it.effect("that is not there is told, and a cache without one is kept in memory", () =>
    process(Context.empty(), ({ read, state }) =>
      Effect.gen(function* () {
        yield* read("a")
        assert.deepInclude(state(), { store: "none", entries: 1 })
      })
    )
  )
})
