import type { Fault } from "@failsoft/core/testing/faults"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { type Ended, overHttp, simulated } from "./samePlan.ts"
import { slowly } from "./slowClock.ts"

/**
 * Overlapping windows, a correlated target, the first calls only, a slow recovery. They
 * begin and end where this seed's traffic pauses: a call that is under way just then
 * would be met in one of the two worlds only, by the milliseconds that its way takes.
 */
const plan: Fault.Plan = {
  faults: [
    { kind: "transient", target: ["inventory", "recommendations"], percent: 50, from: 3050, until: 5190 },
    { kind: "latency", target: "payments", millis: 900, from: 4230, until: 5190 },
    { kind: "hang", target: "catalog", from: 5190, until: 7190 },
    { kind: "garbled", target: "recommendations", from: 6860, until: 8330 },
    { kind: "resetAfter", target: "payments/charge", from: 7190, until: 8330, first: 12 },
    { kind: "failAfter", target: "inventory", percent: 50, from: 8330, until: 8940 },
    { kind: "down", target: "identity", from: 8940, until: 10_090, recoverMillis: 550 }
  ]
}
const seed = 5
const seconds = 12
/** One second takes three, so that a busy machine stays well within the times of the policies. */
const times = 3

const differing = (one: ReadonlyArray<Ended>, other: ReadonlyArray<Ended>) =>
  one.flatMap((of, nth) => {
    const grade = other[nth]?.grade
    return grade === of.grade ? [] : [`${of.at} ms, request ${of.id} ${of.name}: ${of.grade}, over HTTP ${grade}`]
  })

describe("the same plan", () => {
  it("gives at least 95 % of the requests the same in the simulator and over HTTP", { timeout: 240_000 }, async () => {
    const inSimulator = simulated(plan, seed, seconds)
    const grades = new Set(inSimulator.map(({ grade }) => grade))
    assert.sameMembers([...grades], ["fresh", "stale", "optimistic", "deferred", "final", "failed"])
    const real = await Effect.runPromise(overHttp(plan, seed, inSimulator).pipe(slowly(times)))
    const differences = differing(inSimulator, real)
    const share = 1 - differences.length / inSimulator.length
    assert.isAtLeast(share, 0.95, differences.join("\n"))
  })
})
