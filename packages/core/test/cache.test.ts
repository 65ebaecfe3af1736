import { assert, describe, it } from "@effect/vitest"
import {
  Cache,
  Caller,
  Contract,
  Deadline,
  Downstream,
  Explain,
  Fallback,
  Journal,
  Policy,
  Settings,
  Transient
} from "@failsoft/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { type Answered, downstream, ringOf, Things } from "./cacheKit.ts"
import { info } from "./shop.ts"

const day = "1 day"

const typical = () =>
  Cache.make({
    fresh: "10 seconds",
    staleWhileRevalidate: "20 seconds",
    staleIfError: "1 minute",
    jitter: 0,
    entriesMax: 100
  })

describe("lifetimes", () => {
  it.effect("an answer is asked for once while it is fresh, and says as of when it is", () =>
    Effect.gen(function* () {
      const { control, read, told } = yield* ringOf(typical())
      assert.strictEqual(yield* read(), "fresh v1 @0")
      control.version = 2
      yield* TestClock.adjust(9999)
      assert.strictEqual(yield* read(), "fresh v1 @0")
      assert.strictEqual(control.asked, 1)
      assert.deepInclude(told("CacheHit")[0], { ageMillis: 9999, kind: "answer", dark: false })
      assert.lengthOf(told("CacheMiss"), 1)
    })
  )

  it.effect("then it is given at once, as stale, while it is refreshed beside the call", () =>
    Effect.gen(function* () {
      const { control, read, told } = yield* ringOf(typical())
      yield* read()
      control.version = 2
      control.takes = 100
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* read(), "stale v1 @0")
      assert.strictEqual(yield* read(), "stale v1 @0")
      assert.strictEqual(control.asked, 2)
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* read(), "fresh v2 @10000")
      assert.deepInclude(told("CacheStaleHit")[0], { on: "revalidating", reason: "REVALIDATING", ageMillis: 10_000 })
      assert.deepInclude(told("AnswerDegraded")[0], { quality: "stale", reason: "REVALIDATING", step: "cache" })
    })
  )

  it.effect("a failing refresh leaves it, says why, and serves as long as it may and not longer", () =>
    Effect.gen(function* () {
      const { control, read } = yield* ringOf(typical())
      yield* read()
      control.does = "fails"
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* read(), "stale v1 @0")
      yield* TestClock.adjust("59999 millis")
      assert.strictEqual(yield* read(), "stale v1 @0")
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* read(), "TRANSIENT_FAILURE")
      control.does = "answers"
      control.version = 3
      assert.strictEqual(yield* read(), "fresh v3 @70000")
    })
  )

  it.effect("the journal says how old it is and why", () =>
    Effect.gen(function* () {
      const { control, read } = yield* ringOf(typical())
      const journal = yield* Journal.make
      yield* read()
      control.does = "fails"
      yield* TestClock.adjust("30 seconds")
      yield* Effect.provideService(read(), Journal.Journal, journal)
      assert.deepInclude(journal.entries()[0], { quality: "stale", ageMillis: 30_000, reason: "TRANSIENT_FAILURE" })
      assert.deepInclude(journal.cacheUses()[0], { status: "stale-if-error", ageMillis: 30_000, ttlMillis: -20_000 })
    })
  )

  it.effect("chance only ever takes from the fresh lifetime, and spreads it", () =>
    Effect.gen(function* () {
      const { control, read } = yield* ringOf(Cache.make({ fresh: "10 seconds", jitter: 0.5, entriesMax: 1000 }))
      for (let id = 0; id < 200; id++) yield* read(`${id}`)
      yield* TestClock.adjust(5000)
      for (let id = 0; id < 200; id++) yield* read(`${id}`)
      assert.strictEqual(control.asked, 200)
      yield* TestClock.adjust(2500)
      for (let id = 0; id < 200; id++) yield* read(`${id}`)
      assert.isAbove(control.asked, 260)
      assert.isBelow(control.asked, 340)
    }).pipe(Random.withSeed("jitter"))
  )

  it.effect("an answer from the future serves only where there is nothing else", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 hour")
      const { control, read } = yield* ringOf(typical())
      yield* read()
      yield* TestClock.setTime(0)
      control.version = 2
      assert.strictEqual(yield* read(), "fresh v2 @0")
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* read(), "fresh v2 @0")
    })
  )

  it.effect("a knob that is turned holds for what is there already", () =>
    Effect.gen(function* () {
      const { control, read, turn } = yield* ringOf(typical())
      yield* read()
      control.version = 2
      yield* TestClock.adjust("5 seconds")
      yield* turn("freshMillis", 4000)
      assert.strictEqual(yield* read(), "stale v1 @0")
    })
  )
})

