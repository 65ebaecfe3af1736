import { readFileSync } from "node:fs"
import { Simulation } from "@failsoft/core/testing"
import { host } from "@failsoft/core/testing/node"
import { assert, describe, it } from "vitest"
import { document, outages, page } from "./document.ts"
import { storefront } from "./storefront.ts"

/** Each takes some hundredths of a second; `SIM_RUNS=1000 npm test -- --project simulation` for more. */
const runs = 150

describe("the storefront", () => {
  it(`keeps its promises under ${runs} random plans`, { timeout: 600_000 }, () => {
    const outcome = Simulation.test({ ...storefront, runs, matrix: false, host: host(import.meta.dirname) })
    for (const [what, count] of Object.entries(outcome.sometimes)) assert.isAbove(count, 0, what)
  })

  const outcome = outages()

  it("gives its customers what the page of its outages says (npm run outages writes it)", () => {
    assert.strictEqual(readFileSync(page, "utf8"), document(outcome))
  })

  it("loses with two downstreams what it loses with each of them, and nothing else", () => {
    const got = (downstream: string, kind: string, name: string) =>
      outcome.matrix
        .find((cell) => cell.downstream === downstream && cell.kind === kind)
        ?.got[name]?.map(({ what }) => what) ?? []
    // Seven downstreams and the two regions of one, which make no pair with it; three faults.
    assert.lengthOf(outcome.pairs, (36 - 2) * 3)
    for (const { downstream, got: both, kind } of outcome.pairs) {
      const [one = "", other = ""] = downstream.split(" + ")
      for (const [name, words] of Object.entries(both)) {
        // Both regions are the catalog.
        if (downstream === "catalog.eu + catalog.us") {
          assert.sameMembers(
            words.map(({ what }) => what),
            got("catalog", kind, name)
          )
          continue
        }
        // Of the carriers one is enough, and both are all that there are.
        if (downstream === "shipping.dhl + shipping.ups" && name === "GET /shipping-quotes") {
          assert.deepEqual(
            words.map(({ what }) => what),
            ["unavailable"]
          )
          continue
        }
        // Of a region at most what is lost with the whole of it.
        const whole = (of: string) => (of.startsWith("catalog.") ? [...got("catalog", kind, name), "fresh"] : [])
        const alone = [one, other].flatMap((of) => [...got(of, kind, name), ...whole(of)])
        for (const { what } of words) assert.include(alone, what, `${name}, ${downstream}: ${kind}`)
      }
    }
  })
})
