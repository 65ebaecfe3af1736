import { assert, describe, it } from "@effect/vitest"
import { Policy } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { ending, good, living } from "./kit.ts"

describe("timeout", () => {
  it.effect("fails a late attempt as transient, interrupts it, and says so", () =>
    Effect.gen(function* () {
      let interrupted = false
      const { intercept, told } = yield* living(Policy.timeout("100 millis"))
      const slow = Effect.onInterrupt(Effect.delay(good, "1 second"), () =>
        Effect.sync(() => {
          interrupted = true
        })
      )
      const fiber = yield* Effect.forkChild(ending(intercept(slow)))
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(yield* Fiber.join(fiber), "TimedOut")
      assert.isTrue(interrupted)
      assert.lengthOf(told("AttemptTimedOut"), 1)
    })
  )

  it.effect("lets an attempt through that is in time", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(Policy.timeout("100 millis"))
      const fiber = yield* Effect.forkChild(ending(intercept(Effect.delay(good, "99 millis"))))
      yield* TestClock.adjust("99 millis")
      assert.strictEqual(yield* Fiber.join(fiber), "answered")
    })
  )
})
