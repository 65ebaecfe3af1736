/** The outage race: each build serves its page and falls back, and what judges them can tell good from bad. */
import { readFileSync } from "node:fs"
import { Policy } from "@failsoft/core"
import { Fault, Player } from "@failsoft/core/testing/faults"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import { arrivals } from "../../bench/outage/arrivals.ts"
import { builds } from "../../bench/outage/builds/index.ts"
import { listen } from "../../bench/outage/downstreams.ts"
import { measure } from "../../bench/outage/measures.ts"
import { oracle } from "../../bench/outage/oracle.ts"
import { partialHangTable } from "../../bench/outage/partialHang.ts"
import { capacityPerSecond, downstream, knobs, type Page, phases } from "../../bench/outage/settings.ts"
import { behind } from "../../bench/outage/short.ts"
import { traceNamed, traces } from "../../bench/outage/traces.ts"
import { defaultRow } from "../../bench/outage/variants.ts"
import { modelled, standing } from "../../bench/outage/virtualTable.ts"

describe("a build of the outage race", () => {
  it.each(Object.keys(builds))("%s serves a page, and says what stands in when a downstream is gone", async (name) => {
    const start = await Object.entries(builds).find(([of]) => of === name)?.[1]()
    assert(start !== undefined)
    const { begin, origins } = await listen()
    const { port } = await start({ ...origins, essential: origins.essential.slice(0, 1) })
    const page = async () => {
      const response = await fetch(`http://127.0.0.1:${port}/page/sku-1`)
      return { status: response.status, quality: ((await response.json()) as Page).quality }
    }
    assert.deepStrictEqual(await page(), { status: 200, quality: ["fresh", "fresh", "fresh"] })
    // In the middle of the fault.
    await begin({ trace: traceNamed("down"), startAt: Date.now() - phases.faultFrom }, 1)
    assert.deepStrictEqual(await page(), { status: 200, quality: ["stale", "fresh", "fresh"] })
  })
})

describe("the judges of the outage race", () => {
  it("traffic is as heavy as it says, the same for the same seed", () => {
    const seconds = 200
    const many = arrivals(0.6, seconds * 1000, 1)
    assert.closeTo(many.length / seconds, 0.6 * capacityPerSecond, 1.5)
    assert.deepStrictEqual(arrivals(0.6, seconds * 1000, 1), many)
  })

  it("every fault begins and ends in its time, and has a target that there is", () => {
    const known = { "essential.a": [], "essential.b": [], "degradable.a": [], "optional.a": [] }
    for (const { name, plan, until } of traces) {
      assert.deepStrictEqual(Schema.decodeUnknownSync(Fault.Plan)(plan), plan, name)
      assert.deepStrictEqual(Player.unknownTargets(plan, known), [], name)
      for (const { from } of plan.faults) assert.isAtLeast(from, phases.faultFrom, name)
      assert.isBelow(until, phases.end - 2000)
    }
  })

  it("nothing is wrong before a fault and after it, and something is within", () => {
    for (const { name, plan, until } of traces) {
      let now = 0
      const player = Player.make(plan, { seed: 1, elapsedMillis: () => now })
      const there = player.employ("essential.a", 8)
      const isWell = (at: number) =>
        Array.from({ length: 20 }, () => {
          now = at
          const met = player.enter("essential.a", "", -1)
          return met.kinds.length === 0 && there() === 8
        }).every((well) => well)
      assert.isTrue(isWell(phases.faultFrom - 1), name)
      assert.isTrue(isWell(until), name)
      if (plan.faults.length > 0) assert.isFalse(isWell(phases.faultFrom), name)
    }
  })

  it("a downstream's work is counted from the beginning of a trace, and to its end", async () => {
    const { begin, counts, origins } = await listen()
    const [url] = origins.essential
    const ask = (signal?: AbortSignal) => fetch(`${url}/essential/sku-1`, signal ? { signal } : {}).then(String, String)
    await ask()
    await begin(undefined, 1)
    assert.deepStrictEqual(await counts("essential"), { received: 0, workMillis: 0, wastedMillis: 0 })
    // Its caller does not wait; who counts does.
    await ask(AbortSignal.timeout(50))
    const { received, wastedMillis, workMillis } = await counts("essential")
    assert.strictEqual(received, 1)
    assert.isAbove(workMillis, downstream.fixedMillis - 2)
    assert.closeTo(wastedMillis, workMillis, 1e-6)
  })

  it("the oracle is worth everything without a fault, and what stands in while nothing answers", () => {
    const of = (name: string) => {
      const asked = arrivals(0.6, phases.end, 1)
      const worth = oracle(traceNamed(name), asked, 1)
      return worth.reduce((sum, { weight }) => sum + weight, 0) / worth.length
    }
    assert.strictEqual(of("none"), 1)
    // A third of the counted time is worth a half.
    assert.closeTo(
      of("hang"),
      1 - (0.5 * (phases.faultUntil - phases.faultFrom)) / (phases.end - phases.countedFrom),
      0.03
    )
    assert.isBelow(of("capacity 30 %"), 0.95)
  })

  it("the oracle asks a tenth more while answers fail by chance, and no more", () => {
    const trace = traceNamed("brown-out 50 %")
    const within = Array.from({ length: 60 }, (_, seed) => oracle(trace, arrivals(trace.load, phases.end, seed), seed))
      .flat()
      .filter(({ at }) => at >= phases.faultFrom && at < trace.until)
    const fresh = within.filter(({ weight }) => weight === 1).length
    // Half of them, and half of a tenth.
    assert.closeTo(fresh / within.length, 0.55, 0.02)
  })

  const used = { cpuMicros: 0, asked: 0 }
  const worked = { build: "x", counts: { received: 0, workMillis: 0, wastedMillis: 0 } }
  const judged = (fullFrom: number) =>
    measure(
      traceNamed("hang"),
      Array.from({ length: 13_500 }, (_, at) => {
        const full = at < phases.faultFrom || at >= fullFrom
        return { at, millis: 100, weight: full ? 1 : 0.5, full, why: "" }
      }),
      { before: used, after: { cpuMicros: 13_500_000, asked: 27_000 } },
      worked
    )

  it("goodput, recovery and load are what happened", () => {
    const { amplification, cpuMicrosPerRequest, failed, fresh, goodput, recoveryMillis } = judged(9000)
    assert.closeTo(fresh, 0.48, 1e-9)
    assert.closeTo(goodput, 0.74, 1e-9)
    assert.strictEqual(failed, 0)
    assert.closeTo(recoveryMillis, 2000, 100)
    assert.strictEqual(amplification, 2)
    assert.strictEqual(cpuMicrosPerRequest, 1000)
    assert.strictEqual(judged(13_000).recoveryMillis, Number.POSITIVE_INFINITY)
  })

  it("the short race fails where ours is behind the best peer, not where a peer is", () => {
    const result = (ours: number, peer: number) =>
      new Map([
        [
          "hang",
          [
            {
              builds: {
                failsoft: { ...judged(9000), goodput: ours },
                cockatiel: { ...judged(9000), goodput: peer },
                naive: { ...judged(9000), goodput: 0.1 }
              },
              oracle: { goodput: 1, bins: [] }
            }
          ]
        ]
      ])
    assert.lengthOf(behind(result(0.8, 0.82)), 0)
    assert.lengthOf(behind(result(0.8, 0.5)), 0)
    assert.lengthOf(behind(result(0.7, 0.82)), 1)
    assert.lengthOf(behind(new Map([["hang", []]])), 1)
  })
})

