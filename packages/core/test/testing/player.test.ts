import { Fault, Player } from "@failsoft/core/testing"
import { assert, describe, it } from "vitest"

const playing = (faults: ReadonlyArray<Fault.PlannedFault>, seed = 1) => {
  let now = 0
  const player = Player.make({ faults }, { seed, elapsedMillis: () => now })
  const enter = (at: number, request = 0, downstream = "payments", method = "charge") => {
    now = at
    return player.enter(downstream, method, request)
  }
  return {
    player,
    enter,
    tag: (...of: Parameters<typeof enter>) => enter(...of).decision._tag,
    at: (millis: number) => {
      now = millis
      return player
    }
  }
}

const down = { kind: "down", target: "payments", from: 100, until: 200 } as const

describe("a player", () => {
  it("lets a fault meet what comes from its beginning until before its end", () => {
    const { tag } = playing([down])
    assert.deepEqual(
      [99, 100, 199, 200].map((at) => tag(at)),
      ["Serve", "Unreachable", "Unreachable", "Serve"]
    )
  })

  it("means one method, a downstream, several, and the regions of a downstream by a target", () => {
    const { player } = playing([
      { ...down, target: ["payments/charge", "catalog"] },
      { ...down, target: "shipping.dhl" }
    ])
    const concerned = [
      ["payments", "charge"],
      ["payments", "status"],
      ["catalog", "show"],
      ["catalog.eu", "show"],
      ["catalogue", "show"],
      ["shipping.dhl", "quote"],
      ["shipping.ups", "quote"],
      ["shipping", "quote"]
    ] as const
    assert.deepEqual(
      concerned.map(([downstream, method]) => player.concerns(downstream, method)),
      [true, false, true, true, false, true, false, false]
    )
  })

  it("counts the first calls over all targets of a fault", () => {
    const { tag } = playing([{ ...down, target: ["payments", "inventory"], first: 3 }])
    assert.deepEqual(
      [tag(100), tag(110, 1, "inventory", "reserve"), tag(120, 2), tag(130, 3), tag(130, 3, "inventory", "reserve")],
      ["Unreachable", "Unreachable", "Unreachable", "Serve", "Serve"]
    )
  })

  it("adds the delays of faults that overlap up, and the first that does more decides", () => {
    const { enter } = playing([
      { kind: "latency", target: "payments", millis: 30, from: 0, until: 100 },
      { kind: "latency", target: "payments/charge", millis: 12, from: 50, until: 150 },
      { kind: "hang", target: "payments", from: 90, until: 200 },
      { ...down, from: 90, until: 300 }
    ])
    const seen = (at: number) => {
      const { decision, delayMillis, kinds, until } = enter(at)
      return [decision._tag, delayMillis, kinds.join(), until]
    }
    assert.deepEqual(seen(10), ["Serve", 30, "latency", 0])
    assert.deepEqual(seen(60), ["Serve", 42, "latency,latency", 0])
    assert.deepEqual(seen(95), ["Hang", 42, "latency,latency,hang", 200])
    assert.deepEqual(seen(160), ["Hang", 0, "hang", 200])
    assert.deepEqual(seen(250), ["Unreachable", 0, "down", 300])
  })

  it("fades away: all of them until its end, then fewer and fewer", () => {
    const { tag } = playing([{ ...down, recoverMillis: 1000 }])
    const shareAt = (at: number) =>
      Array.from({ length: 400 }, (_, request) => tag(at, request + at * 1000)).filter((of) => of === "Unreachable")
        .length / 400
    assert.strictEqual(shareAt(199), 1)
    // Four standard deviations of 400 fair draws are 0.1.
    assert.closeTo(shareAt(450), 0.75, 0.1)
    assert.closeTo(shareAt(950), 0.25, 0.1)
    assert.strictEqual(shareAt(1200), 0)
  })

  it("draws by the seed, the request and its calls before, and alike for all targets of a fault", () => {
    const half = [
      { kind: "transient", target: ["payments", "inventory"], percent: 50, from: 0, until: 1000 }
    ] as const satisfies ReadonlyArray<Fault.PlannedFault>
    const draws = (seed: number, order: ReadonlyArray<number>, downstream: string) => {
      const { tag } = playing(half, seed)
      const met = new Map(order.flatMap((id) => [0, 1].map((nth) => [`${id}.${nth}`, tag(10, id, downstream, "x")])))
      return [...met].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, of]) => of)
    }
    const ids = Array.from({ length: 20 }, (_, id) => id)
    const one = draws(1, ids, "payments")
    assert.deepEqual(draws(1, ids.toReversed(), "payments"), one)
    assert.deepEqual(draws(1, ids, "inventory"), one)
    assert.notDeepEqual(draws(2, ids, "payments"), one)
    assert.isTrue(one.includes("Serve") && one.includes("Refuse"))
  })

  it("knows how many calls are in progress", () => {
    const { player, tag } = playing([{ kind: "capacity", target: "payments", concurrent: 1, from: 0, until: 1000 }])
    assert.deepEqual([tag(1), tag(2, 1)], ["Serve", "Refuse"])
    player.leave("payments")
    player.leave("payments")
    assert.strictEqual(tag(3, 2), "Serve")
  })

  it("says when nobody can connect, and when that may change", () => {
    const { at } = playing([
      { ...down, recoverMillis: 50 },
      { ...down, from: 400, until: 500, first: 2 }
    ])
    assert.deepEqual(
      [0, 100, 199, 200, 450].map((millis) => at(millis).isDown("payments")),
      [false, true, true, false, false]
    )
    assert.isFalse(at(150).isDown("inventory"))
    assert.deepEqual(
      [0, 100, 200, 250, 400, 500].map((millis) => at(millis).changesAt("payments")),
      [100, 200, 250, 400, 500, undefined]
    )
    const region = playing([{ ...down, target: "catalog" }]).at(150)
    assert.isTrue(region.isDown("catalog.eu"))
  })

  it("leaves the port open where a fault that stands before must see the call, or one method is meant", () => {
    const before = { kind: "hang", target: "payments/charge", from: 0, until: 150 } as const
    const { at, tag } = playing([before, down])
    assert.isFalse(at(120).isDown("payments"))
    assert.strictEqual(tag(120), "Hang")
    assert.strictEqual(tag(120, 1, "payments", "status"), "Unreachable")
    assert.isTrue(at(150).isDown("payments"))
    assert.isFalse(
      playing([{ ...down, target: "payments/charge" }])
        .at(150)
        .isDown("payments")
    )
  })

  it("ends with its last fault, its fading, its last disturbance", () => {
    assert.strictEqual(Player.endOf({ faults: [] }), 0)
    assert.strictEqual(Player.endOf({ faults: [{ ...down, recoverMillis: 50 }] }), 250)
    const abort = { kind: "abort", percent: 50, afterMillis: 20, from: 0, until: 300 } as const
    assert.strictEqual(Player.endOf({ faults: [down], disturbances: [abort] }), 300)
    const leaving = (id: number, at = 0) => Player.leavesAfter({ faults: [], disturbances: [abort] }, 1, { id, at })
    const left = Array.from({ length: 200 }, (_, id) => leaving(id)).filter((of) => of === 20).length
    assert.closeTo(left, 100, 30)
    assert.isUndefined(leaving(0, 300))
  })
})
