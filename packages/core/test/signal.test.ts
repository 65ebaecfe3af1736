import { assert, describe, it } from "@effect/vitest"
import { Policy, Signal, SignalStream } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { bad, ending, good } from "./kit.ts"

const timedOut = (nth: number): Signal.Signal => ({
  _tag: "AttemptTimedOut",
  at: nth,
  downstream: "shop",
  method: "get",
  limitMillis: 1
})

describe("signals", () => {
  it.effect("reach several listeners, and one that throws takes nothing from the others or the call", () =>
    Effect.gen(function* () {
      const bus = yield* Signal.make
      const first: Array<Signal.Signal> = []
      const second: Array<Signal.Signal> = []
      yield* bus.subscribe((signal) => first.push(signal))
      yield* bus.subscribe(() => {
        throw new Error("a bad consumer")
      })
      yield* bus.subscribe((signal) => second.push(signal))
      const policy = Policy.stack(Policy.retry({ times: 1 }), Policy.circuitBreaker({ minimumCalls: 1 }))
      const { intercept } = yield* Policy.build(policy, { downstream: "shop", method: "get", bus })
      yield* Effect.forkChild(ending(intercept(bad)))
      yield* Effect.yieldNow
      assert.deepEqual(first, second)
      assert.include(
        first.map(({ _tag }) => _tag),
        "CircuitChanged"
      )
      assert.strictEqual(bus.failed, first.length)
    })
  )

  it.effect("a slow consumer loses signals with a count, and a quick one beside it loses none", () =>
    Effect.gen(function* () {
      const bus = yield* Signal.make
      const slow = yield* SignalStream.make(bus, { bufferMax: 3 })
      const quick: Array<number> = []
      yield* bus.subscribe((signal) => quick.push(signal.at))
      for (let nth = 0; nth < 10; nth++) bus.emit(timedOut(nth))
      assert.lengthOf(quick, 10)
      assert.strictEqual(slow.dropped(), 7)
      const taken = yield* Stream.runCollect(Stream.take(slow.stream, 3))
      assert.deepEqual(
        taken.map(({ at }) => at),
        [0, 1, 2]
      )
      bus.emit(timedOut(10))
      assert.strictEqual(slow.dropped(), 7, "there is room again")
    })
  )

  it.effect("a subscription ends with its scope, and the bus is inactive again", () =>
    Effect.gen(function* () {
      const bus = yield* Signal.make
      const scope = yield* Scope.make()
      const { stream } = yield* Scope.provide(SignalStream.make(bus), scope)
      assert.isTrue(bus.active)
      const consumer = yield* Effect.forkChild(Stream.runDrain(stream))
      yield* Effect.yieldNow
      yield* Scope.close(scope, Exit.void)
      assert.isFalse(bus.active)
      yield* Fiber.await(consumer)
    })
  )

  it.effect("without a listener nothing is emitted at all", () =>
    Effect.gen(function* () {
      let emitted = 0
      const bus: Signal.SignalBus = { active: false, failed: 0, emit: () => emitted++, subscribe: () => Effect.void }
      const policy = Policy.stack(Policy.deadline("1 second"), Policy.circuitBreaker({ minimumCalls: 1 }))
      const { intercept } = yield* Policy.build(policy, { downstream: "shop", method: "get", bus })
      yield* ending(intercept(bad))
      yield* ending(intercept(good))
      assert.strictEqual(emitted, 0)
    })
  )

  it.effect("a buffer needs room", () =>
    Effect.gen(function* () {
      const bus = yield* Signal.make
      const exit = yield* Effect.exit(SignalStream.make(bus, { bufferMax: 0 }))
      assert.isTrue(Exit.isFailure(exit) && String(exit.cause).includes("bufferMax must be a whole number"))
    })
  )
})
