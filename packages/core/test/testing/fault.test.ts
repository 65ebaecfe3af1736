import { Draw, Fault } from "@failsoft/core/testing"
import { assert, describe, it } from "vitest"

const calm = { elapsedMillis: 0, inFlight: 1, draw: 0.5 }
const tagOf = (fault: Fault.Fault | undefined, moment: Partial<typeof calm> = {}) =>
  Fault.decide(fault, { ...calm, ...moment })._tag

describe("what a fault does to a request", () => {
  it("is nothing where there is no fault", () => {
    assert.deepEqual(Fault.decide(undefined, calm), { _tag: "Serve", delayMillis: 0 })
  })

  it("is the same always for the plain kinds", () => {
    const plain = {
      hang: "Hang",
      drip: "Drip",
      garbled: "Garble",
      partial: "Truncate",
      resetBefore: "ResetBefore",
      resetAfter: "ResetAfter",
      down: "Unreachable"
    } as const satisfies Record<string, Fault.Decision["_tag"]>
    for (const kind of ["hang", "drip", "garbled", "partial", "resetBefore", "resetAfter", "down"] as const) {
      for (const draw of [0, 0.999]) assert.strictEqual(tagOf({ kind }, { draw }), plain[kind])
    }
  })

  it("delays by the draw within the jitter, never below nothing", () => {
    const delay = (millis: number, jitter: number | undefined, draw: number) => {
      const fault: Fault.Fault = { kind: "latency", millis, ...(jitter === undefined ? {} : { jitter }) }
      const decision = Fault.decide(fault, { ...calm, draw })
      return decision._tag === "Serve" ? decision.delayMillis : undefined
    }
    assert.strictEqual(delay(100, undefined, 0), 100)
    assert.strictEqual(delay(100, 20, 0), 80)
    assert.strictEqual(delay(100, 20, 0.5), 100)
    assert.strictEqual(delay(100, 20, 0.75), 110)
    assert.strictEqual(delay(10, 20, 0), 0)
  })

  it("refuses exactly the stated share", () => {
    for (const kind of ["transient", "permanent", "failAfter"] as const) {
      const refused = (percent: number, draw: number) => tagOf({ kind, percent }, { draw }) !== "Serve"
      assert.isFalse(refused(0, 0))
      assert.isTrue(refused(30, 0.2999))
      assert.isFalse(refused(30, 0.3))
      assert.isTrue(refused(100, 0.999_999))
    }
    assert.deepEqual(Fault.decide({ kind: "transient", percent: 100, status: 429, retryAfterSeconds: 7 }, calm), {
      _tag: "Refuse",
      status: 429,
      retryAfterSeconds: 7
    })
    assert.strictEqual(tagOf({ kind: "failAfter", percent: 100 }), "FailAfter")
    assert.deepEqual(Fault.decide({ kind: "permanent", percent: 100 }, calm), { _tag: "Refuse", status: 422 })
  })

  it("decides nothing about a request whose work is slow", () => {
    assert.deepEqual(Fault.decide({ kind: "slow", factor: 10 }, calm), { _tag: "Serve", delayMillis: 0 })
  })

  it("flaps: well first, then reset, and again", () => {
    const flap = { kind: "flap", upMillis: 100, downMillis: 50 } as const
    const at = (elapsedMillis: number) => tagOf(flap, { elapsedMillis })
    assert.deepEqual([0, 99, 100, 149, 150, 250].map(at), [
      "Serve",
      "Serve",
      "ResetBefore",
      "ResetBefore",
      "Serve",
      "ResetBefore"
    ])
  })

  it("carries as many at once as its capacity, this request included", () => {
    const at = (inFlight: number) => tagOf({ kind: "capacity", concurrent: 3 }, { inFlight })
    assert.deepEqual([1, 3, 4].map(at), ["Serve", "Serve", "Refuse"])
  })

  it("warms up from a tenth of its capacity to all of it", () => {
    const most = (elapsedMillis: number) => {
      let inFlight = 0
      while (inFlight < 1000 && tagOf({ kind: "coldStart", millis: 1000 }, { elapsedMillis, inFlight }) === "Serve") {
        inFlight++
      }
      return inFlight - 1
    }
    assert.strictEqual(most(0), Fault.fullCapacity / 10)
    assert.strictEqual(most(500), Math.round(Fault.fullCapacity * 0.55))
    assert.strictEqual(most(1000), Fault.fullCapacity)
    assert.strictEqual(most(9999), Fault.fullCapacity)
  })
})

describe("the draw of a request", () => {
  it("depends on its key alone, and is spread evenly", () => {
    assert.strictEqual(Draw.draw("payments", 7), Draw.draw("payments", 7))
    assert.notStrictEqual(Draw.draw("payments", 7), Draw.draw("payments", 8))
    assert.notStrictEqual(Draw.draw("payments", 7), Draw.draw("identity", 7))
    const tenths = new Array<number>(10).fill(0)
    for (let nth = 0; nth < 10_000; nth++) {
      const tenth = Math.floor(Draw.draw("seed", nth) * 10)
      tenths[tenth] = (tenths[tenth] ?? 0) + 1
    }
    // 1000 each; five standard deviations of a fair draw are 150.
    for (const count of tenths) assert.isTrue(Math.abs(count - 1000) < 150, String(tenths))
  })
})
