/** Permits per key: who has some of his own, who shares, and to whom they come back. */
import { assert, describe, it } from "@effect/vitest"
import { Leaf, Policy } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { attemptAt, livingGate } from "./history.ts"
import { living } from "./kit.ts"

const policies = {
  bulkhead: (keysMax: number) => Policy.bulkhead({ permits: 4, queueMax: 0, keysMax }),
  adaptiveLimit: (keysMax: number) => Policy.adaptiveLimit({ limitInitial: 4, queueMax: 0, keysMax })
}

/** A gate by the words of a test. */
const doors = (policy: Policy.Policy) => {
  const { gate, instance, row } = livingGate(policy)
  const of = (key: string) => attemptAt(row, 0, { key })
  return {
    instance,
    state: () => instance.state(),
    /** So many enter under the key; how many were let in. */
    enter: (key: string, times = 1) =>
      Array.from({ length: times }, () => gate.enter(of(key))).filter((got) => typeof got === "number"),
    leave: (key: string, tokens: ReadonlyArray<number>) => {
      for (const token of tokens) gate.leave(of(key), token, "answered", 0, 0)
    }
  }
}

describe.each(Object.keys(policies) as ReadonlyArray<keyof typeof policies>)("the keys of %s", (kind) => {
  const make = policies[kind]

  it("are all one while it keeps none apart", () => {
    const { enter } = doors(make(0))
    assert.lengthOf([...enter("a", 2), ...enter("b", 2), ...enter("c", 2)], 4)
  })

  it("have permits of their own, and an idle one makes room for another", () => {
    const { enter, leave } = doors(make(2))
    enter("a")
    leave("b", enter("b"))
    assert.lengthOf(enter("c", 5), 4, "b is forgotten, so c has its own")
    assert.lengthOf(enter("d", 5), 4, "a and c are busy, so d shares, and nobody has taken anything there yet")
    assert.lengthOf(enter("e", 5), 0, "with e")
    assert.lengthOf(enter("a", 5), 3, "and a has what is left of its own")
  })

  it("get back what was taken under them, also what they shared meanwhile", () => {
    const { enter, leave, state } = doors(make(1))
    const a = enter("a")
    const shared = enter("b", 4)
    assert.lengthOf(shared, 4)
    leave("a", a)
    const own = enter("b")
    assert.lengthOf(own, 1, "a is idle, so b has its own now")
    assert.strictEqual(state()["running"], 5)
    leave("b", shared)
    assert.strictEqual(state()["running"], 1)
    leave("b", own)
    assert.strictEqual(state()["running"], 0)
  })

  it.effect("hold the permit of a promise that nobody waits for any more, as long as it runs", () =>
    Effect.gen(function* () {
      const stack = Policy.stack(make(0), Policy.timeout("10 millis"))
      const { intercept, state } = yield* living(stack)
      const { promise, resolve } = Promise.withResolvers<string>()
      const stubborn = Leaf.call(
        () => promise,
        () => "failed"
      )
      const caller = yield* Effect.forkChild(Effect.exit(intercept(stubborn)))
      yield* TestClock.adjust("20 millis")
      yield* Fiber.join(caller)
      assert.strictEqual(state().running, 1)
      resolve("late")
      yield* Effect.promise(() => new Promise<void>((heard) => setImmediate(heard)))
      assert.strictEqual(state().running, 0)
    })
  )
})

describe("the state of an adaptive limit", () => {
  it("counts its keys, or says where the one limit stands", () => {
    const keyed = doors(policies.adaptiveLimit(2))
    keyed.enter("a")
    assert.deepEqual(keyed.state(), { running: 1, waiting: 0, keys: 1 })
    const one = doors(policies.adaptiveLimit(0))
    one.enter("a")
    assert.deepEqual(one.state(), { running: 1, waiting: 0, limit: 4, rttMillis: 0, rttBaseMillis: 0 })
  })
})