describe("permanent errors", () => {
  it.effect("are not kept, and end what was known", () =>
    Effect.gen(function* () {
      const { control, read } = yield* ringOf(typical())
      yield* read()
      yield* TestClock.adjust("40 seconds")
      control.does = "is gone"
      assert.strictEqual(yield* read(), "gone")
      control.does = "fails"
      assert.strictEqual(yield* read(), "TRANSIENT_FAILURE")
      assert.strictEqual(control.asked, 3)
    })
  )

  it.effect("are kept where declared, for their own lifetime", () =>
    Effect.gen(function* () {
      const { control, read, told } = yield* ringOf(
        Cache.make({ fresh: day, negative: "5 seconds", jitter: 0, entriesMax: 10 })
      )
      control.does = "is gone"
      assert.strictEqual(yield* read(), "gone")
      control.does = "answers"
      yield* TestClock.adjust(4999)
      assert.strictEqual(yield* read(), "gone")
      assert.deepInclude(told("CacheHit")[0], { kind: "permanent" })
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* read(), "fresh v1 @5000")
    })
  )

  it.effect("are kept as far as the rule says", () =>
    Effect.gen(function* () {
      const { control, read } = yield* ringOf(
        Cache.make({
          fresh: day,
          negative: { lifetime: "1 minute", of: (error: { readonly id: string }) => error.id === "a" },
          entriesMax: 10
        })
      )
      control.does = "is gone"
      for (const id of ["a", "a", "b", "b"]) yield* read(id)
      assert.strictEqual(control.asked, 3)
    })
  )
})

describe("single flight", () => {
  it.effect("callers of one key share a load, also where it fails; other keys have their own", () =>
    Effect.gen(function* () {
      const { control, read, state } = yield* ringOf(typical())
      control.takes = 100
      for (const [does, answer] of [
        ["fails", "TRANSIENT_FAILURE"],
        ["answers", "fresh v1 @100"]
      ] as const) {
        control.does = does
        control.asked = 0
        const many = yield* Effect.forkChild(
          Effect.all([...Array.from({ length: 50 }, () => read("a")), read("b")], { concurrency: "unbounded" })
        )
        yield* TestClock.adjust(100)
        assert.deepEqual(new Set(yield* Fiber.join(many)), new Set([answer]))
        assert.strictEqual(control.asked, 2)
      }
      assert.deepInclude(state(), { entries: 2, loading: 0, collapsed: 98 })
    })
  )

  it.effect("the load outlives the caller who began it if others wait", () =>
    Effect.gen(function* () {
      const { control, read } = yield* ringOf(typical())
      control.takes = 100
      const first = yield* Effect.forkChild(read())
      yield* TestClock.adjust(50)
      const second = yield* Effect.forkChild(read())
      yield* TestClock.adjust(1)
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust(49)
      assert.strictEqual(yield* Fiber.join(second), "fresh v1 @0")
      assert.deepInclude(control, { asked: 1, interrupted: 0 })
    })
  )

  it.effect("it ends with the last one, and nobody joins what was given up", () =>
    Effect.gen(function* () {
      const { control, read, state } = yield* ringOf(typical())
      control.takes = 100
      const both = [yield* Effect.forkChild(read()), yield* Effect.forkChild(read())]
      yield* TestClock.adjust(50)
      for (const fiber of both) yield* Fiber.interrupt(fiber)
      assert.deepInclude(control, { asked: 1, interrupted: 1 })
      assert.deepInclude(state(), { entries: 0, loading: 0 })
      const again = yield* Effect.forkChild(read())
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(again), "fresh v1 @50")
    })
  )

  it.effect("a refresh goes on though nobody waits", () =>
    Effect.gen(function* () {
      const { control, read } = yield* ringOf(typical())
      yield* read()
      yield* TestClock.adjust("10 seconds")
      control.takes = 100
      control.version = 2
      const caller = yield* Effect.forkChild(read())
      yield* Fiber.join(caller)
      yield* TestClock.adjust(100)
      assert.deepInclude(control, { asked: 2, interrupted: 0 })
      assert.strictEqual(yield* read(), "fresh v2 @10000")
    })
  )

  it.effect("each caller waits within his own time, and the load is not bound to the first one's", () =>
    Effect.gen(function* () {
      const { control, read } = yield* ringOf(typical())
      control.takes = 500
      const hurried = yield* Effect.forkChild(Effect.provideService(read(), Deadline.Deadline, 100))
      const patient = yield* Effect.forkChild(read())
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(hurried), "DEADLINE_EXCEEDED")
      yield* TestClock.adjust(400)
      assert.strictEqual(yield* Fiber.join(patient), "fresh v1 @0")
      assert.strictEqual(control.asked, 1)
      assert.strictEqual(yield* Effect.provideService(read("b"), Deadline.Deadline, 500), "DEADLINE_EXCEEDED")
      assert.strictEqual(control.asked, 1)
    })
  )

  it.effect("the policies bound the load of a downstream that hangs", () =>
    Effect.gen(function* () {
      const { control, read, state } = yield* ringOf(typical())
      control.does = "hangs"
      const caller = yield* Effect.forkChild(read())
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(caller), "DEADLINE_EXCEEDED")
      assert.deepInclude(state(), { loading: 0 })
    })
  )
})

