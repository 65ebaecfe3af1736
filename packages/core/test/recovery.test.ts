/** How traffic comes back after an outage, in virtual time: quickly to a healthy downstream, gently to a cold one. */
import { assert, describe, it } from "@effect/vitest"
import { Call, Policy } from "@failsoft/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { bad, good, living } from "./kit.ts"

const breaker = Policy.circuitBreaker({
  failureRate: 0.9,
  minimumCalls: 10,
  openFor: "500 millis",
  jitter: 0,
  probes: 3
})

/** Calls at a steady rate for so many milliseconds, none of which waits for another. */
const traffic = (ask: Effect.Effect<unknown, unknown>, perSecond: number, millis: number) =>
  Effect.gen(function* () {
    for (let at = 0; at < millis; at += 1000 / perSecond) {
      yield* Effect.forkChild(Effect.exit(ask))
      yield* TestClock.adjust(1000 / perSecond)
    }
  })

const opened = Effect.gen(function* () {
  const of = yield* living(breaker)
  yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.exit(of.intercept(bad)))
  assert.strictEqual(of.state().circuit, "open")
  const changed = (to: string) =>
    of.signals.flatMap((signal) => (signal._tag === "CircuitChanged" && signal.to === to ? [signal.at] : []))
  return { ...of, changed }
})

describe("recovery", () => {
  it.effect("of a healthy downstream takes well under a second: 5 ms an answer, 200 calls a second", () =>
    Effect.gen(function* () {
      const { changed, intercept, state } = yield* opened
      yield* traffic(intercept(Effect.delay(good, 5)), 200, 1000)
      assert.strictEqual(state().circuit, "closed")
      const took = (changed("closed")[0] ?? Number.POSITIVE_INFINITY) - (changed("half-open")[0] ?? 0)
      assert.isAtMost(took, 100)
    })
  )

  it.effect("of a healthy downstream takes ten round trips of 100 ms where forty calls must run at once", () =>
    Effect.gen(function* () {
      const { changed, intercept, state } = yield* opened
      // 40 at once: 3, 6, 12, 24, 48.
      yield* traffic(intercept(Effect.delay(good, 100)), 400, 3000)
      assert.strictEqual(state().circuit, "closed")
      const took = (changed("closed")[0] ?? Number.POSITIVE_INFINITY) - (changed("half-open")[0] ?? 0)
      assert.isAtMost(took, 1000)
    })
  )

  it.effect("of a cold one, a tenth of whose capacity is there at first, is no stampede", () =>
    Effect.gen(function* () {
      const { intercept, signals } = yield* opened
      const start = yield* Clock.currentTimeMillis
      let running = 0
      let over = 0
      let mostOver = 0
      let answered = 0
      let sent = 0
      // 20 workers of 50 ms serve 400 a second; it begins with 2 of them and gains the others over 30 s.
      const cold = Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const capacity = Math.min(20, 2 + (18 * (now - start)) / 30_000)
        sent++
        running++
        const fits = running <= capacity
        if (!fits) over++
        mostOver = Math.max(mostOver, running - capacity)
        const call: Call.Call<string, string> = fits ? Call.answer("good") : Call.transient("overloaded")
        return yield* Effect.delay(call, 50).pipe(Effect.ensuring(Effect.sync(() => running--)))
      })
      const ask = Effect.tap(intercept(cold), (result) => Effect.sync(() => result._tag === "Success" && answered++))
      yield* traffic(ask, 240, 40_000)
      // An oracle that sends only what fits would have 7,933 of the 9,600 answered; without a breaker, which sends all
      // 9,600, 3,998 meet full workers and 5,592 are answered.
      assert.isBelow(over / sent, 0.15, `${over} of ${sent} sent were too many`)
      assert.isAtMost(mostOver, 8)
      assert.isAbove(answered, 6000)
      const last = signals.findLast((signal) => signal._tag === "CircuitChanged")
      assert.strictEqual(last?._tag === "CircuitChanged" && last.to, "closed")
    })
  )
})
