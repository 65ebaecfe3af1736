/** `npm run bench:outage -- --virtual --variants`: what the standard policy would be worth with other knobs of its breaker. */
import { Policy } from "@failsoft/core"
import { row } from "../overhead/table.ts"
import { arrivals } from "./arrivals.ts"
import { oracle } from "./oracle.ts"
import { knobs, phases } from "./settings.ts"
import { traceNamed } from "./traces.ts"
import { type Turned, virtual } from "./virtual.ts"

const names = ["none", "down", "hang", "slow x10", "flapping", "capacity 30 %", "cold recovery"]
const seeds = Array.from({ length: 16 }, (_, nth) => nth + 1)

const variants: Readonly<Record<string, Turned[string]>> = {
  "30, 8": { consecutiveFailures: 30 },
  "60, 8": { consecutiveFailures: 60 },
  "40, timeouts like all others": { consecutiveTimeouts: 0 },
  "40, 4": { consecutiveTimeouts: 4 },
  "40, 12": { consecutiveTimeouts: 12 },
  "the default, 3 probes": { probes: 3 },
  "the default, 8 probes": { probes: 8 },
  "the default, open for an attempt": { openMillis: knobs.attemptMillis, openMaxMillis: knobs.attemptMillis },
  "the default, open for up to 1 s": { openMaxMillis: 1000 },
  "the default, open for a tenth of a second": { openMillis: 100, openMaxMillis: 100 },
  "the default without the ramp": { ramp: false },
  "no breaker": { mode: "off" }
}

/** The mean share of the oracle's goodput in a trace. */
const share = (name: string, circuitBreaker: Turned[string]): number => {
  const trace = traceNamed(name)
  let sum = 0
  for (const seed of seeds) {
    const bound = oracle(trace, arrivals(trace.load, phases.end, seed), seed)
    const best = bound.reduce((total, { weight }) => total + weight, 0) / bound.length
    const policy = Policy.standard({ deadline: knobs.callMillis })
    sum += virtual(trace, policy, seed, { circuitBreaker }).goodput / best
  }
  return sum / seeds.length
}

const rowOf = (variant: string, turned: Turned[string]): string =>
  row(
    variant,
    names.map((name) => share(name, turned).toFixed(3))
  )

/** The row of the default. */
export const defaultRow = (): string => rowOf("40, 8 (the default)", {})

/** The table of docs/policies/standard.md. */
export const variantsTable = (): string => {
  const lines = [
    row("run of failures, of timeouts", names),
    row(
      "---",
      names.map(() => "---")
    )
  ]
  lines.push(defaultRow(), ...Object.entries(variants).map(([variant, turned]) => rowOf(variant, turned)))
  return lines.join("\n")
}
