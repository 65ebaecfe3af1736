import { assert, describe, it } from "@effect/vitest"
import { Fallback, Unavailable } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"

const failure = new Unavailable.Unavailable({
  downstream: "shop",
  method: "show",
  reason: "TIMEOUT",
  detail: "late",
  retryable: true,
  applied: "no"
})

const request = (key: string, now = 0, startedAt = now): Fallback.Request => ({
  payload: key,
  key: () => key,
  idempotencyKey: () => key,
  startedAt,
  now
})

/** Builds the steps and asks them in order, as a ring does. */
const living = (fallback: Fallback.Fallback<unknown, never>) =>
  Effect.map(
    Effect.forEach(fallback.steps, (step) => step.build),
    (steps) => ({
      observe: (key: string, value: unknown, now = 0, startedAt = now) => {
        for (const step of steps) step.observe?.(request(key, now, startedAt), value)
      },
      ask: (key: string, now = 0) =>
        Effect.gen(function* () {
          for (const step of steps) {
            const answer = yield* step.answer(request(key, now), failure)
            if (Option.isSome(answer)) return answer.value
          }
          return undefined
        })
    })
  )

describe("fallbacks", () => {
  it.effect("value and omit always answer, each with its quality", () =>
    Effect.gen(function* () {
      const ask = (fallback: Fallback.Fallback<unknown, never>) => Effect.flatMap(living(fallback), (of) => of.ask("a"))
      assert.deepEqual(yield* ask(Fallback.value(1)), { value: 1, quality: "substituted", reason: "TIMEOUT" })
      assert.deepEqual(yield* ask(Fallback.value(1, { quality: "optimistic" })), {
        value: 1,
        quality: "optimistic",
        reason: "TIMEOUT"
      })
      assert.deepEqual(yield* ask(Fallback.omit([])), { value: [], quality: "omitted", reason: "TIMEOUT" })
    })
  )

  it.effect("stale answers up to its maximum age and not beyond", () =>
    Effect.gen(function* () {
      const { observe, ask } = yield* living(Fallback.stale({ maxAge: "1 second", entriesMax: 10 }))
      observe("a", 1, 500)
      assert.deepEqual(yield* ask("a", 1500), { value: 1, quality: "stale", asOf: 500, reason: "TIMEOUT" })
      assert.isUndefined(yield* ask("b", 1500))
      assert.isUndefined(yield* ask("a", 1501))
    })
  )

  it.effect("stale keeps the answer whose call began last, whichever came last", () =>
    Effect.gen(function* () {
      const { ask, observe } = yield* living(Fallback.stale({ maxAge: "1 second", entriesMax: 10 }))
      observe("a", "later", 600, 500)
      observe("a", "slower", 900, 400)
      assert.deepInclude(yield* ask("a", 1000), { value: "later", asOf: 500 })
      observe("a", "as late", 1000, 500)
      assert.deepInclude(yield* ask("a", 1000), { value: "as late", asOf: 500 })
      // A clock that was set back: what is of a time to come says nothing.
      observe("a", "now", 100, 90)
      assert.deepInclude(yield* ask("a", 100), { value: "now", asOf: 90 })
    })
  )

  it.effect("stale keeps the answers that were used last, at most so many", () =>
    Effect.gen(function* () {
      const { observe, ask } = yield* living(Fallback.stale({ maxAge: "1 hour", entriesMax: 2 }))
      observe("a", 1)
      observe("b", 2)
      yield* ask("a")
      observe("c", 3)
      assert.isUndefined(yield* ask("b"))
      assert.strictEqual((yield* ask("a"))?.value, 1)
      assert.strictEqual((yield* ask("c"))?.value, 3)
    })
  )

  it.effect("a step that fails, dies or is late passes on to the next", () =>
    Effect.gen(function* () {
      for (const broken of [Effect.fail("no"), Effect.die("bug"), Effect.never]) {
        const chain = Fallback.chain(
          Fallback.compute({ compute: () => broken, within: "50 millis" }),
          Fallback.value(2)
        )
        const { ask } = yield* living(chain)
        const fiber = yield* Effect.forkChild(ask("a"))
        yield* TestClock.adjust("50 millis")
        assert.strictEqual((yield* Fiber.join(fiber))?.value, 2)
      }
    })
  )

  it.effect("a chain asks in order and stops at the first answer", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const step = (name: string) =>
        Fallback.compute({
          compute: (payload: string) => {
            asked.push(`${name} ${payload}`)
            return name === "second" ? Effect.succeed(name) : Effect.fail("no")
          }
        })
      const { ask } = yield* living(
        Fallback.chain(step("first"), step("second"), step("third"), Fallback.value("last"))
      )
      assert.strictEqual((yield* ask("a"))?.value, "second")
      assert.deepEqual(asked, ["first a", "second a"])
    })
  )

  it.effect("enqueue offers the request under its key and answers deferred", () =>
    Effect.gen(function* () {
      const queue = new Map<string, unknown>()
      const { ask } = yield* living(
        Fallback.enqueue({ offer: (payload: string, key) => Effect.sync(() => queue.set(key, payload).size) })
      )
      assert.deepInclude(yield* ask("a"), { value: 1, quality: "deferred" })
      assert.deepEqual([...queue], [["a", "a"]])
    })
  )

  it.effect("an interrupted fallback is interrupted, not passed on", () =>
    Effect.gen(function* () {
      const { ask } = yield* living(
        Fallback.chain(Fallback.compute({ compute: () => Effect.never }), Fallback.value(1))
      )
      const fiber = yield* Effect.forkChild(ask("a"))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(exit._tag === "Failure" && exit.cause.reasons.every((reason) => reason._tag === "Interrupt"))
    })
  )
})