describe("bounds", () => {
  it.effect("of entries: the longest unused goes, and is told", () =>
    Effect.gen(function* () {
      const { control, read, state, told, turn } = yield* ringOf(Cache.make({ fresh: day, entriesMax: 3 }))
      for (const id of ["a", "b", "c", "a", "d"]) yield* read(id)
      assert.strictEqual(control.asked, 4)
      assert.deepInclude(told("CacheDropped")[0], { why: "full" })
      for (const id of ["a", "c", "d"]) yield* read(id)
      assert.strictEqual(control.asked, 4)
      yield* turn("entriesMax", 1)
      assert.deepInclude(state(), { entries: 1, dropped: 3 })
      yield* read("d")
      assert.strictEqual(control.asked, 4)
    })
  )

  it.effect("of bytes: counted as UTF-8, and what is larger than all of it is not kept", () =>
    Effect.gen(function* () {
      const { read, state, told } = yield* ringOf(Cache.make({ fresh: day, entriesMax: 100, bytesMax: 1000 }))
      for (let id = 0; id < 20; id++) yield* read(`${id}`)
      assert.isAtMost(Number(state()["bytes"]), 1000)
      assert.isAbove(Number(state()["entries"]), 2)
      yield* read("€".repeat(200))
      assert.deepInclude(told("CacheDropped").at(-1), { why: "too-large" })
      const before = Number(state()["bytes"])
      yield* read("é")
      const entry = new TextEncoder().encode(
        '@failsoft/core/test/Things/Transport/read {"id":"é"}{"id":"é","version":1}'
      )
      assert.strictEqual(before + entry.length <= 1000 ? Number(state()["bytes"]) - before : entry.length, entry.length)
    })
  )
})

