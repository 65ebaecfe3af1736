/** What a session is shown of a method with monotonic reads, and what is passed over for it. */
import { assert, describe, it } from "@effect/vitest"
import { Composition, Contract, Downstream, Fallback, Policy, ReadMarks } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { cacheOf, lastGood, nothing, Pages, regionOf } from "./readsKit.ts"

const alice = { principal: "alice", session: "s1" }
const bob = { principal: "alice", session: "s2" }
const nobody = { principal: "alice" }

const hour = 3_600_000

/** Two regions that share the marks: `here` has a memory, `there` was asked later. */
const twoRegions = (memory: Parameters<typeof regionOf>[0]) =>
  Effect.gen(function* () {
    const marks = ReadMarks.make()
    return {
      here: yield* regionOf(memory, marks),
      there: yield* regionOf({ fallback: lastGood(hour) }, marks)
    }
  })

/** A step that answers 100 as of a time. */
const asOfStep = (kind: string, asOf: number | undefined) =>
  Fallback.fromInstance<number, unknown, "partial">({
    kind,
    quality: "substituted",
    marks: ["partial"],
    make: () =>
      Effect.succeed({
        answer: (_, { reason }) =>
          Effect.succeedSome({
            value: 100,
            quality: "substituted" as const,
            reason,
            ...(asOf === undefined ? {} : { asOf })
          })
      })
  })

describe("a fallback's step whose answer is older than what the session was shown", () => {
  it.effect("passes on to the next step, and says which it was and by how much", () =>
    Effect.gen(function* () {
      const { here, there } = yield* twoRegions({
        fallback: Fallback.chain(lastGood(hour), asOfStep("older", 5), asOfStep("younger", 30), asOfStep("last", 40))
      })
      assert.strictEqual(yield* here.ask(alice), "fresh v1 @0")
      yield* TestClock.adjust(20)
      assert.strictEqual(yield* there.ask(alice), "fresh v1 @20")
      here.region.does = "fails"
      assert.strictEqual(yield* here.ask(alice), "substituted v100 @30")
      const labels = { at: 20, downstream: "pages", method: "show", reason: "TRANSIENT_FAILURE" }
      assert.deepStrictEqual(here.told("ReadTooOld"), [
        { _tag: "ReadTooOld", ...labels, step: "stale", behindMillis: 20 },
        { _tag: "ReadTooOld", ...labels, step: "older", behindMillis: 15 }
      ])
      assert.deepStrictEqual(
        here.told("AnswerDegraded").map((of) => of._tag === "AnswerDegraded" && of.step),
        ["younger"]
      )
      // What was substituted counts as well: nothing older follows.
      there.region.does = "fails"
      assert.strictEqual(yield* there.ask(alice), "TRANSIENT_FAILURE")
    })
  )

  it.effect("fails as it would without that step where none is left", () =>
    Effect.gen(function* () {
      const { here, there } = yield* twoRegions({ fallback: lastGood(hour) })
      yield* here.ask(alice)
      yield* TestClock.adjust(20)
      yield* there.ask(alice)
      here.region.does = "fails"
      assert.strictEqual(yield* here.ask(alice), "TRANSIENT_FAILURE")
      assert.strictEqual(yield* here.ask(bob), "stale v1 @0")
      assert.deepStrictEqual(
        here.told("CallEnded").map((of) => of._tag === "CallEnded" && of.outcome),
        ["answered", "unavailable", "degraded"]
      )
    })
  )

  it.effect("gives an answer that states no time, which raises nothing", () =>
    Effect.gen(function* () {
      const { here, there } = yield* twoRegions({ fallback: asOfStep("timeless", undefined) })
      yield* there.ask(alice)
      yield* TestClock.adjust(20)
      here.region.does = there.region.does = "fails"
      assert.strictEqual(yield* here.ask(alice), "substituted v100")
      assert.strictEqual(yield* there.ask(alice), "stale v1 @0")
    })
  )

  it.effect("fails also where the contract says that it always answers: an error breaks no promise in silence", () =>
    Effect.gen(function* () {
      const always = Fallback.fromInstance<number>({
        kind: "always",
        quality: "substituted",
        make: () =>
          Effect.succeed({
            answer: (_, { reason }) =>
              Effect.succeedSome({ value: 1, quality: "substituted" as const, asOf: 5, reason })
          })
      })
      const { here, there } = yield* twoRegions({ fallback: always })
      yield* TestClock.adjust(20)
      yield* there.ask(alice)
      here.region.does = "fails"
      assert.strictEqual(yield* here.ask(alice), "TRANSIENT_FAILURE")
      assert.strictEqual(yield* here.ask(bob), "substituted v1 @5")
    })
  )
})

