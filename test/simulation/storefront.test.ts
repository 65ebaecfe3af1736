import { readFileSync } from "node:fs"
import { Simulation } from "@failsoft/core/testing"
import { host } from "@failsoft/core/testing/node"
import { assert, describe, it } from "vitest"
import { document, page } from "./document.ts"
import { storefront } from "./storefront.ts"

/** Each takes some hundredths of a second; `SIM_RUNS=1000 npm test -- --project simulation` for more. */
const runs = 150

describe("the storefront", () => {
  it(`keeps its promises under ${runs} random plans`, { timeout: 600_000 }, () => {
    const outcome = Simulation.test({ ...storefront, runs, matrix: false, host: host(import.meta.dirname) })
    for (const [what, count] of Object.entries(outcome.sometimes)) assert.isAbove(count, 0, what)
  })

  it("gives its customers what the page of its outages says (npm run outages writes it)", () => {
    assert.strictEqual(readFileSync(page, "utf8"), document())
  })
})