describe("invalidation", () => {
  const tagged = () =>
    Cache.make({
      fresh: day,
      entriesMax: 100,
      tags: ({ id }: { readonly id: string }, { version }: Answered) => [`id:${id}`, `version:${version}`],
      on: [Cache.on(Changed, ({ id }) => ({ tags: [`id:${id}`] })), Cache.on(Flushed, () => "all")]
    })
  const Changed = Cache.event<{ readonly id: string }>("thing-changed")
  const Flushed = Cache.event<void>("things-flushed")

  it.effect("by key, by tag, by event, of everything", () =>
    Effect.gen(function* () {
      const hub = yield* Layer.build(Cache.layerEvents)
      const { control, read, things } = yield* ringOf(tagged(), { context: hub })
      const asks = (ids: ReadonlyArray<string>) =>
        Effect.gen(function* () {
          const before = control.asked
          for (const id of ids) yield* read(id)
          return control.asked - before
        })
      assert.strictEqual(yield* asks(["a", "b", "c"]), 3)
      yield* Cache.invalidate(things, "read", { id: "a" })
      assert.strictEqual(yield* asks(["a", "b", "c"]), 1)
      yield* Cache.invalidateTags(things, ["id:b", "unknown"])
      assert.strictEqual(yield* asks(["a", "b", "c"]), 1)
      assert.strictEqual(yield* Effect.provideContext(Cache.publish(Changed({ id: "c" })), hub), 1)
      assert.strictEqual(yield* asks(["a", "b", "c"]), 1)
      yield* Cache.invalidateTags(things, ["version:1"])
      assert.strictEqual(yield* asks(["a", "b", "c"]), 3)
      yield* Effect.provideContext(Cache.publish(Flushed()), hub)
      assert.strictEqual(yield* asks(["a", "b", "c"]), 3)
      yield* Cache.clear(things)
      assert.strictEqual(yield* asks(["a", "b", "c"]), 3)
      assert.strictEqual(yield* Cache.publish(Flushed()), 0)
    })
  )

  const ways: Readonly<
    Record<
      string,
      (things: object & { readonly read: (payload: { readonly id: string }) => unknown }) => Effect.Effect<void>
    >
  > = {
    key: (things) => Cache.invalidate(things, "read", { id: "a" }),
    "tag of the payload": (things) => Cache.invalidateTags(things, ["id:a"]),
    "tag of the answer": (things) => Cache.invalidateTags(things, ["version:1"]),
    clear: (things) => Cache.clear(things)
  }
  it.effect.each(Object.keys(ways))("what is on its way does not bring back what is invalid: %s", (way) =>
    Effect.gen(function* () {
      const { control, read, things } = yield* ringOf(tagged())
      control.takes = 100
      const early = yield* Effect.forkChild(read())
      yield* TestClock.adjust(50)
      control.version = 2
      yield* ways[way]?.(things) ?? Effect.void
      const late = yield* Effect.forkChild(read())
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(early), "fresh v1 @0")
      assert.strictEqual(yield* Fiber.join(late), "fresh v2 @50")
      assert.strictEqual(yield* read(), "fresh v2 @50")
    })
  )

  it.effect("a confirmed write is read at once, also where a read was under way", () =>
    Effect.gen(function* () {
      const { control, read, things } = yield* ringOf(typical())
      yield* read()
      control.version = 2
      yield* things.write({ id: "a" })
      assert.strictEqual(yield* read(), "fresh v2 @0")
      yield* TestClock.adjust("40 seconds")
      control.takes = 100
      const reading = yield* Effect.forkChild(read())
      yield* TestClock.adjust(50)
      control.takes = 0
      control.version = 3
      yield* things.write({ id: "a" })
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* Fiber.join(reading), "fresh v2 @40000")
      assert.strictEqual(yield* read(), "fresh v3 @40050")
    })
  )

  it.effect("what a write puts there counts from when the write began", () =>
    Effect.gen(function* () {
      const { control, read, things } = yield* ringOf(Cache.make({ fresh: "10 seconds", jitter: 0, entriesMax: 10 }))
      control.takes = 60
      const writes = yield* Effect.forkChild(things.write({ id: "a" }))
      yield* TestClock.adjust(100)
      yield* Fiber.join(writes)
      assert.strictEqual(yield* read("a"), "fresh v1 @0")
    })
  )

  it.effect("a write that was not confirmed changes nothing", () =>
    Effect.gen(function* () {
      const { control, read, things } = yield* ringOf(typical())
      yield* read()
      for (const does of ["fails", "is gone"] as const) {
        control.does = does
        yield* Effect.exit(things.write({ id: "a" }))
        assert.strictEqual(yield* read(), "fresh v1 @0")
      }
    })
  )
})

