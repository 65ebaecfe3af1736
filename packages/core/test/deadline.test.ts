import { assert, describe, it } from "@effect/vitest"
import { Call, Deadline, Policy } from "@failsoft/core"
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
})
