/** The kit's own proof: it finds each planted bug, from five seeds, and makes it small; and nothing where there is none. */
import { Simulation } from "@failsoft/core/testing"
import { assert, describe, it } from "vitest"
import { planted, textbookBreaker } from "./planted.ts"
import { service } from "./service.ts"

const seeds = [1, 1001, 2001, 3001, 4001]

describe("each planted bug is found and made small", () => {
  it.each(planted)("$bug", ({ except = [], rules, within, requestsMax, service }) => {
    const runs: Array<number> = []
    for (const seed of seeds) {
      const { found } = Simulation.search({ ...service(), except, seed, runs: within, matrix: false })
      assert.isDefined(found, `not found in ${within} runs from seed ${seed}`)
      assert.include(rules, found?.judged.violation?.rule, Simulation.report({ ...nothing, found }))
      assert.isAtMost(found?.run.plan.faults.length ?? 0, 2)
      assert.isAtMost(found?.run.arrivals.length ?? 0, requestsMax, Simulation.report({ ...nothing, found }))
      runs.push(found?.runs ?? 0)
    }
    console.log(`found in runs ${runs.join(", ")}`)
  })

  it("there are eight", () => {
    assert.lengthOf(planted, 8)
  })
})

const nothing = { name: "service", seed: 1, runs: 0, matrix: [], pairs: [], sometimes: {}, notes: [] }

describe("where there is no bug, nothing is found", () => {
  it("in the service as it should be", () => {
    const outcome = Simulation.search({ ...service(), runs: 200 })
    assert.isUndefined(Simulation.report(outcome))
    for (const [what, runs] of Object.entries(outcome.sometimes)) assert.isAbove(runs, 0, what)
  })

  it("in the one with the textbook's breaker", () => {
    assert.isUndefined(Simulation.report(Simulation.search({ ...service({ breaker: textbookBreaker() }), runs: 200 })))
  })
})