describe("an answer that was on its way while something changed", () => {
  it.effect("is not remembered in the place of one whose call began later", () =>
    Effect.gen(function* () {
      const here = yield* regionOf({ fallback: lastGood(hour) }, ReadMarks.make())
      here.region.takes = 500
      const slow = yield* Effect.forkChild(here.ask(bob))
      yield* TestClock.adjust(100)
      here.region.takes = 0
      assert.strictEqual(yield* here.ask(alice), "fresh v2 @100")
      yield* TestClock.adjust(1000)
      assert.strictEqual(yield* Fiber.join(slow), "fresh v1 @0")
      here.region.does = "fails"
      assert.strictEqual(yield* here.ask(alice), "stale v2 @100")
      // Nobody knows whether bob's was read before or after hers: it is his, and she is not shown it.
      assert.strictEqual(yield* here.ask(bob), "TRANSIENT_FAILURE")
    })
  )

  it.effect("counts from when it came once it was shown: what began before that may have been read before it", () =>
    Effect.gen(function* () {
      const marks = ReadMarks.make()
      const here = yield* regionOf({ fallback: lastGood(hour) }, marks)
      const there = yield* regionOf({ fallback: lastGood(hour) }, marks)
      here.region.takes = 60
      const own = yield* Effect.forkChild(here.ask(alice))
      yield* TestClock.adjust(20)
      assert.strictEqual(yield* there.ask(bob), "fresh v1 @20")
      yield* TestClock.adjust(40)
      assert.strictEqual(yield* Fiber.join(own), "fresh v1 @0")
      here.region.does = there.region.does = "fails"
      here.region.takes = 0
      assert.strictEqual(yield* there.ask(alice), "TRANSIENT_FAILURE")
      const label = { at: 60, downstream: "pages", method: "show", reason: "TRANSIENT_FAILURE" }
      const old = { _tag: "ReadTooOld" as const, ...label, step: "stale", behindMillis: 40 }
      assert.deepStrictEqual(there.told("ReadTooOld"), [old])
      // A mark of a time to come counts as now: nobody can say that something is older than it can be.
      const ahead = ReadMarks.carried([], 10)
      yield* here.ask(alice).pipe(Effect.provideService(ReadMarks.Carried, ahead))
      const forged = ahead.entries().map(([digest]) => [digest, { begunAt: undefined, cameAt: 1e12 }] as const)
      yield* there.ask(nobody).pipe(Effect.provideService(ReadMarks.Carried, ReadMarks.carried(forged, 10)))
      assert.deepStrictEqual(there.told("ReadTooOld"), [old, old])
      // Her own may be repeated, as often as she likes, although its call began before it came.
      assert.strictEqual(yield* here.ask(alice), "stale v1 @0")
      assert.strictEqual(yield* here.ask(alice), "stale v1 @0")
    })
  )

  it.effect("may be shown again to who carries its times, without a call, also by a cache", () =>
    Effect.gen(function* () {
      const here = yield* regionOf({ cache: cacheOf({ fresh: 1000, error: hour }), fallback: nothing }, undefined)
      here.region.takes = 60
      let carried = ReadMarks.carried([], 10)
      for (const expected of ["fresh v1 @0", "fresh v1 @0", "fresh v1 @0"]) {
        const asked = yield* Effect.forkChild(here.ask(nobody).pipe(Effect.provideService(ReadMarks.Carried, carried)))
        yield* TestClock.adjust(100)
        assert.strictEqual(yield* Fiber.join(asked), expected)
        carried = ReadMarks.carried(carried.entries(), 10)
      }
      assert.strictEqual(here.region.asked, 1)
      // Without its beginning nobody knows it again, and it is loaded.
      const anonymous = ReadMarks.carried(
        carried.entries().map(([digest, { cameAt }]) => [digest, { begunAt: undefined, cameAt }] as const),
        10
      )
      const asked = yield* Effect.forkChild(here.ask(nobody).pipe(Effect.provideService(ReadMarks.Carried, anonymous)))
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(asked), "fresh v2 @300")
    })
  )

  it.effect("is known again in either memory of a row", () =>
    Effect.gen(function* () {
      const both = { cache: cacheOf({ fresh: 1000, error: 0 }), fallback: lastGood(hour) }
      const here = yield* regionOf(both, ReadMarks.make())
      here.region.takes = 60
      const asked = yield* Effect.forkChild(here.ask(alice))
      yield* TestClock.adjust(60)
      assert.strictEqual(yield* Fiber.join(asked), "fresh v1 @0")
      here.region.does = "fails"
      here.region.takes = 0
      assert.strictEqual(yield* here.ask(alice), "fresh v1 @0")
      yield* TestClock.adjust(1000)
      assert.strictEqual(yield* here.ask(alice), "stale v1 @0")
    })
  )

  it.effect("is not shown again where another one of the same session overlapped it: nobody knows which is older", () =>
    Effect.gen(function* () {
      const here = yield* regionOf({ fallback: lastGood(hour) }, ReadMarks.make())
      here.region.takes = 50
      const first = yield* Effect.forkChild(here.ask(alice))
      yield* TestClock.adjust(10)
      const second = yield* Effect.forkChild(here.ask(alice))
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* Fiber.join(first), "fresh v1 @0")
      assert.strictEqual(yield* Fiber.join(second), "fresh v2 @10")
      here.region.does = "fails"
      here.region.takes = 0
      assert.strictEqual(yield* here.ask(alice), "TRANSIENT_FAILURE")
      here.region.does = "answers"
      assert.strictEqual(yield* here.ask(alice), "fresh v4 @60")
      here.region.does = "fails"
      assert.strictEqual(yield* here.ask(alice), "stale v4 @60")
    })
  )
})

