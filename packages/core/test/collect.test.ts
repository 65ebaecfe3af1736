import { assert, describe, it } from "@effect/vitest"
import { Answer, Deadline, Journal, Signal, Unavailable } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { type Choices, choices } from "./history.ts"

const down = (reason: string, key = "") =>
  new Unavailable.Unavailable({
    downstream: "shipping",
    method: "quote",
    reason,
    detail: `no answer of ${key}`,
    retryable: true,
    applied: "no",
    retryAfterMillis: 700
  })

const labels = { downstream: "shipping", method: "quotes" } as const

/** What each carrier does. */
type Does = { readonly millis: number; readonly ends: "answers" | "down" | "stale" }

const asking =
  (carriers: ReadonlyMap<string, Does>) =>
  (key: string): Effect.Effect<Answer.Answer<string>, Unavailable.Unavailable> => {
    const { ends, millis } = carriers.get(key) ?? { ends: "down", millis: 0 }
    const ended: Effect.Effect<Answer.Answer<string>, Unavailable.Unavailable> = ends === "down"
      ? Effect.fail(down(`DOWN_${key}`, key))
      : Effect.succeed(
          ends === "answers"
            ? Answer.fresh(`of ${key}`)
            : Answer.degraded(`old of ${key}`, { quality: "stale", reason: "CIRCUIT_OPEN", asOf: millis })
        )
    return Effect.delay(ended, millis)
  }

describe("all answers as one", () => {
  const price = Answer.fresh(10)
  const stock = Answer.degraded("some", { quality: "stale", reason: "TIMEOUT", asOf: 5 })
  const names = Answer.degraded(["a"], { quality: "substituted", reason: "CIRCUIT_OPEN", asOf: 9 })

  it("keep their places, and are as good as the worst of them", () => {
    assert.deepEqual(Answer.all([price, stock, names]), {
      value: [10, "some", ["a"]],
      quality: "substituted",
      reason: "CIRCUIT_OPEN",
      asOf: 5
    })
    const page = Answer.all({ price, stock })
    const shown: { readonly price: number; readonly stock: string } = page.value
    assert.deepEqual(shown, { price: 10, stock: "some" })
    assert.strictEqual(page.quality, "stale")
    assert.deepEqual(Answer.all([]), { value: [], quality: "fresh" })
  })

  it("keep a place of any name", () => {
    assert.deepEqual(Object.keys(Answer.all({ ["__proto__"]: price, a: stock }).value), ["__proto__", "a"])
  })
})

describe("collecting answers", () => {
  it.effect("says of a key that was never asked that its time was spent", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust(10)
      const asked: Array<string> = []
      const call = (key: string) =>
        Effect.as(
          Effect.sync(() => asked.push(key)),
          key
        )
      const failure = yield* Answer.collect(["a"], call, { ...labels, within: "1 second" }).pipe(
        Effect.provideService(Deadline.Deadline, 10),
        Effect.flip
      )
      assert.deepInclude(failure, { reason: "DEADLINE_EXCEEDED", applied: "no" })
      assert.deepEqual(asked, [])
    })
  )

  it.effect("has those that answer and names those that do not, and says so", () =>
    Effect.gen(function* () {
      const bus = yield* Signal.make
      const signals: Array<Signal.Signal> = []
      yield* bus.subscribe((signal) => signals.push(signal))
      const journal = yield* Journal.make
      const call = (key: string) => (key === "ups" ? Effect.fail(down("CIRCUIT_OPEN")) : Effect.succeed(key.length))
      const answer = yield* Answer.collect(["dhl", "ups", "dhl", "gls-x"], call, labels).pipe(
        Effect.provideService(Signal.Bus, bus),
        Effect.provideService(Journal.Journal, journal)
      )
      assert.deepEqual(answer, {
        value: {
          entries: [
            ["dhl", 3],
            ["gls-x", 5]
          ],
          unreachable: ["ups"]
        },
        quality: "partial",
        reason: "CIRCUIT_OPEN"
      })
      assert.deepEqual(journal.entries(), [{ ...labels, quality: "partial", reason: "CIRCUIT_OPEN" }])
      assert.deepEqual(signals, [
        { _tag: "AnswerDegraded", at: 0, ...labels, quality: "partial", reason: "CIRCUIT_OPEN" }
      ])
    })
  )

  it.effect("fails where nobody is reached, or fewer than the quorum", () =>
    Effect.gen(function* () {
      const call = (key: number) => (key > 2 ? Effect.fail(down(`DOWN_${key}`, String(key))) : Effect.succeed(key))
      const none = yield* Effect.flip(Answer.collect([5, 3], call, labels))
      assert.deepInclude(none, { reason: "DOWN_5", retryable: true, retryAfterMillis: 700 })
      assert.strictEqual(none.detail, "0 of 2 reached, 1 needed: no answer of 5")
      const few = yield* Effect.flip(Answer.collect([1, 2, 3], call, { ...labels, quorum: 3 }))
      assert.strictEqual(few.detail, "2 of 3 reached, 3 needed: no answer of 3")
      assert.strictEqual((yield* Answer.collect([1, 2, 3], call, { ...labels, quorum: 2 })).quality, "partial")
      assert.strictEqual((yield* Answer.collect([1, 2], call, { ...labels, quorum: 9 })).quality, "fresh")
      assert.deepEqual(yield* Answer.collect([], call, labels), {
        value: { entries: [], unreachable: [] },
        quality: "fresh"
      })
    })
  )

  it.effect("counts as unreachable who is too slow, stops it, and passes the time on", () =>
    Effect.gen(function* () {
      let stopped = 0
      const deadlines: Array<number> = []
      const call = (key: string) =>
        Effect.gen(function* () {
          deadlines.push(yield* Deadline.Deadline)
          yield* Effect.sleep(key === "slow" ? 1000 : 10)
          return key
        }).pipe(Effect.onInterrupt(() => Effect.sync(() => stopped++)))
      const fiber = yield* Effect.forkChild(Answer.collect(["slow", "quick"], call, { ...labels, within: 100 }))
      yield* TestClock.adjust(100)
      const answer = yield* Fiber.join(fiber)
      assert.deepEqual(answer.value, { entries: [["quick", "quick"]], unreachable: ["slow"] })
      assert.deepEqual([answer.quality, answer.reason], ["partial", "TIMEOUT"])
      assert.strictEqual(stopped, 1)
      assert.deepEqual(deadlines, [100, 100])
    })
  )

  it.effect("fails at once with a permanent error, and stops those that run", () =>
    Effect.gen(function* () {
      let stopped = 0
      const call = (key: number) =>
        key === 2
          ? Effect.fail("not deliverable" as const)
          : Effect.onInterrupt(Effect.never, () => Effect.sync(() => stopped++))
      const exit = yield* Effect.exit(Answer.collect([1, 2, 3], call, labels))
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual(yield* Effect.flip(Answer.collect([2], call, labels)), "not deliverable")
      // The third had not begun.
      assert.strictEqual(stopped, 1)
    })
  )

  it.effect("runs so many at once, and takes so many keys", () =>
    Effect.gen(function* () {
      let running = 0
      let most = 0
      const call = () =>
        Effect.acquireUseRelease(
          Effect.sync(() => {
            most = Math.max(most, ++running)
          }),
          () => Effect.sleep(10),
          () => Effect.sync(() => running--)
        )
      const keys = Array.from({ length: 50 }, (_, nth) => nth)
      const fiber = yield* Effect.forkChild(Answer.collect(keys, call, { ...labels, concurrency: 7 }))
      yield* TestClock.adjust(1000)
      yield* Fiber.join(fiber)
      assert.strictEqual(most, 7)
      const many = yield* Effect.exit(
        Answer.collect(
          Array.from({ length: 1001 }, (_, nth) => nth),
          call,
          labels
        )
      )
      assert.include(String(many), "takes 1000 at most")
    })
  )
})

