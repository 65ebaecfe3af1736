/** Each policy has a page in the one skeleton, and each of its knobs stands there. */
import { Policy, RetryBudget } from "@failsoft/core"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import { assert, describe, it } from "vitest"
import { files } from "../tidy/files.ts"

const pages = new Map(files(/^docs\/policies\/.*\.md$/).map(({ path, text }) => [path.replace(/^.*\//, ""), text]))

const skeleton = ["About", "Defaults", "Signals", "Order", "Anti-patterns"]

/** Where an option has another name than its knob. */
const options: Readonly<Record<string, string>> = {
  openMillis: "openFor",
  stableMillis: "stableFor",
  budgetRatio: "ratio",
  budgetPerSecond: "perSecond"
}

/** Knobs that only tell how a policy was built. */
const shown = new Set(["budget", "ownSchedule", "unsentOnly"])

const policies: ReadonlyArray<{ readonly page: string; readonly policy: Policy.Policy }> = [
  { page: "deadline.md", policy: Policy.deadline(1) },
  { page: "timeout.md", policy: Policy.timeout(1) },
  { page: "timeout.md", policy: Policy.adaptiveTimeout(100) },
  { page: "retry.md", policy: Policy.retry({ budget: RetryBudget.standard }) },
  { page: "hedge.md", policy: Policy.hedge() },
  { page: "circuit-breaker.md", policy: Policy.circuitBreaker() },
  { page: "bulkhead.md", policy: Policy.bulkhead() },
  { page: "rate-limit.md", policy: Policy.rateLimit({ permits: 1 }) },
  {
    page: "rate-limit.md",
    policy: Policy.sharedRateLimit({ limit: "l", store: RateLimiter.layerStoreMemory, permits: 1 })
  },
  {
    page: "circuit-breaker-shared.md",
    policy: Policy.sharedCircuitBreaker({ circuit: "c", store: CircuitBreaker.layerStoreMemory() })
  },
  { page: "adaptive-limit.md", policy: Policy.adaptiveLimit() }
]

describe("the pages of the policies", () => {
  it.each([...pages])("%s has the one skeleton", (_, text) => {
    const headings = [...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)
    assert.deepEqual(headings, skeleton)
  })

  const knobs = policies.flatMap(({ page, policy }) =>
    policy.parts.flatMap((part) =>
      Object.keys(part.knobs)
        .filter((knob) => !shown.has(knob))
        .map((knob) => ({ page, kind: part.kind, knob }))
    )
  )

  it.each(knobs)("$page has the knob $knob of $kind", ({ page, knob }) => {
    const text = pages.get(page) ?? assert.fail(`there is no page ${page}`)
    const names = [knob, knob.replace(/Millis$/, ""), options[knob] ?? knob]
    const defaults = text.slice(text.indexOf("## Defaults"), text.indexOf("## Signals"))
    assert.isTrue(
      names.some((name) => defaults.includes(`\`${name}\``)),
      `none of ${names.join(", ")} stands under Defaults`
    )
  })
})
