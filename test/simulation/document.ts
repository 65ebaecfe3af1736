/** The storefront under every single fault, as a page of the documentation. */
import { fileURLToPath } from "node:url"
import { Host, Simulation } from "@failsoft/core/testing"
import { storefront } from "./storefront.ts"

/** Where the page is. */
export const page = fileURLToPath(new URL("../../docs/storefront-outages.md", import.meta.url))

/** Each single fault, and every two downstreams with the same fault at once. */
export const outages = (): Simulation.Outcome => {
  // A night with other seeds and more runs must not write another page.
  const host: Host.Host = { ...Host.none, variable: () => undefined }
  const outcome = Simulation.search({ ...storefront, host, runs: 0, pairs: ["hang", "transient", "down"] })
  const broken = Simulation.report(outcome)
  if (broken !== undefined) throw new Error(broken)
  return outcome
}

/** The whole page. */
export const document = (outcome: Simulation.Outcome): string => {
  return `# The storefront in an outage

What a customer gets while one downstream has one fault at its full strength, found by the simulator in the storefront's own composition. This page is written from those runs (\`npm run outages\`), so it cannot say anything else: a test compares it.

Where a cell has several words, some customers got one and some the other; \`unavailable\` is a 503 with \`Retry-After\`. A page of a product that was never shown before has nothing stale to show; an order never uses a stale price. \`permanent\` is a declined card, which has nothing to do with the fault; \`deferred\` is an order whose payment is still being found out (202). Identity's keys count as fresh for half a second here instead of five minutes, which is longer than a run. What the faults do is in [Testing outages](testing-outages.md#faults).

${Simulation.matrix(outcome, { shares: false })}

## Two at once

Every two downstreams with the same fault at the same time: what is lost is what is lost with each of them, and nothing else, but for the two carriers (without both there is no quote) and the two regions (without both there is no catalog).

${Simulation.pairs(outcome, { shares: false })}
`
}
