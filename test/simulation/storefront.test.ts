import { Simulation } from "@failsoft/core/testing"
import { host } from "@failsoft/core/testing/node"
import { assert, describe, it } from "vitest"
import { storefront } from "./storefront.ts"

/** The whole thousand by night; each night from another seed. */
const runs = 150

describe("the storefront", () => {
  it(`keeps its promises under ${runs} random plans (SIM_RUNS for more)`, () => {
    const outcome = Simulation.test({ ...storefront, runs, host: host(import.meta.dirname) })
    for (const [what, count] of Object.entries(outcome.sometimes)) {
      if (what !== "a bulkhead was full") assert.isAbove(count, 0, what)
    }
  })
})
