import { assert, describe, it } from "@effect/vitest"
import { Fallback, HealthWatch, Policy, Settings, Signal, Transient } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { Shop } from "./shop.ts"

const down = new Transient.Transient({ cause: "connection_refused", applied: "no" })

/** A shop whose circuit stays open for a minute, watched every second. */
const world = () => {
  const state = { dead: true, well: false, asked: 0, calls: 0 }
  const call = () =>
    Effect.suspend(() => {
      state.calls++
      return state.dead ? Effect.fail(down) : Effect.succeed(7)
    })
  const breaker = Policy.circuitBreaker({
    minimumCalls: 1,
    openFor: "1 minute",
    openMax: "1 minute",
    jitter: 0,
    probes: 1
  })
  const policy = Policy.stack(Policy.deadline("1 second"), breaker, Policy.timeout("100 millis"))
  const ring = Layer.provide(
    Shop.layer({
      show: { policy, fallback: Fallback.value(0) },
      peek: { policy, fallback: Fallback.value(0) },
      charge: { policy }
    }),
    Shop.transport({ show: call, peek: call, charge: call })
  )
  const watch = HealthWatch.layer({
    downstream: "shop",
    healthy: Effect.sync(() => {
      state.asked++
      return state.well
    })
  })
  const layer = Layer.merge(ring, watch).pipe(Layer.provideMerge(Layer.merge(Signal.layer, Settings.layer)))
  return { state, layer }
}

const shown = Effect.map(
  Shop.use((of) => of.show({ id: "a" })),
  ({ value }) => value
)

describe("the health watch", () => {
  it.effect("ends the open time as soon as the downstream says that it is well, and asks only while it is open", () => {
    const { layer, state } = world()
    return Effect.gen(function* () {
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(state.asked, 0, "nothing is open")
      assert.strictEqual(yield* shown, 0)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(state.asked, 5)
      assert.strictEqual(yield* shown, 0)
      assert.strictEqual(state.calls, 1, "still open")
      state.dead = false
      state.well = true
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* shown, 7, "long before the minute is over")
      yield* shown
      const asked = state.asked
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(state.asked, asked)
    }).pipe(Effect.provide(layer))
  })

  it.effect("a downstream that says it too early costs its probes and no more", () => {
    const { layer, state } = world()
    return Effect.gen(function* () {
      yield* shown
      state.well = true
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* shown, 0)
      assert.strictEqual(state.calls, 2, "one probe")
      assert.strictEqual(yield* shown, 0)
      assert.strictEqual(state.calls, 2, "open again")
    }).pipe(Effect.provide(layer))
  })
})
