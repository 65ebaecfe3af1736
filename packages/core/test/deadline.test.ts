import { assert, describe, it } from "@effect/vitest"
import { Call, Composition, Deadline, Policy } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { ending, good, living, script } from "./kit.ts"

describe("deadline", () => {
  it.effect("interrupts the call at its end and refuses", () =>
    Effect.gen(function* () {
      let interrupted = false
      const { intercept } = yield* living(Policy.deadline("1 second"))
      const hang = Effect.onInterrupt(Effect.never, () =>
        Effect.sync(() => {
          interrupted = true
        })
      )
      const fiber = yield* Effect.forkChild(ending(intercept(hang)))
      yield* TestClock.adjust("999 millis")
      assert.isFalse(interrupted)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(fiber), "DEADLINE_EXCEEDED")
      assert.isTrue(interrupted)
    })
  )

  it.effect("travels to what runs below it, and a nested one can only be earlier", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(Policy.stack(Policy.deadline("1 second"), Policy.deadline("1 hour")))
      let left = 0
      yield* intercept(
        Effect.flatMap(Deadline.remainingMillis, (millis) => {
          left = millis
          return good
        })
      )
      assert.strictEqual(left, 1000)
    })
  )

  it.effect("sends nothing when the request's own deadline is spent on arrival", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(Policy.deadline("1 second"))
      const { call, asked } = script(good)
      yield* TestClock.adjust("10 seconds")
      const end = yield* ending(intercept(call)).pipe(Effect.provideService(Deadline.Deadline, 10_000))
      assert.strictEqual(end, "DEADLINE_EXCEEDED")
      assert.strictEqual(asked(), 0)
    })
  )

  it.effect("lets an answer pass untouched", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(Policy.deadline("1 second"))
      assert.strictEqual(yield* ending(intercept(Call.answer(1))), "answered")
      assert.strictEqual(yield* ending(intercept(Call.permanent("no"))), "permanent")
    })
  )

  it.effect.each([
    { title: "alone", stack: Policy.deadline("1 second", { mode: "dark" }) },
    {
      title: "in a stack that shares a frame",
      stack: Policy.stack(
        Policy.deadline("1 second", { mode: "dark" }),
        Policy.retry({ times: 1 }),
        Policy.timeout("1 minute")
      )
    },
    {
      title: "around something of one's own",
      stack: Policy.stack(
        Policy.deadline("1 second", { mode: "dark" }),
        Policy.make("own", () => (call) => call),
        Policy.timeout("1 minute")
      )
    }
  ])("in the dark lets a late call end, counts it, and tells nobody within ($title)", ({ stack }) =>
    Effect.gen(function* () {
      const { intercept, state, told } = yield* living(stack)
      assert.notProperty(state(), "passed", "what has not happened is not shown")
      let left = 0
      const call = Effect.flatMap(Deadline.remainingMillis, (millis) => {
        left = millis
        return Effect.delay(good, "3 seconds")
      })
      const fiber = yield* Effect.forkChild(ending(intercept(call)))
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "answered")
      assert.strictEqual(left, Number.POSITIVE_INFINITY)
      assert.strictEqual(yield* ending(intercept(good)), "answered")
      assert.deepInclude(state(), { passed: 1 })
      assert.deepEqual(
        told("CallRefused").map((of) => (of._tag === "CallRefused" ? [of.at, of.policy, of.reason, of.dark] : [])),
        [[3000, "deadline", "DEADLINE_EXCEEDED", true]]
      )
    })
  )

  it.effect("in the dark still keeps the caller's deadline", () =>
    Effect.gen(function* () {
      const { intercept, told } = yield* living(
        Policy.stack(Policy.deadline("1 second", { mode: "dark" }), Policy.timeout("1 minute"))
      )
      const fiber = yield* Effect.forkChild(
        ending(intercept(Effect.never)).pipe(Effect.provideService(Deadline.Deadline, 500))
      )
      yield* TestClock.adjust(500)
      assert.strictEqual(yield* Fiber.join(fiber), "DEADLINE_EXCEEDED")
      assert.deepEqual(
        told("CallRefused").map((of) => (of._tag === "CallRefused" ? of.dark : undefined)),
        [false]
      )
    })
  )

  it("in the dark must not be the only bound, and its worst case is that of the rest", () => {
    const dark = Policy.deadline("1 second", { mode: "dark" })
    assert.match(Composition.problemsOf(dark).join(), /deadline\.mode \(dark\) leaves the call without a time bound/)
    assert.deepEqual(Composition.problemsOf(Policy.stack(dark, Policy.timeout(400))), [])
    const stack = Policy.stack(dark, Policy.retry({ times: 1, base: 10, delayMax: 10 }), Policy.timeout(400))
    assert.strictEqual(Composition.worstLatencyMillis(stack), 810)
  })
})