describe("modes and demands", () => {
  it.effect("dark: asks each time, keeps, and tells what it would answer and whether that differs", () =>
    Effect.gen(function* () {
      const { control, read, told, turn } = yield* ringOf(typical())
      yield* turn("mode", "dark")
      yield* read()
      yield* TestClock.adjust(1000)
      yield* read()
      control.version = 2
      yield* TestClock.adjust(1000)
      assert.strictEqual(yield* read(), "fresh v2 @2000")
      assert.strictEqual(control.asked, 3)
      assert.deepInclude(told("CacheHit")[0], { dark: true, differs: false })
      assert.deepInclude(told("CacheHit")[1], { dark: true, differs: true })
      control.does = "fails"
      assert.strictEqual(yield* read(), "TRANSIENT_FAILURE")
      yield* turn("mode", "on")
      assert.strictEqual(yield* read(), "fresh v2 @2000")
    })
  )

  it.effect("off: neither keeps nor finds", () =>
    Effect.gen(function* () {
      const { control, read, state, turn } = yield* ringOf(typical())
      yield* read()
      yield* turn("mode", "off")
      control.version = 2
      assert.strictEqual(yield* read(), "fresh v2 @0")
      assert.deepInclude(state(), { hits: 0, entries: 1 })
    })
  )

  it.effect("who demands what is fresh gets nothing stale; who demands it live gets it asked for", () =>
    Effect.gen(function* () {
      const { control, read } = yield* ringOf(typical())
      yield* read()
      control.version = 2
      const as = (demand: Cache.Demand) => Effect.provideService(read(), Cache.Demand, demand)
      assert.strictEqual(yield* as("fresh"), "fresh v1 @0")
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* as("live"), "fresh v2 @1")
      assert.strictEqual(yield* read(), "fresh v2 @1")
      yield* TestClock.adjust("15 seconds")
      control.does = "fails"
      assert.strictEqual(yield* as("fresh"), "TRANSIENT_FAILURE")
      assert.strictEqual(yield* as("live"), "TRANSIENT_FAILURE")
      assert.strictEqual(yield* read(), "stale v2 @1")
    })
  )
})

describe("as a part of the row", () => {
  it.effect("its knobs are settings, its picture is explained, its state is described", () =>
    Effect.gen(function* () {
      const { settings, things, turn } = yield* ringOf(typical())
      yield* turn("freshMillis", 5000)
      const method = Explain.explain(things).methods[0]
      assert.include(method?.picture, "cache fresh 5 s, stale while revalidate 20 s, stale if error 1 min, 100 entries")
      assert.isTrue(
        method?.settings.some(({ name, value }) => name === "things/read/cache.freshMillis" && value === 5000)
      )
      assert.deepInclude(settings.get("things/read/cache.mode"), { value: "on" })
      const refused = yield* Effect.flip(turn("jitter", 2))
      assert.include(refused.message, "jitter")
      // What the code does not declare cannot be turned on.
      assert.instanceOf(yield* Effect.flip(turn("negativeMillis", 1)), Settings.SettingRefused)
      assert.isDefined(Downstream.describe(things)?.methods[0]?.cache)
    })
  )

  it.effect("hits say nothing of the downstream's health", () =>
    Effect.gen(function* () {
      const { control, read, things } = yield* ringOf(typical())
      yield* read()
      control.does = "fails"
      yield* TestClock.adjust("15 seconds")
      yield* read()
      yield* TestClock.adjust(1)
      yield* read()
      const observed = Downstream.describe(things)?.methods[0]?.observed
      assert.deepInclude(observed, { lastGoodAt: 0, lastBadAt: 15_001, lastReason: "TRANSIENT_FAILURE" })
    })
  )

  it.effect("a request without a key, or an answer that cannot be written, is not kept", () =>
    Effect.gen(function* () {
      const broken = Cache.make({
        fresh: day,
        entriesMax: 10,
        tags: () => {
          throw new Error("a bug")
        }
      })
      const { control, read, told } = yield* ringOf(broken)
      assert.strictEqual(yield* read(), "fresh v1 @0")
      yield* read()
      assert.strictEqual(control.asked, 2)
      assert.deepInclude(told("CacheDropped")[0], { why: "unencodable" })
    })
  )
})

