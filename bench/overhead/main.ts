/**
 * `npm run bench:overhead`: what a protected call costs, against bare calls, cockatiel,
 * opossum, and idiomatic Effect. Each case has its own process on its own core; the
 * samples of a round are taken in turn, and ratios are formed within a round, so that
 * a noisy machine disturbs all sides alike. All processes are started anew a few times:
 * what one has compiled it keeps, and two of the same code may differ by a tenth for as
 * long as they live, now and then by a factor.
 *
 * `BENCH_STARTS` (3), `BENCH_ROUNDS` of each (3), `BENCH_ONLY` (a part of a build's name), `BENCH_SCENARIO` (one
 * scenario, or `memory`).
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { builds } from "./builds/index.ts"
import { type Case, type Child, memoryFlags, start } from "./child.ts"
import { scenarios } from "./settings.ts"
import { median, row, spread, table } from "./table.ts"

const starts = Number(process.env["BENCH_STARTS"] ?? 3)
const rounds = Number(process.env["BENCH_ROUNDS"] ?? 3)
const only = process.env["BENCH_ONLY"] ?? ""
const which = process.env["BENCH_SCENARIO"] ?? ""
const peers = ["cockatiel", "opossum", "Effect, idiomatic"] as const

const progress = (text: string) => process.stderr.write(`\r${text.padEnd(70)}`)

const names = Object.keys(builds).filter((name) => name.includes(only) || peers.some((peer) => peer === name))

/** The samples of one scenario, by build. */
const measureScenario = async (scenario: string) => {
  const cases = names.flatMap((name): ReadonlyArray<Case> => {
    const build = builds[name]
    return build !== undefined && scenario in build.scenarios ? [{ name, scenario }] : []
  })
  const samples = new Map<string, Array<number>>(cases.map(({ name }) => [name, []]))
  for (let nth = 1; nth <= starts; nth++) await measureStart(scenario, cases, nth, samples)
  return samples
}

/** The rounds of one start of all processes. */
const measureStart = async (
  scenario: string,
  cases: ReadonlyArray<Case>,
  nth: number,
  samples: ReadonlyMap<string, Array<number>>
) => {
  const children = new Map<string, Child>()
  try {
    // One after another: two that warm up at once disturb each other.
    for (const of of cases) {
      progress(`${scenario}, start ${nth} of ${starts}: warming up ${of.name}`)
      children.set(of.name, await start(of))
    }
    for (let round = 1; round <= rounds; round++) {
      progress(`${scenario}, start ${nth} of ${starts}: round ${round} of ${rounds}`)
      for (const [name, child] of children) samples.get(name)?.push(await child.ask("nanos"))
    }
  } finally {
    for (const child of children.values()) child.stop()
  }
}

const memoryKinds = ["bytesPerCall", "bytesInFlight", "heapGrowth"] as const

/** The memory of each build, each kind in a process of its own. */
const measureMemory = async () => {
  const rows: Array<{ readonly name: string; readonly values: ReadonlyArray<number> }> = []
  for (const name of names) {
    const of: Case = { name, scenario: "closed" }
    const memory: Array<number> = []
    for (const kind of memoryKinds) {
      progress(`memory: ${kind} of ${name}`)
      const child = await start(of, memoryFlags)
      const values = []
      // A call's garbage is measured a few times, the others are what they are.
      for (let i = 0; i < (kind === "bytesPerCall" ? 5 : 1); i++) values.push(await child.ask(kind))
      memory.push(median(values))
      child.stop()
    }
    rows.push({ name, values: memory })
  }
  return rows
}

const results: Record<string, unknown> = { node: process.version, starts, rounds, date: new Date().toISOString() }
for (const scenario of scenarios.filter((name) => which === "" || which === name)) {
  const samples = await measureScenario(scenario)
  progress("")
  console.log(`\n${table(scenario, samples, peers)}`)
  results[scenario] = Object.fromEntries(samples)
}
const memory = which === "" || which === "memory" ? await measureMemory() : []
progress("")
console.log(`\n${row("memory", ["bytes per call", "bytes per call in flight", "heap growth over 1M calls"])}`)
console.log(row("---", ["---", "---", "---"]))
for (const { name, values } of memory) console.log(row(name, values.map(spread.bytes)))
results["memory"] = memory.map(({ name, values }) => ({
  name,
  ...Object.fromEntries(memoryKinds.map((kind, at) => [kind, values[at]]))
}))

const folder = fileURLToPath(new URL("../results", import.meta.url))
mkdirSync(folder, { recursive: true })
writeFileSync(`${folder}/overhead.json`, `${JSON.stringify(results, null, 2)}\n`)
