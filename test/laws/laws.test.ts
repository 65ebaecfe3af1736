import { assert, describe, it } from "vitest"
import { firstSeed, report, runs, search } from "./campaign.ts"
import { healthyAnswers, laws } from "./laws.ts"
import { mutants } from "./mutants.ts"
import type { Trace } from "./world.ts"

describe("the laws of composed policies", () => {
  it(`hold over ${runs} random stacks and storms from seed ${firstSeed}`, () => {
    const sometimes = new Map<string, number>()
    const count = (word: string, holds: boolean) => holds && sometimes.set(word, (sometimes.get(word) ?? 0) + 1)
    const look = ({ calls, signals }: Trace) => {
      for (const signal of signals) {
        count(signal._tag === "CircuitChanged" ? `circuit ${signal.to}` : signal._tag, true)
        count(signal._tag === "CallRefused" ? signal.reason : "", signal._tag === "CallRefused")
      }
      for (const call of calls) count(call.result, true)
    }
    const broken = search({ kind: "stormy", laws, runs, seen: look })
    if (broken !== undefined) assert.fail(report(broken))
    // Green runs in which nothing ever happened would prove nothing.
    const rare = [
      "answered",
      "permanent",
      "transient",
      "died",
      "interrupted",
      "AttemptTimedOut",
      "RetryScheduled",
      "Hedged",
      "HedgeWon",
      "HedgeDenied",
      "circuit open",
      "circuit half-open",
      "circuit closed",
      "CIRCUIT_OPEN",
      "BULKHEAD_FULL",
      "BULKHEAD_WAIT_EXCEEDED",
      "CONCURRENCY_LIMITED",
      "RATE_LIMITED",
      "DEADLINE_EXCEEDED"
    ].filter((word) => (sometimes.get(word) ?? 0) < runs / 100)
    assert.deepEqual(runs < 100 ? [] : rare, [], `never or rarely seen in ${JSON.stringify([...sometimes])}`)
  })

  it("hold where the downstream only says its final word", () => {
    const broken = search({ kind: "firm", laws, runs: Math.ceil(runs / 4) })
    if (broken !== undefined) assert.fail(report(broken))
  })

  it("hold while knobs are turned at random moments, and some of them expire", () => {
    let turned = 0
    const knobs = new Map<string, number>()
    const look = ({ signals }: Trace) => {
      for (const signal of signals) {
        if (signal._tag !== "SettingChanged") continue
        turned++
        for (const name of signal.names) knobs.set(name, (knobs.get(name) ?? 0) + 1)
      }
    }
    const broken = search({ kind: "turned", laws, runs, seen: look })
    if (broken !== undefined) assert.fail(report(broken))
    assert.isAbove(turned, 5 * runs, "hardly a knob was turned")
    const rare = ["circuitBreaker.mode", "circuitBreaker.keysMax", "bulkhead.mode", "bulkhead.keysMax"]
      .concat([
        "deadline.mode",
        "adaptiveLimit.mode",
        "adaptiveLimit.keysMax",
        "adaptiveLimit.algorithm",
        "hedge.quantile"
      ])
      .filter((knob) => (knobs.get(`d/${knob.split(".")[0]}/${knob}`) ?? 0) < runs / 100)
    assert.deepEqual(runs < 100 ? [] : rare, [], `never or rarely turned in ${JSON.stringify([...knobs])}`)
  })

  it("hold where all go away within the first steps of their calls", () => {
    const broken = search({ kind: "hasty", laws, runs: Math.ceil(runs / 4) })
    if (broken !== undefined) assert.fail(report(broken))
  })

  it("a healthy downstream answers every call with one attempt (the oracle)", () => {
    const broken = search({ kind: "healthy", laws: { ...laws, healthyAnswers }, runs: Math.ceil(runs / 4) })
    if (broken !== undefined) assert.fail(report(broken))
  })
})

describe("each law finds the bug that was planted for it", () => {
  const all = { ...laws, healthyAnswers }

  it.each(mutants)("$law: $bug", ({ law, kind, maker }) => {
    const only = Object.fromEntries(Object.entries(all).filter(([name]) => name === law))
    assert.lengthOf(Object.keys(only), 1)
    const broken = search({ kind, laws: only, runs: 1500, maker })
    assert.strictEqual(broken?.law, law, "the bug was not found in 1500 runs")
    console.log(`${law}: found in run ${broken?.runs}, shrunk to ${broken?.scenario.callers.length} callers`)
  })

  it("and every law has one", () => {
    assert.sameMembers([...new Set(mutants.map(({ law }) => law))], Object.keys(all))
  })
})