/** What the standard policy has reached in virtual time, a little less: whoever turns its knobs learns what it costs. */
const reached: Readonly<Record<string, number>> = {
  none: 0.99,
  down: 0.97,
  refused: 0.97,
  hang: 0.95,
  "slow x10": 0.84,
  "brown-out 50 %": 0.99,
  flapping: 0.97,
  "capacity 30 %": 0.87,
  "region gone": 0.89,
  "cold recovery": 0.92,
  "permanent storm": 0.99
}
const seeds = [1, 2, 3, 4, 5]

describe("the standard policy in the race, in virtual time", () => {
  it.each(modelled.map(({ name }) => name))("%s", async (name) => {
    const standard = () => Policy.standard({ deadline: knobs.callMillis })
    const { amplification, recoveryMillis, share } = await standing(traceNamed(name), standard, seeds)
    assert.isAtLeast(share, reached[name] ?? 1, "its share of the oracle's goodput")
    assert.isAtMost(amplification, 1.1)
    assert.isAtMost(recoveryMillis, 5000)
  })

  it("is worth what its page says", () => {
    const page = readFileSync(new URL("../../docs/policies/standard.md", import.meta.url), "utf8")
    const plain = (text: string) => text.replaceAll(/[*]/g, "").replaceAll(/ +/g, " ")
    assert.include(plain(page), plain(defaultRow()))
    for (const line of partialHangTable().split("\n").slice(2)) assert.include(plain(page), plain(line))
  })

  it("loses little to bursts where nothing is wrong", async () => {
    // Of sixteen seeds the one with the worst bursts: a limit that has grown in quiet times loses 9 % there.
    const { share } = await standing(traceNamed("none"), () => Policy.standard({ deadline: knobs.callMillis }), [3])
    assert.isAtLeast(share, 0.96)
  })

  const { attemptMillis, callMillis } = knobs
  const worse: ReadonlyArray<{ readonly name: string; readonly trace: string; readonly policy: Policy.Policy }> = [
    {
      name: "retries without a budget",
      trace: "capacity 30 %",
      policy: Policy.stack(Policy.deadline(callMillis), Policy.retry(), Policy.timeout(attemptMillis))
    },
    {
      name: "a circuit that stays open for five seconds",
      trace: "flapping",
      policy: Policy.stack(
        Policy.deadline(callMillis),
        Policy.circuitBreaker({ consecutiveFailures: 20, openFor: "5 seconds" }),
        Policy.timeout(attemptMillis)
      )
    }
  ]
  it.each(worse)("is better than $name", async ({ policy, trace }) => {
    const { share } = await standing(traceNamed(trace), () => policy, seeds)
    assert.isBelow(share, (reached[trace] ?? 0) - 0.05)
  })
})
