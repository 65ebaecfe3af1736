import { assert, describe, it } from "@effect/vitest"
import { type Call, CallKey, type Gate, Leaf, Policy, Signal } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { bad, ending, good, living } from "./kit.ts"

/** Lets the promises that have settled be heard. */
const heard = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

const one = Policy.bulkhead({ permits: 1, queueMax: 1 })

/** A gate of somebody's own that throws where the test says. */
const faulty = (throws: { enter?: boolean; leave?: boolean }) =>
  Policy.fromInstance({
    kind: "faulty",
    marks: ["unbounded"],
    make: () =>
      Effect.sync(() => {
        const gate: Gate.Gate = {
          enter: () => {
            if (throws.enter === true) throw new Error("enter")
            return 0
          },
          leave: () => {
            if (throws.leave === true) throw new Error("leave")
          }
        }
        return { form: { _tag: "Gate", gate }, state: () => ({}) }
      })
  })

const defectOf = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit)
    ? exit.cause.reasons.map((reason) => (reason._tag === "Die" ? String(reason.defect) : reason._tag))
    : "none"

describe("an attempt", () => {
  it.effect("ends with the defect of a leaf's function that throws, and gives back its permit", () =>
    Effect.gen(function* () {
      const { intercept, state } = yield* living(Policy.stack(one, Policy.timeout("1 second")))
      const call = Leaf.call(
        () => Promise.reject(new Error("no")),
        () => {
          throw new Error("onError")
        }
      )
      const fiber = yield* Effect.forkChild(Effect.exit(intercept(call)))
      yield* heard
      yield* TestClock.adjust("10 seconds")
      assert.deepEqual(defectOf(yield* Fiber.join(fiber)), ["Error: onError"])
      assert.strictEqual(state().running, 0)
    })
  )

  it.effect("a gate that throws after a wait ends the call, and what was taken is given back", () =>
    Effect.gen(function* () {
      const throws = { enter: false }
      const { intercept, state } = yield* living(Policy.stack(one, faulty(throws), Policy.timeout("1 second")))
      const first = yield* Effect.forkChild(intercept(Effect.delay(good, "50 millis")))
      yield* Effect.yieldNow
      const second = yield* Effect.forkChild(Effect.exit(intercept(good)))
      yield* Effect.yieldNow
      throws.enter = true
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(first)
      assert.deepEqual(defectOf(yield* Fiber.join(second)), ["Error: enter"])
      assert.strictEqual(state().running, 0)
    })
  )

  it.effect("a promise that outlives its caller gives its permit back to its own key", () =>
    Effect.gen(function* () {
      const keyed = Policy.bulkhead({ permits: 1, queueMax: 0, keysMax: 10 })
      const { intercept, state } = yield* living(Policy.stack(keyed, Policy.timeout("1 second")))
      let settle = () => {}
      const call = Leaf.call(
        () => new Promise<string>((resolve) => (settle = () => resolve("late"))),
        () => "failed"
      )
      const fiber = yield* Effect.forkChild(Effect.provideService(intercept(call), CallKey.CallKey, "tenant"))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(state().running, 1)
      settle()
      yield* heard
      assert.strictEqual(state().running, 0)
    })
  )

  for (const [name, call] of [
    ["at once", good],
    ["later", Effect.delay(good, "50 millis")]
  ] as const) {
    it.effect(`a gate that throws when it is left ends the call that ends ${name}, and the others are left`, () =>
      Effect.gen(function* () {
        const { intercept, state } = yield* living(
          Policy.stack(one, faulty({ leave: true }), Policy.timeout("1 second"))
        )
        const fiber = yield* Effect.forkChild(Effect.exit(intercept(call)))
        yield* TestClock.adjust("10 seconds")
        assert.deepEqual(defectOf(yield* Fiber.join(fiber)), ["Error: leave"])
        assert.strictEqual(state().running, 0)
      })
    )
  }

  const stacks = {
    "two attempts at once": [
      Policy.deadline("100 millis"),
      Policy.hedge({ delay: "10 millis", budgetPerSecond: 100 }),
      Policy.timeout("1 second")
    ],
    "a retry between two frames": [
      Policy.deadline("100 millis"),
      Policy.bulkhead(),
      Policy.retry(),
      Policy.timeout("1 second")
    ],
    "a timeout between two frames": [
      Policy.deadline("100 millis"),
      Policy.timeout("2 seconds"),
      Policy.bulkhead(),
      Policy.timeout("1 second")
    ]
  }
  for (const [name, policies] of Object.entries(stacks)) {
    for (const fused of [true, false]) {
      it.effect(`tells of its deadline once: ${name}, ${fused ? "fused" : "one by one"}`, () =>
        Effect.gen(function* () {
          const bus = yield* Signal.make
          const refused: Array<string> = []
          yield* bus.subscribe((signal) => {
            if (signal._tag === "CallRefused") refused.push(signal.reason)
          })
          const row = { downstream: "shop", method: "get", bus }
          const { intercept } = yield* Policy.build(Policy.stack(...policies), row, { fused })
          const hanging: Call.Call<string> = Effect.never
          const fiber = yield* Effect.forkChild(ending(intercept(hanging)))
          yield* TestClock.adjust("1 second")
          assert.strictEqual(yield* Fiber.join(fiber), "DEADLINE_EXCEEDED")
          assert.deepEqual(refused, ["DEADLINE_EXCEEDED"])
        })
      )
    }
  }

  for (const fused of [true, false]) {
    it.effect(`a probe goes on past the deadline, whatever stands within: ${fused ? "fused" : "one by one"}`, () =>
      Effect.gen(function* () {
        const bus = yield* Signal.make
        const changes: Array<string> = []
        yield* bus.subscribe((signal) => {
          if (signal._tag === "CircuitChanged") changes.push(signal.reason)
        })
        const stack = Policy.stack(
          Policy.deadline("100 millis"),
          Policy.circuitBreaker({ minimumCalls: 1, probes: 1, openFor: "1 second", jitter: 0, ramp: false }),
          Policy.retry({ times: 1, base: "1 millis" }),
          Policy.timeout("500 millis")
        )
        const { intercept } = yield* Policy.build(stack, { downstream: "shop", method: "get", bus }, { fused })
        yield* Effect.forkChild(ending(intercept(bad)))
        yield* TestClock.adjust("2 seconds")
        const probe = yield* Effect.forkChild(ending(intercept(Effect.delay(good, "200 millis"))))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(probe), "DEADLINE_EXCEEDED")
        assert.deepEqual(changes, ["failure-rate", "open-time-over", "probes-answered"])
      })
    )
  }
})
