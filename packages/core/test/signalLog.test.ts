import { assert, describe, it } from "@effect/vitest"
import { Refused, Signal, SignalLog } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"

const refused = (at: number, reason: string): Signal.Signal => ({
  _tag: "CallRefused",
  at,
  downstream: "shop",
  method: "get",
  policy: "breaker",
  reason,
  dark: false,
  refused: Refused.make({ policy: "breaker", reason })
})

/** What is logged of the signals, and how many of those alike a line stands for. */
const logged = (signals: ReadonlyArray<Signal.Signal>, bufferMax = 1024) => {
  const lines: Array<Readonly<Record<string, unknown>>> = []
  const logger = Logger.make(({ fiber }) => {
    lines.push({ ...fiber.getRef(References.CurrentLogAnnotations) })
  })
  return Effect.gen(function* () {
    const bus = yield* Signal.Bus
    for (const signal of signals) bus.emit(signal)
    for (let i = 0; i < 10; i++) yield* Effect.yieldNow
    return lines
  }).pipe(
    Effect.scoped,
    Effect.provide(
      SignalLog.layer({ bufferMax }).pipe(Layer.provideMerge(Signal.layer), Layer.provideMerge(Logger.layer([logger])))
    )
  )
}

describe("the log of signals", () => {
  it.effect("writes one line a second for refusals that are alike, and says for how many it stands", () =>
    Effect.gen(function* () {
      const lines = yield* logged([
        refused(0, "CIRCUIT_OPEN"),
        refused(10, "CIRCUIT_OPEN"),
        refused(20, "BULKHEAD_FULL"),
        refused(999, "CIRCUIT_OPEN"),
        refused(1000, "CIRCUIT_OPEN")
      ])
      assert.deepEqual(
        lines.map(({ at, reason, alikeSince }) => ({ at, reason, alikeSince })),
        [
          { at: 0, reason: "CIRCUIT_OPEN", alikeSince: undefined },
          { at: 20, reason: "BULKHEAD_FULL", alikeSince: undefined },
          { at: 1000, reason: "CIRCUIT_OPEN", alikeSince: 2 }
        ]
      )
    })
  )

  it.effect("says how many signals its buffer lost", () =>
    Effect.gen(function* () {
      const lines = yield* logged(
        Array.from({ length: 5 }, (_, nth) => refused(nth * 2000, "CIRCUIT_OPEN")),
        2
      )
      assert.lengthOf(lines, 2)
      assert.strictEqual(lines[0]?.["signalsLost"], 3)
    })
  )

  it.effect("warns that a circuit opened and closed, and leaves its probes to debugging", () =>
    Effect.gen(function* () {
      const changed = (from: Signal.CircuitState, to: Signal.CircuitState): Signal.Signal => ({
        _tag: "CircuitChanged",
        at: 0,
        downstream: "shop",
        method: "get",
        policy: "circuitBreaker",
        from,
        to,
        reason: "by-hand",
        calls: 1,
        failures: 1,
        slow: 0
      })
      const lines = yield* logged([
        changed("closed", "open"),
        changed("open", "half-open"),
        changed("half-open", "open"),
        changed("ramp", "closed")
      ])
      assert.deepEqual(
        lines.map(({ from, to }) => ({ from, to })),
        [
          { from: "closed", to: "open" },
          { from: "ramp", to: "closed" }
        ]
      )
    })
  )

  it.effect("leaves calls and retries to the metrics", () =>
    Effect.gen(function* () {
      const labels = { at: 0, downstream: "shop", method: "get" }
      const lines = yield* logged([
        { ...labels, _tag: "CallEnded", outcome: "answered", durationMillis: 1 },
        { ...labels, _tag: "RetryScheduled", attempt: 1, delayMillis: 1, cause: "reset" }
      ])
      assert.isEmpty(lines)
    })
  )
})
