/** Of which attempt what the downstream says of keeping its answer counts, and what comes of it. */
import { assert, describe, it } from "@effect/vitest"
import {
  Cache,
  Caller,
  type Composition,
  Contract,
  Deadline,
  Downstream,
  Fallback,
  Journal,
  Leaf,
  Policy,
  ReadMarks,
  Signal,
  Transient,
  Transport
} from "@failsoft/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { info } from "./shop.ts"

class Notes extends Downstream.Service<Notes>()(
  "@failsoft/core/test/SaidNotes",
  {
    read: Contract.method({
      payload: Schema.Struct({}),
      success: Schema.Int,
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "safe",
      onOutage: "degrade-or-fail",
      scope: "public",
      reads: "monotonic"
    })
  },
  info
) {}

type Call = Effect.Effect<number, Transient.Transient>

const failed = new Transient.Transient({ cause: "connection_terminated", applied: "no" })

const noStore: Cache.Said = { keepFor: "nobody" }

/** The nth call of the transport does the nth thing, the last for ever; a leaf stays one. */
const raw = (calls: ReadonlyArray<Call>) => {
  const control = { asked: 0 }
  const read = () => calls[Math.min(control.asked++, calls.length - 1)] ?? Effect.die("none")
  return { control, transport: Notes.transport({ read }) }
}

interface Options {
  readonly policy?: Policy.Policy<"replays">
  readonly cache?: Omit<Parameters<typeof Cache.make>[0], "tags" | "negative">
  readonly marks?: ReadMarks.ReadMarks
  readonly fallback?: Fallback.Fallback<number, unknown, "keeps" | "partial">
}

const ringOf = Effect.fnUntraced(function* (
  transport: Layer.Layer<Downstream.Transport<"@failsoft/core/test/SaidNotes">, Composition.InvalidComposition>,
  {
    cache,
    marks,
    policy = Policy.deadline("1 second"),
    fallback = Fallback.when(Fallback.value(-1), { reasons: [] })
  }: Options = {}
) {
  const bus = yield* Signal.make
  const signals: Array<Signal.Signal> = []
  yield* bus.subscribe((signal) => signals.push(signal))
  const ring = Notes.layer({
    read: {
      policy,
      cache: Cache.make({ fresh: "1 minute", staleIfError: "1 hour", jitter: 0, entriesMax: 10, ...cache }),
      fallback
    }
  })
  const notes = Context.get(
    yield* Layer.build(
      ring.pipe(
        Layer.provide(transport),
        Layer.provide(Layer.succeed(Signal.Bus, bus)),
        Layer.provide(Layer.succeed(ReadMarks.ReadMarks, marks))
      )
    ),
    Notes
  )
  return {
    signals,
    state: () => Downstream.describe(notes)?.methods[0]?.cache?.state ?? {},
    read: notes.read({}).pipe(
      Effect.match({
        onSuccess: ({ asOf, quality, value }) => `${quality} ${value} @${asOf}`,
        onFailure: ({ reason }) => reason
      }),
      Caller.as({ session: "one" })
    )
  }
})

const answer = (value: number, said?: Cache.Said): Call =>
  said === undefined ? Effect.succeed(value) : Effect.as(Cache.tell(said), value)

