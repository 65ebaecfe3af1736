import { Host, Pump, Repeat } from "@failsoft/core/testing"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { assert, describe, it } from "vitest"

const asking: Host.Host = { ...Host.none, variable: (name) => (name === "SIM_CHECK_DETERMINISM" ? "1" : undefined) }
const silent: Host.Host = { ...Host.none, variable: () => undefined }

describe("a checked run", () => {
  it("is done once where nobody asks, and twice where somebody does", () => {
    let runs = 0
    const run = () => {
      runs++
      return "same"
    }
    assert.strictEqual(Repeat.checked(run, { host: silent }), "same")
    assert.strictEqual(runs, 1)
    assert.strictEqual(Repeat.checked(run, { host: asking }), "same")
    assert.strictEqual(runs, 3)
  })

  it("passes where time and chance are the pump's", () => {
    const program = Effect.gen(function* () {
      yield* Effect.sleep("1 second")
      return [yield* Random.next, yield* Random.next]
    }).pipe(Random.withSeed("cards"))
    const exit = Repeat.checked(() => Pump.run(program), { host: asking })
    assert.strictEqual(exit._tag, "Success")
  })

  it.each<readonly [string, (nth: number) => unknown]>([
    ["a failure", (nth) => Pump.run(Effect.fail({ lost: nth }))],
    ["a defect", (nth) => Pump.run(Effect.die(new Error(`defect ${nth}`)))],
    ["a map", (nth) => new Map([["a", nth]])],
    ["a set", (nth) => new Set([nth])],
    ["a big number", (nth) => BigInt(nth)],
    ["no number", (nth) => (nth === 0 ? Number.NaN : Number.POSITIVE_INFINITY)],
    ["a date", (nth) => new Date(nth)],
    ["nothing", (nth) => ({ value: nth === 0 ? undefined : null })],
    ["a function", () => () => 1],
    ["a promise", () => Promise.resolve(1)]
  ])("sees %s", (_, of) => {
    let runs = 0
    assert.throws(() => Repeat.checked(() => of(runs++), { host: asking }), Repeat.NotRepeatable)
  })

  it("names the first line that differs", () => {
    let state = 0
    assert.throws(
      () => Repeat.checked(() => Pump.run(Effect.succeed({ always: 1, state: state++ })), { host: asking }),
      Repeat.NotRepeatable,
      /first in line \d+: ".*"state": 0/
    )
    assert.throws(
      () => Repeat.checked(() => state++, { host: asking, text: (of) => "same\n".repeat(of) }),
      /first in line 3/
    )
  })
})
