/**
 * `npm run bench:sim`: how fast the simulator is on the storefront's composition, at
 * virtual seconds per second of one long run at 50 requests a second, and runs of 30
 * virtual seconds per second of a campaign with its own traffic, faults, preemption
 * and checks.
 */
import { Check, type Fault, Simulation } from "@failsoft/core/testing"
import { storefront } from "../../test/simulation/storefront.ts"

const [page, list, quotes, order] = storefront.traffic
const shop = {
  ...storefront,
  traffic: [
    { ...page, perSecond: 25 },
    { ...list, perSecond: 10 },
    { ...quotes, perSecond: 5 },
    { ...order, perSecond: 10 }
  ]
} as const

const median = (of: ReadonlyArray<number>): number => of.toSorted((a, b) => a - b)[Math.floor(of.length / 2)] ?? 0

/** How much of it there is per second, of real time and of this process's CPU: for that other programs of the machine do not count, but all threads of our own collector do. */
interface Speed {
  readonly real: number
  readonly cpu: number
}

const timed = (amount: number, work: () => void): Speed => {
  const [begun, cpuBegun] = [performance.now(), process.cpuUsage()]
  work()
  const { user, system } = process.cpuUsage(cpuBegun)
  return { real: (amount * 1000) / (performance.now() - begun), cpu: (amount * 1e6) / (user + system) }
}

const rounds = 5
const lengthSeconds = 200
const calm = (seed: number) =>
  timed(lengthSeconds, () => void Simulation.run(shop, { faults: [] }, { seed, length: `${lengthSeconds} seconds` }))

const plan: Fault.Plan = { faults: [{ kind: "transient", target: "catalog", from: 5000, until: 15_000, percent: 50 }] }
const promises = { deadlineMillis: 2000, recoveryMillis: 10_000, recoveryRequests: 20 }
const cases = 20
const stormy = (first: number) =>
  timed(cases, () => {
    for (let seed = first; seed < first + cases; seed++) {
      // With the time in which it settles it is 30 virtual seconds.
      const trace = Simulation.run(storefront, plan, { seed, length: "20 seconds", preemption: 0.02 })
      for (const check of Object.values(Check.standard)) check(trace, promises)
    }
  })

// A campaign is long: what it runs is compiled after its first ten seconds, a few hundred runs.
for (let warm = 0; warm < 3; warm++) calm(-warm)
for (let warm = 1; warm <= 15; warm++) stormy(-warm * cases)
const perSecond = Array.from({ length: rounds }, (_, nth) => calm(nth + 1))
const runs = Array.from({ length: rounds }, (_, nth) => stormy(nth * cases + 1))
const spread = (of: ReadonlyArray<number>) =>
  `${Math.round(median(of))} (${Math.round(Math.min(...of))} to ${Math.round(Math.max(...of))})`
const shown = (of: ReadonlyArray<Speed>) =>
  `${spread(of.map(({ real }) => real))} per second, ${spread(of.map(({ cpu }) => cpu))} per second of CPU:`
console.log(`the storefront in the simulator, median of ${rounds} (least to most):`)
console.log(`${shown(perSecond)} virtual seconds at 50 requests a second, without faults; wanted: 400`)
console.log(`${shown(runs)} runs of 30 virtual seconds of a campaign, with faults and checks; wanted: 30`)