describe("what a downstream says of keeping its answer", () => {
  it.effect("does not count where that attempt had no answer", () =>
    Effect.gen(function* () {
      const { control, transport } = raw([Effect.andThen(Cache.tell(noStore), Effect.fail(failed)), answer(1)])
      const retry = Policy.retry({ times: 1, base: 1, backoff: "exponential" })
      const { read } = yield* ringOf(transport, { policy: Policy.stack(Policy.deadline("1 second"), retry) })
      const first = yield* Effect.forkChild(read)
      yield* TestClock.adjust(1)
      yield* Effect.yieldNow
      assert.strictEqual(first.pollUnsafe()?._tag, "Success")
      assert.strictEqual(yield* read, "fresh 1 @0")
      assert.strictEqual(control.asked, 2)
    })
  )

  it.effect("counts of a leaf, whose signal stays its own", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const leaf = (said: Cache.Said) =>
        Leaf.make(
          async ({ attempt, context, deadlineAt, signal }) => {
            seen.push(`${attempt} ${deadlineAt} ${signal.aborted}`)
            Context.get(context, Cache.Heard)?.(said)
            return 1
          },
          () => failed
        )
      const { control, transport } = raw([leaf({ keepFor: "anybody", freshMaxMillis: 10 }), leaf(noStore)])
      const { read, state } = yield* ringOf(transport)
      yield* read
      yield* TestClock.adjust(9)
      yield* read
      assert.strictEqual(control.asked, 1)
      yield* TestClock.adjust(1)
      yield* read
      assert.deepInclude(state(), { entries: 0, forbidden: 1 })
      assert.deepEqual(seen, ["0 1000 false", "0 1010 false"])
    })
  )

  it.effect("of what is told twice the strictest holds", () =>
    Effect.gen(function* () {
      const twice = Effect.andThen(
        Cache.tell({ keepFor: "anybody", freshMaxMillis: 10, ageMillis: 4 }),
        answer(1, { keepFor: "anybody", freshMaxMillis: 20, staleIfErrorMaxMillis: 0 })
      )
      const { control, transport } = raw([
        Effect.andThen(Cache.tell(noStore), answer(0, { keepFor: "anybody" })),
        Effect.andThen(Cache.tell({ keepFor: "anybody" }), answer(0, noStore)),
        twice,
        Effect.fail(failed)
      ])
      const { read } = yield* ringOf(transport)
      yield* read
      yield* read
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* read, "fresh 1 @96")
      yield* TestClock.adjust(5)
      yield* read
      assert.strictEqual(control.asked, 3)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* read, "TRANSIENT_FAILURE")
    })
  )

  it.effect("chance takes from what the downstream allows too, and never adds", () =>
    Effect.gen(function* () {
      const { control, transport } = raw([answer(1, { keepFor: "anybody", freshMaxMillis: 1000 })])
      const { read } = yield* ringOf(transport, { cache: { fresh: "1 minute", jitter: 0.5, entriesMax: 10 } })
      const half = { nextDoubleUnsafe: () => 0.5, nextIntUnsafe: () => 0 }
      yield* Effect.provideService(read, Random.Random, half)
      yield* TestClock.adjust(749)
      yield* read
      assert.strictEqual(control.asked, 1)
      yield* TestClock.adjust(1)
      yield* read
      assert.strictEqual(control.asked, 2)
    })
  )

  it.effect("a limit that is no number forbids, and an age that is none is none", () =>
    Effect.gen(function* () {
      const said = { keepFor: "anybody", freshMaxMillis: Number.NaN, ageMillis: Number.NaN } as const
      const { transport } = raw([answer(1, said), answer(2, { ...said, ageMillis: -5 }), Effect.fail(failed)])
      const { read } = yield* ringOf(transport)
      assert.strictEqual(yield* read, "fresh 1 @0")
      assert.strictEqual(yield* read, "fresh 2 @0")
      assert.strictEqual(yield* read, "stale 2 @0")
    })
  )

  it.effect("takes no room for what can serve nobody", () =>
    Effect.gen(function* () {
      const none = { freshMaxMillis: 0, staleWhileRevalidateMaxMillis: 0, staleIfErrorMaxMillis: 0 }
      const gone = { freshMaxMillis: 5, staleWhileRevalidateMaxMillis: 2, staleIfErrorMaxMillis: 3, ageMillis: 8 }
      const { transport } = raw([
        answer(1, { keepFor: "anybody", ...none }),
        answer(2, { keepFor: "anybody", ...gone })
      ])
      const { read, state } = yield* ringOf(transport)
      yield* read
      assert.deepInclude(state(), { entries: 0, forbidden: 1 })
      yield* read
      assert.deepInclude(state(), { entries: 0, forbidden: 2 })
    })
  )

  it.effect("is not heard from a call that the transport makes for itself", () =>
    Effect.gen(function* () {
      const row = { policy: Policy.deadline("1 second"), fallback: Fallback.value(-1) }
      const inner = Layer.provide(Notes.layer({ read: row }), raw([answer(1, noStore)]).transport)
      const notes = Context.get(yield* Layer.build(inner), Notes)
      const { control, transport } = raw([Effect.as(Effect.exit(notes.read({})), 1)])
      const { read } = yield* ringOf(transport)
      yield* read
      yield* read
      assert.strictEqual(control.asked, 1)
    })
  )

  it.effect("is heard through the regions, of the one that answered", () =>
    Effect.gen(function* () {
      const eu = raw([Effect.andThen(Cache.tell(noStore), Effect.fail(failed))])
      const us = raw([answer(1, { keepFor: "anybody", freshMaxMillis: 10 }), answer(2, noStore)])
      const { read, state } = yield* ringOf(
        Transport.failover(Notes, { eu: eu.transport, us: us.transport }, { attempt: "200 millis" })
      )
      assert.strictEqual(yield* read, "fresh 1 @0")
      assert.deepInclude(state(), { entries: 1 })
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* read, "fresh 2 @10")
      assert.deepInclude(state(), { entries: 0 })
    })
  )

  it.effect("is not heard from a region that is only looked at", () =>
    Effect.gen(function* () {
      const us = raw([answer(2, noStore)])
      const regions = { eu: raw([Effect.delay(answer(1), 10)]).transport, us: us.transport }
      const { read, state } = yield* ringOf(Transport.failover(Notes, regions, { attempt: "200 millis" }))
      yield* TestClock.adjust("1 minute")
      const first = yield* Effect.forkChild(read)
      yield* Effect.yieldNow
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(first), "fresh 1 @60000")
      assert.strictEqual(us.control.asked, 1)
      assert.deepInclude(state(), { entries: 1, forbidden: 0 })
    })
  )
})

