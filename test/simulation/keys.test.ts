/** Who reads his orders by a signed token, and who by one whose key nobody knows, while identity comes and goes. */
import { Check, type Fault, Simulation } from "@failsoft/core/testing"
import { host } from "@failsoft/core/testing/node"
import { assert, describe, it } from "vitest"
import { storefront, strange } from "./storefront.ts"

const read = { ...storefront.traffic[4], perSecond: 5 }
const readers = { ...storefront, name: "readers", traffic: [read, strange] }

/** A good token is never told that it is bad, and a bad one never that it is good. */
const eachIsJudgedRight: Check.Check = ({ requests }) => {
  for (const { id, name, outcome, at, endedAt = at } of requests) {
    if (name === strange.name && outcome === "answered") return Check.broken("a stranger was let in", endedAt, id)
    if (name === read.name && outcome === "permanent") return Check.broken("a good token was refused", endedAt, id)
  }
  return undefined
}

describe("readers", () => {
  it("are judged right under 150 random plans", { timeout: 600_000 }, () => {
    Simulation.test({
      ...readers,
      runs: 150,
      matrix: false,
      host: host(import.meta.dirname),
      checks: { "each is judged right": eachIsJudgedRight }
    })
  })

  it("read on by keys that are known, and are not refused for what identity cannot be asked", () => {
    const [from, until] = [20_000, 75_000]
    const plan: Fault.Plan = { faults: [{ kind: "down", target: "identity", from, until }] }
    const trace = Simulation.run(readers, plan, { seed: 1, length: "100 seconds" })
    assert.isUndefined(trace.failure)
    const got = ({ name }: { readonly name: string }, since: number, to: number) => {
      const requests = trace.requests.filter((of) => of.name === name && since <= of.at && of.at < to)
      const ended = requests.filter(({ outcome }) => outcome !== "aborted")
      return [...new Set(ended.map(({ outcome, quality }) => (outcome === "answered" ? quality : outcome)))]
    }
    assert.deepEqual(got(read, 0, from), ["fresh"])
    assert.deepEqual(got(read, from + 1000, until), ["stale"])
    assert.deepEqual(got(read, until + 5000, Infinity), ["fresh"])
    assert.deepEqual(got(strange, 0, from), ["permanent"])
    // What identity said of the unknown key holds for 30 seconds; then it cannot be asked.
    assert.deepEqual(got(strange, 35_000, until), ["unavailable"])
    assert.deepEqual(got(strange, until + 5000, Infinity), ["permanent"])
  })
})
