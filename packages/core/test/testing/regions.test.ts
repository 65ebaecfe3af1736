/** A downstream in several regions, in the simulator. */
import { Fallback, Policy, Transport } from "@failsoft/core"
import { Fake, type Fault, Simulation, type Trace } from "@failsoft/core/testing"
import { assert, describe, it } from "vitest"
import { Stock, shop } from "./shop.ts"

const inRegions = (breaker: Policy.CircuitBreakerOptions = {}) => ({
  ...shop,
  fakes: [
    Fake.inRegions(Fake.make(Stock), ["eu", "us"], (regions) =>
      Transport.failover(Stock, regions, { attempt: "60 millis", breaker })
    )
  ] as const,
  layer: Stock.layer({ get: { policy: Policy.standard({ deadline: "900 millis" }), fallback: Fallback.value(0) } }),
  traffic: [shop.traffic[0]] as const
})

/** A breaker this quick stays open after some of the faults. */
const except = ["full quality is back in time"]

const down = (target: string): Fault.Plan => ({ faults: [{ kind: "down", target, from: 1000, until: 8000 }] })

const during = ({ requests }: Trace.Trace) => requests.filter(({ at }) => at > 1500 && at < 7500)

const asked = ({ attempts }: Trace.Trace, region: string) =>
  attempts.filter(({ at, region: of }) => at > 1500 && at < 7500 && of?.name === region && !of.look)

describe("a fake in several regions", () => {
  it("is served by the other region while one is down, and by the first while all is well", () => {
    const well = Simulation.run(inRegions())
    assert.isAbove(asked(well, "eu").length, 40)
    assert.lengthOf(asked(well, "us"), 0)
    const trace = Simulation.run(inRegions(), down("stock.eu"))
    assert.isEmpty(during(trace).filter(({ quality }) => quality !== "fresh"))
    assert.isAbove(asked(trace, "us").length, 40)
    assert.isAbove(during(trace).length, 40)
  })

  it("is lost where all regions are down, together or one by one", () => {
    for (const faults of [down("stock").faults, [...down("stock.eu").faults, ...down("stock.us").faults]]) {
      const lost = during(Simulation.run(inRegions(), { faults }))
      assert.isNotEmpty(lost)
      assert.isEmpty(lost.filter(({ quality }) => quality !== "substituted"))
    }
  })

  it("writes down each region's circuit, and that it looks at the region that waits", () => {
    const { attempts } = Simulation.run(inRegions(), down("stock.eu"))
    const circuits = (region: string) =>
      new Set(attempts.flatMap(({ region: of }) => (of?.name === region ? [of.circuit] : [])))
    assert.includeMembers([...circuits("eu")], ["closed", "half-open"])
    assert.deepEqual([...circuits("us")], ["closed"])
    assert.isNotEmpty(attempts.filter(({ region }) => region?.look))
  })

  it("has faults in each region in its matrix, and keeps the rules under random plans", () => {
    const outcome = Simulation.search({ ...inRegions(), runs: 60 })
    assert.strictEqual(Simulation.report(outcome), undefined)
    const cell = (downstream: string) =>
      outcome.matrix.find((of) => of.downstream === downstream && of.kind === "down")?.got["GET /stock"]
    const words = (downstream: string) => cell(downstream)?.map(({ what }) => what)
    assert.deepEqual(words("stock"), ["substituted"])
    assert.deepEqual(words("stock.eu"), ["fresh"])
    assert.deepEqual(words("stock.us"), ["fresh"])
  })

  it("keeps the rules where a probe of the ring goes on in another region while others fail", () => {
    const policy = Policy.stack(
      Policy.deadline("900 millis"),
      Policy.circuitBreaker({ minimumCalls: 4, consecutiveFailures: 2 }),
      Policy.timeout("800 millis")
    )
    const ring = { layer: Stock.layer({ get: { policy, fallback: Fallback.value(0) } }) }
    const waiting = inRegions({ probeWait: "30 millis" })
    for (const of of [inRegions(), waiting]) {
      assert.isUndefined(Simulation.report(Simulation.search({ ...of, ...ring, except, runs: 30 })))
    }
  })

  it("is found out where a region is given up for good", () => {
    const { found } = Simulation.search({
      ...inRegions(),
      fakes: [
        // A failover without a second region, as a forgotten line of configuration makes it.
        Fake.inRegions(Fake.make(Stock), ["eu", "us"], ({ eu }) =>
          Transport.failover(
            Stock,
            { eu },
            { attempt: "60 millis", breaker: { openFor: "30 seconds", openMax: "30 seconds" } }
          )
        )
      ] as const,
      runs: 20
    })
    assert.strictEqual(found?.judged.violation?.rule, "full quality is back in time")
  })
})