describe("who waited for an answer that was for another", () => {
  const slow = Effect.delay(Effect.as(Cache.tell(noStore), 1), 100)

  /** Two callers at once, the second of whom has so much time; the first answer is there after 100 ms. */
  const second = Effect.fnUntraced(function* (millis: number) {
    const { control, transport } = raw([slow])
    const { read, signals, state } = yield* ringOf(transport)
    const first = yield* Effect.forkChild(read)
    yield* Effect.yieldNow
    const waiting = yield* Effect.forkChild(Effect.provideService(read, Deadline.Deadline, millis))
    yield* Effect.yieldNow
    assert.strictEqual(control.asked, 1)
    yield* TestClock.adjust(100)
    assert.strictEqual(yield* Fiber.join(first), "fresh 1 @0")
    yield* Effect.yieldNow
    return { control, signals, state, waiting }
  })

  it.effect("asks for himself, in his own time", () =>
    Effect.gen(function* () {
      const { control, signals, state, waiting } = yield* second(250)
      assert.strictEqual(control.asked, 2)
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(waiting), "fresh 1 @100")
      const misses = signals.flatMap((of) => (of._tag === "CacheMiss" ? [of.collapsed] : []))
      assert.deepEqual(misses, [false, true, false])
      assert.deepInclude(state(), { entries: 0, loading: 0 })
    })
  )

  it.effect("asks nobody where none of it is left", () =>
    Effect.gen(function* () {
      const { control, waiting } = yield* second(100)
      assert.strictEqual(yield* Fiber.join(waiting), "DEADLINE_EXCEEDED")
      assert.strictEqual(control.asked, 1)
    })
  )

  it.effect("is answered at his deadline, and his load ends with it", () =>
    Effect.gen(function* () {
      const late = yield* second(150)
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* Fiber.join(late.waiting), "DEADLINE_EXCEEDED")
      assert.deepInclude(late.state(), { loading: 0 })
    })
  )

  it.effect("takes his load with him when he goes away", () =>
    Effect.gen(function* () {
      const { control, state, waiting } = yield* second(1000)
      assert.strictEqual(control.asked, 2)
      yield* Fiber.interrupt(waiting)
      yield* Effect.yieldNow
      assert.deepInclude(state(), { loading: 0 })
    })
  )
})

describe("an answer from a cache below", () => {
  it.effect("is not shown where the session was shown something later; what is known then serves", () =>
    Effect.gen(function* () {
      const marks = ReadMarks.make()
      const aged = answer(2, { keepFor: "nobody", ageMillis: 5000 })
      const behind = yield* ringOf(raw([aged]).transport, { marks })
      const direct = yield* ringOf(raw([answer(1)]).transport, { marks })
      yield* TestClock.adjust(10_000)
      assert.strictEqual(yield* behind.read, "fresh 2 @5000")
      assert.strictEqual(yield* direct.read, "fresh 1 @10000")
      yield* TestClock.adjust(3999)
      assert.strictEqual(yield* behind.read, "READ_TOO_OLD")
      const [told] = behind.signals.filter(({ _tag }) => _tag === "ReadTooOld")
      assert.deepInclude(told, { step: "cache", behindMillis: 1001 })
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* behind.read, "fresh 2 @9000")
    })
  )

  it.effect("is shown again and again, whatever its age in whole seconds makes of its time", () =>
    Effect.gen(function* () {
      const of = (ageMillis: number) => answer(2, { keepFor: "nobody", ageMillis })
      const { read } = yield* ringOf(raw([of(1000), of(2000)]).transport, { marks: ReadMarks.make() })
      yield* TestClock.adjust(10_000)
      assert.strictEqual(yield* read, "fresh 2 @9000")
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* read, "fresh 2 @8100")
    })
  )

  it.effect("does not come back from the memory of a fallback, nor is it younger there", () =>
    Effect.gen(function* () {
      const marks = ReadMarks.make()
      const stale = Fallback.stale({ maxAge: "1 hour", entriesMax: 10 })
      const aged = answer(1, { keepFor: "nobody", ageMillis: 150_000 })
      const behind = yield* ringOf(raw([aged]).transport, { marks, fallback: stale })
      const direct = yield* ringOf(raw([answer(2)]).transport, { marks })
      yield* TestClock.adjust(100_000)
      assert.strictEqual(yield* direct.read, "fresh 2 @100000")
      yield* TestClock.adjust(100_000)
      assert.strictEqual(yield* behind.read, "READ_TOO_OLD")
      // Where nobody was shown anything else it is remembered, of the time of which it is.
      const cut = Effect.fail(failed)
      const alone = yield* ringOf(raw([aged, cut]).transport, { marks: ReadMarks.make(), fallback: stale })
      assert.strictEqual(yield* alone.read, "fresh 1 @50000")
      assert.strictEqual(yield* alone.read, "stale 1 @50000")
    })
  )

  it.effect("tells the edge its age, also where it was loaded", () =>
    Effect.gen(function* () {
      const { read } = yield* ringOf(raw([answer(1, { keepFor: "anybody", ageMillis: 5000 })]).transport)
      const journal = Journal.makeUnsafe()
      yield* Effect.provideService(read, Journal.Journal, journal)
      assert.deepInclude(journal.cacheUses()[0], { status: "miss", ageMillis: 5000 })
    })
  )
})