describe("a time that is none", () => {
  it.effect.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "of a step of the user's own counts as not stated, and ends no promise: %d",
    (asOf) =>
      Effect.gen(function* () {
        const { here, there } = yield* twoRegions({ fallback: asOfStep("odd", asOf) })
        const carried = ReadMarks.carried([], 10)
        const ask = (region: typeof here) => region.ask(alice).pipe(Effect.provideService(ReadMarks.Carried, carried))
        yield* ask(there)
        yield* TestClock.adjust(20)
        here.region.does = "fails"
        assert.match(yield* ask(here), /^substituted v100/)
        assert.deepStrictEqual(
          carried.entries().map(([, mark]) => mark),
          [{ begunAt: 0, cameAt: 0 }]
        )
        there.region.does = "fails"
        assert.strictEqual(yield* ask(there), "stale v1 @0")
      })
  )
})

describe("a final word", () => {
  it.effect("is something that was shown: what was there before it does not come back", () =>
    Effect.gen(function* () {
      const { here } = yield* twoRegions({ fallback: lastGood(hour) })
      yield* here.ask(alice)
      yield* TestClock.adjust(20)
      here.region.does = "is gone"
      assert.strictEqual(yield* here.ask(alice), "gone")
      here.region.does = "fails"
      assert.strictEqual(yield* here.ask(alice), "TRANSIENT_FAILURE")
      // The last good answer is still there for who never heard of the end.
      assert.strictEqual(yield* here.ask(bob), "stale v1 @0")
    })
  )
})

describe("a cache whose entry is older than what the session was shown", () => {
  it.effect("loads, and keeps the entry for the others until then", () =>
    Effect.gen(function* () {
      const { here, there } = yield* twoRegions({ cache: cacheOf({ fresh: 1000, error: hour }), fallback: nothing })
      yield* here.ask(alice)
      yield* TestClock.adjust(20)
      yield* there.ask(alice)
      assert.strictEqual(yield* here.ask(bob), "fresh v1 @0")
      assert.strictEqual(yield* here.ask(alice), "fresh v2 @20")
      assert.deepStrictEqual(
        here.told("CacheMiss").map((of) => of._tag === "CacheMiss" && of.why),
        ["absent", "too-old"]
      )
    })
  )

  it.effect("does not give it where the load fails, neither while it would be refreshed", () =>
    Effect.gen(function* () {
      const { here, there } = yield* twoRegions({
        cache: cacheOf({ fresh: 10, revalidate: 1000, error: hour }),
        fallback: nothing
      })
      yield* here.ask(alice)
      yield* TestClock.adjust(20)
      yield* there.ask(alice)
      here.region.does = "fails"
      assert.strictEqual(yield* here.ask(alice), "TRANSIENT_FAILURE")
      assert.strictEqual(yield* here.ask(bob), "stale v1 @0")
    })
  )

  it.effect("joins no load that began before it", () =>
    Effect.gen(function* () {
      const { here, there } = yield* twoRegions({ cache: cacheOf({ fresh: 10, error: 0 }), fallback: nothing })
      here.region.takes = 100
      const first = yield* Effect.forkChild(here.ask(bob))
      yield* TestClock.adjust(20)
      yield* there.ask(alice)
      const own = yield* Effect.forkChild(here.ask(alice))
      const joins = yield* Effect.forkChild(here.ask(bob))
      yield* TestClock.adjust(200)
      assert.strictEqual(yield* Fiber.join(first), "fresh v1 @0")
      assert.strictEqual(yield* Fiber.join(own), "fresh v2 @20")
      assert.strictEqual(yield* Fiber.join(joins), "fresh v2 @20")
      assert.strictEqual(here.region.asked, 2)
    })
  )
})