it.effect("the same value in two rows is one cache with one bound, and never takes one method for another", () =>
  Effect.gen(function* () {
    const { call, control } = downstream()
    const cache = Cache.make({ fresh: day, entriesMax: 3 })
    const row = { policy: Policy.deadline("1 second"), cache }
    const ring = Things.layer({
      read: { ...row, fallback: Fallback.when(Fallback.value({ id: "", version: -1 }), { reasons: [] }) },
      check: row,
      write: { policy: Policy.deadline("1 second") }
    })
    const context = yield* Layer.build(Layer.provide(ring, Things.transport({ read: call, check: call, write: call })))
    const things = Context.get(context, Things)
    for (const id of ["a", "b", "a"]) {
      yield* things.read({ id })
      yield* things.check({ id })
    }
    // read a, check a, read b, check b (read a goes), read a (check a goes), check a.
    assert.strictEqual(control.asked, 6)
    assert.deepEqual(yield* things.check({ id: "a" }), { id: "a", version: 1 })
  })
)

class Accounts extends Downstream.Service<Accounts>()(
  "@failsoft/core/test/Accounts",
  {
    whoami: Contract.method({
      payload: Schema.Struct({}),
      success: Schema.String,
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "safe",
      onOutage: "degrade-or-fail",
      scope: "principal"
    }),
    secret: Contract.method({
      payload: Schema.Struct({}),
      success: Schema.Redacted(Schema.String),
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "safe",
      onOutage: "degrade-or-fail",
      scope: "public"
    })
  },
  info
) {}

describe("whose answer it is", () => {
  const built = Effect.gen(function* () {
    const cache = Cache.make({ fresh: day, staleIfError: day, entriesMax: 10, durable: true })
    const store = { asked: 0 }
    const row = { policy: Policy.deadline("1 second"), cache }
    const transport = Accounts.transport({
      whoami: () => Effect.map(Caller.Caller, ({ principal }) => `${principal} ${++store.asked}`),
      secret: () => Effect.sync(() => Redacted.make(`secret ${++store.asked}`))
    })
    const context = yield* Layer.build(Layer.provide(Accounts.layer({ whoami: row, secret: row }), transport))
    return { accounts: Context.get(context, Accounts), store }
  })

  it.effect("a principal's is found by nobody else, and by nobody who is unknown", () =>
    Effect.gen(function* () {
      const { accounts, store } = yield* built
      const who = Effect.map(accounts.whoami({}), ({ value }) => value)
      assert.strictEqual(yield* who.pipe(Caller.as({ principal: "alice" })), "alice 1")
      assert.strictEqual(yield* who.pipe(Caller.as({ principal: "bob" })), "bob 2")
      assert.strictEqual(yield* who.pipe(Caller.as({ principal: "alice" })), "alice 1")
      assert.strictEqual(yield* who, "undefined 3")
      assert.strictEqual(yield* who, "undefined 4")
      yield* Cache.invalidate(accounts, "whoami", {}).pipe(Caller.as({ principal: "bob" }))
      assert.strictEqual(yield* who.pipe(Caller.as({ principal: "alice" })), "alice 1")
      assert.strictEqual(yield* who.pipe(Caller.as({ principal: "bob" })), "bob 5")
      assert.strictEqual(store.asked, 5)
    })
  )

  it.effect("two callers of one key at once share a load only where the answer is for both", () =>
    Effect.gen(function* () {
      const { accounts } = yield* built
      const who = Effect.map(accounts.whoami({}), ({ value }) => value)
      const both = yield* Effect.all(
        [who.pipe(Caller.as({ principal: "alice" })), who.pipe(Caller.as({ principal: "bob" }))],
        { concurrency: "unbounded" }
      )
      assert.deepEqual(both, ["alice 1", "bob 2"])
    })
  )

  it.effect("what holds a secret is kept in memory, and never beyond it", () =>
    Effect.gen(function* () {
      const kept = Context.get(yield* Layer.build(KeyValueStore.layerMemory), KeyValueStore.KeyValueStore)
      const { accounts, store } = yield* Effect.provideService(built, Cache.Store, kept)
      yield* accounts.secret({})
      yield* accounts.secret({})
      yield* accounts.whoami({}).pipe(Caller.as({ principal: "alice" }))
      yield* Cache.invalidateTags(accounts, [])
      assert.strictEqual(store.asked, 2)
      const keys = yield* kept.keys
      assert.lengthOf(keys, 1)
      assert.notInclude(yield* kept.get(keys[0] ?? ""), "secret")
    })
  )
})