describe("a key that is always asked, by sessions that want something newer", () => {
  it.effect("lets go of each load once it has ended", () =>
    Effect.gen(function* () {
      const { part, ...rest } = Cache.make({ fresh: "1 minute", entriesMax: 10 })
      let living: object = {}
      const build = Effect.map(part.build, (instance) => ({
        ...instance,
        serve: (row: Parameters<typeof instance.serve>[0]) =>
          Effect.tap(instance.serve(row), (of) =>
            Effect.sync(() => {
              living = of
            })
          )
      }))
      const marks = { ...ReadMarks.make(), of: () => ({ begunAt: undefined, cameAt: Number.POSITIVE_INFINITY }) }
      const ring = Notes.layer({
        read: {
          policy: Policy.deadline("1 second"),
          cache: { ...rest, part: { ...part, build } },
          fallback: Fallback.when(Fallback.value(-1), { reasons: [] })
        }
      })
      const { transport } = raw([Effect.delay(Effect.succeed(1), 10)])
      const above = Layer.provide(Layer.succeed(ReadMarks.ReadMarks, marks))
      const notes = Context.get(yield* Layer.build(ring.pipe(Layer.provide(transport), above)), Notes)
      const depth = () => {
        const flights: unknown = Reflect.get(living, "flights")
        let deepest = 0
        for (const flight of flights instanceof Map ? flights.values() : []) {
          let of: unknown = flight
          for (let nth = 0; typeof of === "object" && of !== null; nth++) {
            deepest = Math.max(deepest, nth)
            of = Reflect.get(of, "after")
          }
        }
        return deepest
      }
      let most = 0
      for (let nth = 0; nth < 200; nth++) {
        yield* notes.read({}).pipe(Effect.ignore, Caller.as({ session: `${nth}` }), Effect.forkChild)
        yield* TestClock.adjust(4)
        most = Math.max(most, depth())
      }
      // Somebody always waited for another's end.
      assert.isAtLeast(most, 1)
      assert.isAtMost(most, 2)
    })
  )
})

describe("a caller who is content with what is known", () => {
  it.effect("asks nobody: neither for him nor beside him", () =>
    Effect.gen(function* () {
      const { control, transport } = raw([answer(1)])
      const cache = { fresh: 10, staleWhileRevalidate: 10, staleIfError: 100, jitter: 0, entriesMax: 10 }
      const { read } = yield* ringOf(transport, { cache })
      const known = Effect.provideService(read, Cache.Demand, "cached")
      assert.strictEqual(yield* known, "NOT_CACHED")
      yield* read
      assert.strictEqual(yield* known, "fresh 1 @0")
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* known, "stale 1 @0")
      yield* Effect.yieldNow
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* known, "NOT_CACHED")
      assert.strictEqual(control.asked, 1)
    })
  )

  it.effect("is given nothing that a fallback would have to make", () =>
    Effect.gen(function* () {
      let made = 0
      const fallback = Fallback.compute({ compute: () => Effect.sync((): number => ++made) })
      const { read, signals } = yield* ringOf(raw([answer(1)]).transport, { fallback })
      assert.strictEqual(yield* Effect.provideService(read, Cache.Demand, "cached"), "NOT_CACHED")
      assert.strictEqual(made, 0)
      assert.isUndefined(signals.find(({ _tag }) => _tag === "AnswerDegraded"))
    })
  )
})