describe("loads of a key for marks that no load under way is good enough for", () => {
  /** Marks of a time to come, as a clock that is ahead makes them, or somebody who wants to cause loads. */
  const ahead = (entries: ReturnType<ReadMarks.CarriedMarks["entries"]>) =>
    ReadMarks.carried(
      entries.map(([digest]) => [digest, { begunAt: undefined, cameAt: Number.MAX_SAFE_INTEGER }] as const),
      10
    )

  it.effect("are two at once at most: a third waits for the second's end, and who comes meanwhile waits with it", () =>
    Effect.gen(function* () {
      const here = yield* regionOf({ cache: cacheOf({ fresh: hour, error: hour }), fallback: nothing }, undefined)
      const first = ReadMarks.carried([], 10)
      yield* here.ask(nobody).pipe(Effect.provideService(ReadMarks.Carried, first))
      here.region.takes = 50
      const asked = []
      for (let nth = 0; nth < 20; nth++) {
        const marks = ahead(first.entries())
        asked.push(
          yield* Effect.forkChild(here.ask(nobody).pipe(Effect.provideService(ReadMarks.Carried, marks)), {
            startImmediately: true
          })
        )
        yield* TestClock.adjust(1)
      }
      assert.strictEqual(here.region.asked, 3)
      yield* TestClock.adjust(1000)
      assert.strictEqual(here.region.asked, 4)
      const shown = yield* Fiber.joinAll(asked)
      // The third began when the second had come.
      assert.deepStrictEqual([...new Set(shown)], ["fresh v2 @0", "fresh v3 @1", "fresh v4 @51"])
    })
  )

  it.effect("are not joined once they have begun", () =>
    Effect.gen(function* () {
      const here = yield* regionOf({ cache: cacheOf({ fresh: hour, error: hour }), fallback: nothing }, undefined)
      const first = ReadMarks.carried([], 10)
      yield* here.ask(nobody).pipe(Effect.provideService(ReadMarks.Carried, first))
      here.region.takes = 50
      const begin = Effect.suspend(() => {
        const marks = ahead(first.entries())
        return Effect.forkChild(here.ask(nobody).pipe(Effect.provideService(ReadMarks.Carried, marks)), {
          startImmediately: true
        })
      })
      for (let nth = 0; nth < 3; nth++) {
        yield* begin
        yield* TestClock.adjust(1)
      }
      yield* TestClock.adjust(60)
      assert.strictEqual(here.region.asked, 4)
      const late = yield* begin
      yield* TestClock.adjust(200)
      assert.strictEqual(yield* Fiber.join(late), "fresh v5 @101")
    })
  )

  it.effect("are joined again where the one that waited was given up", () =>
    Effect.gen(function* () {
      const here = yield* regionOf({ cache: cacheOf({ fresh: 0, error: hour }), fallback: nothing }, undefined)
      const first = ReadMarks.carried([], 10)
      yield* here.ask(nobody).pipe(Effect.provideService(ReadMarks.Carried, first))
      here.region.takes = 50
      const ask = Effect.suspend(() =>
        here.ask(nobody).pipe(Effect.provideService(ReadMarks.Carried, ahead(first.entries())))
      )
      const begin = Effect.tap(Effect.forkChild(ask, { startImmediately: true }), () => TestClock.adjust(1))
      const one = yield* begin
      const two = yield* begin
      for (let nth = 0; nth < 5; nth++) yield* Fiber.interrupt(yield* begin)
      const three = yield* begin
      assert.strictEqual(here.region.asked, 3)
      yield* TestClock.adjust(200)
      assert.strictEqual(yield* Fiber.join(one), "fresh v2 @0")
      assert.strictEqual(yield* Fiber.join(two), "fresh v3 @1")
      assert.strictEqual(yield* Fiber.join(three), "fresh v4 @51")
    })
  )

  it.effect("do not wait for ever for one that was given up", () =>
    Effect.gen(function* () {
      const here = yield* regionOf({ cache: cacheOf({ fresh: 0, error: hour }), fallback: nothing }, undefined)
      const first = ReadMarks.carried([], 10)
      yield* here.ask(nobody).pipe(Effect.provideService(ReadMarks.Carried, first))
      here.region.takes = 50
      const ask = Effect.suspend(() =>
        here.ask(nobody).pipe(Effect.provideService(ReadMarks.Carried, ahead(first.entries())))
      )
      const begin = Effect.tap(Effect.forkChild(ask, { startImmediately: true }), () => TestClock.adjust(1))
      yield* begin
      const two = yield* begin
      const three = yield* begin
      yield* Fiber.interrupt(two)
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(three), "fresh v4 @3")
    })
  )
})

