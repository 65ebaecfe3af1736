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
