import { assert, describe, it } from "@effect/vitest"
import { Gate, Policy, Refused } from "@failsoft/core"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { attemptAt, livingGate } from "./history.ts"
import { ending, good, living } from "./kit.ts"

const held = Effect.gen(function* () {
  const gate = yield* Deferred.make<void>()
  return { call: Effect.andThen(Deferred.await(gate), good), open: Deferred.succeed(gate, undefined) }
})

describe("bulkhead", () => {
  it.effect("runs as many as it has permits, queues as many as it may, refuses the rest at once", () =>
    Effect.gen(function* () {
      const { intercept, state } = yield* living(Policy.bulkhead({ permits: 2, queueMax: 1 }))
      const { call, open } = yield* held
      const first = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(ending(intercept(call))))
      yield* Effect.yieldNow
      assert.deepEqual(state(), { running: 2, waiting: 1 })
      assert.strictEqual(yield* ending(intercept(call)), "BULKHEAD_FULL")
      yield* open
      assert.deepEqual(yield* Effect.forEach(first, Fiber.join), ["answered", "answered", "answered"])
      assert.deepEqual(state(), { running: 0, waiting: 0 })
    })
  )

  it.effect("serves its queue in order of arrival", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(Policy.bulkhead({ permits: 1, queueMax: 3 }))
      const order: Array<number> = []
      const fibers = yield* Effect.forEach([1, 2, 3, 4], (n) =>
        Effect.forkChild(
          ending(
            intercept(
              Effect.delay(
                Effect.andThen(
                  Effect.sync(() => void order.push(n)),
                  good
                ),
                "10 millis"
              )
            )
          )
        )
      )
      yield* TestClock.adjust("100 millis")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepEqual(order, [1, 2, 3, 4])
    })
  )

  it.effect("refuses who waited too long, and gives the place to others", () =>
    Effect.gen(function* () {
      const { intercept, state } = yield* living(Policy.bulkhead({ permits: 1, queueMax: 1, waitMax: "50 millis" }))
      const { call, open } = yield* held
      yield* Effect.forkChild(ending(intercept(call)))
      const waiter = yield* Effect.forkChild(ending(intercept(call)))
      yield* TestClock.adjust("50 millis")
      assert.strictEqual(yield* Fiber.join(waiter), "BULKHEAD_WAIT_EXCEEDED")
      assert.deepEqual(state(), { running: 1, waiting: 0 })
      yield* open
    })
  )

  it.effect("frees the place of an interrupted waiter and the permit of an interrupted call", () =>
    Effect.gen(function* () {
      const { intercept, state } = yield* living(Policy.bulkhead({ permits: 1, queueMax: 1 }))
      const { call } = yield* held
      const running = yield* Effect.forkChild(ending(intercept(call)))
      const waiter = yield* Effect.forkChild(ending(intercept(call)))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(waiter)
      assert.deepEqual(state(), { running: 1, waiting: 0 })
      yield* Fiber.interrupt(running)
      assert.deepEqual(state(), { running: 0, waiting: 0 })
      assert.strictEqual(yield* ending(intercept(good)), "answered")
    })
  )

  it.effect("without a queue refuses at once", () =>
    Effect.gen(function* () {
      const { intercept, told } = yield* living(Policy.bulkhead({ permits: 1, queueMax: 0 }))
      const { call } = yield* held
      yield* Effect.forkChild(ending(intercept(call)))
      yield* Effect.yieldNow
      assert.strictEqual(yield* ending(intercept(call)), "BULKHEAD_FULL")
      assert.lengthOf(told("CallRefused"), 1)
    })
  )

  it("forgets no key that is busy: while all are, new ones share the permits of one", () => {
    const { gate, instance, row } = livingGate(Policy.bulkhead({ permits: 1, queueMax: 1, keysMax: 1 }))
    const of = (key: string) => attemptAt(row, 0, { key })
    const enters = (key: string) => gate.enter(of(key))
    const leaves = (key: string, got: unknown) => gate.leave(of(key), Number(got), "answered", 0, 0)
    const a = enters("a")
    const waiter = enters("a")
    const b = enters("b")
    assert.isNumber(b, "another key has a permit")
    const c = enters("c")
    assert.instanceOf(c, Gate.Ticket, "which it shares with a third")
    assert.instanceOf(enters("d"), Refused.Refused)
    leaves("a", a)
    assert.isTrue(waiter instanceof Gate.Ticket && waiter.settled, "who waits for a busy key is served by its calls")
    leaves("b", b)
    assert.isTrue(c instanceof Gate.Ticket && c.settled)
    if (c instanceof Gate.Ticket) leaves("c", c.token)
    if (waiter instanceof Gate.Ticket) leaves("a", waiter.token)
    assert.deepEqual(instance.state(), { running: 0, waiting: 0 })
    assert.isNumber(enters("d"), "an idle key makes room again")
  })

  it("gives back its permits when keys are turned on and off while calls run", () => {
    const { gate, instance, row } = livingGate(Policy.bulkhead({ permits: 2 }))
    const of = attemptAt(row, 0, { key: "a" })
    const shared = gate.enter(of)
    instance.assign({ keysMax: 10 })
    const keyed = gate.enter(of)
    instance.assign({ keysMax: 0 })
    for (const token of [shared, keyed]) if (typeof token === "number") gate.leave(of, token, "answered", 0, 0)
    assert.deepEqual(instance.state(), { running: 0, waiting: 0 })
  })
})