describe("who has no session", () => {
  it.effect.each([nobody, { ...nobody, session: "" }, { ...nobody, session: "x".repeat(257) }])(
    "is shown anything, and somebody is told",
    (caller) =>
      Effect.gen(function* () {
        const { here, there } = yield* twoRegions({ fallback: lastGood(hour) })
        yield* here.ask(caller)
        yield* TestClock.adjust(20)
        yield* there.ask(caller)
        here.region.does = "fails"
        assert.strictEqual(yield* here.ask(caller), "stale v1 @0")
        assert.lengthOf(here.told("SessionUnknown"), 2)
        yield* here.ask(alice)
        assert.lengthOf(here.told("SessionUnknown"), 2)
      })
  )
})

describe("the marks of a ring", () => {
  it.effect("are its own without a layer, and shared with one", () =>
    Effect.gen(function* () {
      const shown = (marks: ReadMarks.ReadMarks | undefined) =>
        Effect.gen(function* () {
          const here = yield* regionOf({ fallback: lastGood(hour) }, marks)
          const there = yield* regionOf({ fallback: lastGood(hour) }, marks)
          yield* here.ask(alice)
          yield* TestClock.adjust(20)
          yield* there.ask(alice)
          here.region.does = "fails"
          return yield* here.ask(alice)
        })
      const shared = yield* ReadMarks.ReadMarks.pipe(Effect.provide(ReadMarks.layer()))
      assert.match(yield* shown(undefined), /^stale/)
      assert.strictEqual(yield* shown(shared), "TRANSIENT_FAILURE")
    })
  )

  it.effect("may come with the request and go on to another process", () =>
    Effect.gen(function* () {
      const first = yield* regionOf({ fallback: lastGood(hour) }, undefined)
      const second = yield* regionOf({ fallback: lastGood(hour) }, undefined)
      yield* second.ask(nobody)
      yield* TestClock.adjust(20)
      const request = ReadMarks.carried([], 10)
      yield* first.ask(nobody).pipe(Effect.provideService(ReadMarks.Carried, request))
      second.region.does = "fails"
      const next = ReadMarks.carried(request.entries(), 10)
      const asked = second.ask(nobody).pipe(Effect.provideService(ReadMarks.Carried, next))
      assert.strictEqual(yield* asked, "TRANSIENT_FAILURE")
      assert.strictEqual(yield* second.ask(nobody), "stale v1 @0")
      second.region.does = "answers"
      assert.strictEqual(yield* asked, "fresh v4 @20")
      assert.deepStrictEqual(
        next.entries().map(([, mark]) => mark),
        [{ begunAt: 20, cameAt: 20 }]
      )
    })
  )

  it.effect("of a time to come keep nobody from an answer of now", () =>
    Effect.gen(function* () {
      const { here } = yield* twoRegions({ cache: cacheOf({ fresh: 1000, error: hour }), fallback: nothing })
      const marks = ReadMarks.carried([], 10)
      yield* here.ask(alice).pipe(Effect.provideService(ReadMarks.Carried, marks))
      const forged = ReadMarks.carried(
        marks.entries().map(([digest]) => [digest, { begunAt: undefined, cameAt: Number.MAX_SAFE_INTEGER }] as const),
        10
      )
      assert.strictEqual(yield* here.ask(alice).pipe(Effect.provideService(ReadMarks.Carried, forged)), "fresh v2 @0")
    })
  )
})

describe("the table of a method with monotonic reads", () => {
  it.effect.each(["unsafe", "keyed"] as const)("is refused for a method that is %s, whatever its type says", (of) =>
    Effect.gen(function* () {
      const show: Contract.Method = { ...Pages.contract.methods.show, idempotency: of, idempotencyKey: () => "1" }
      class Cast extends Downstream.Service<Cast>()("@failsoft/core/test/Cast", { show }, Pages.contract.info) {}
      const ring = Layer.provide(
        Cast.layer({ show: { policy: Policy.deadline(1) } } as never),
        Cast.transport({ show: () => Effect.succeed(1) })
      )
      const failure = yield* Effect.flip(Effect.scoped(Layer.build(ring)))
      assert.instanceOf(failure, Composition.InvalidComposition)
      assert.include(failure.message, 'cast/show: reads is "monotonic", and only a safe method has monotonic reads')
    })
  )
})