/** A history: carriers, a quorum, and what must come of them, found in one plain pass. */
const history = ({ between, chance, pick }: Choices) => {
  const keys = Array.from({ length: between(0, 6) }, () => `c${between(1, 8)}`)
  const carriers = new Map(
    keys.map((key): [string, Does] => [
      key,
      { millis: between(0, 50), ends: pick(["answers", "answers", "down", "stale"]) }
    ])
  )
  return { keys, carriers, quorum: chance(0.5) ? between(0, 6) : undefined }
}

const expected = ({ carriers, keys, quorum }: ReturnType<typeof history>): unknown => {
  const names = [...carriers.keys()]
  const unreachable = names.filter((key) => carriers.get(key)?.ends === "down")
  const reached = names.filter((key) => !unreachable.includes(key))
  if (unreachable.length > 0 && reached.length < Math.min(quorum ?? 1, names.length)) return `DOWN_${unreachable[0]}`
  const stale = reached.filter((key) => carriers.get(key)?.ends === "stale")
  const quality = unreachable.length > 0 ? "partial" : stale.length > 0 ? "stale" : "fresh"
  assert.isAtLeast(keys.length, names.length)
  return { reached, unreachable, quality, stale: stale.length > 0 }
}

type Collect = (of: ReturnType<typeof history>) => Effect.Effect<unknown>

const real: Collect = ({ carriers, keys, quorum }) =>
  Answer.collectAnswers(keys, asking(carriers), { ...labels, ...(quorum === undefined ? {} : { quorum }) }).pipe(
    Effect.match({
      onFailure: ({ reason }) => reason,
      onSuccess: ({ asOf, quality, value }) => ({
        reached: value.entries.map(([key]) => key),
        unreachable: value.unreachable,
        quality,
        stale: asOf !== undefined
      })
    })
  )

/** By who was faster, as a race of all of them would have it. */
const byTime: Collect = (of) => {
  const sorted = [...of.carriers].sort(([, a], [, b]) => a.millis - b.millis)
  return real({ ...of, keys: sorted.map(([key]) => key), carriers: new Map(sorted) })
}

/** One too few is enough. */
const lenient: Collect = (of) => real({ ...of, quorum: (of.quorum ?? 1) - 1 })

const differing = (collect: Collect, histories: number) =>
  Effect.gen(function* () {
    for (let seed = 0; seed < histories; seed++) {
      const of = history(choices(seed))
      const fiber = yield* Effect.forkChild(collect(of))
      yield* TestClock.adjust(1000)
      const got = yield* Fiber.join(fiber)
      if (JSON.stringify(got) !== JSON.stringify(expected(of))) return seed
    }
    return undefined
  })

describe("what is collected", () => {
  it.effect("depends on who is reached, never on who was faster (500 histories)", () =>
    Effect.map(differing(real, 500), (seed) => assert.isUndefined(seed, `history ${seed} differs`))
  )

  it.effect.each([
    { title: "the order of time", collect: byTime },
    { title: "a quorum that is one too small", collect: lenient }
  ])("and the planted bug '$title' is found", ({ collect }) =>
    Effect.map(differing(collect, 500), (seed) => assert.isDefined(seed))
  )
})
