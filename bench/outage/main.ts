/**
 * `npm run bench:outage`: the same small service in five builds, each a process, before
 * downstreams that fail by a plan. Prints Markdown, writes `bench/results/outage.json`
 * and a picture per trace. docs/outage-race.md says how it is measured.
 *
 * `--short` takes less than a minute, and ends with 1 where ours has fallen behind its peers.
 * `--virtual` takes seconds: the standard policy alone, in virtual time; with `--variants` also with other knobs.
 * `BENCH_ROUNDS` (3), `BENCH_TRACES` and `BENCH_BUILDS` (names, separated by commas).
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { buildNames } from "./builds/index.ts"
import { startDownstreams } from "./child.ts"
import { partialHangTable } from "./partialHang.ts"
import { fileName, picture } from "./picture.ts"
import { enter, type Result, race } from "./race.ts"
import { report } from "./report.ts"
import { behind, short } from "./short.ts"
import { traces } from "./traces.ts"
import { variantsTable } from "./variants.ts"
import { virtualTable } from "./virtualTable.ts"

if (process.argv.includes("--virtual")) {
  const variants = process.argv.includes("--variants")
  console.log(variants ? `${variantsTable()}\n\n${partialHangTable()}` : await virtualTable([1, 2, 3, 4, 5]))
  process.exit(0)
}

const isShort = process.argv.includes("--short")
const rounds = Number(process.env["BENCH_ROUNDS"] ?? (isShort ? short.rounds : 3))
const wanted = (variable: string, inShort: ReadonlyArray<string>): ((name: string) => boolean) => {
  const names = process.env[variable]?.split(",") ?? (isShort ? inShort : undefined)
  return (name) => names === undefined || names.includes(name)
}
const isWanted = wanted("BENCH_TRACES", short.traces)
const run = traces.filter(({ name }) => isWanted(name))
const builds = buildNames.filter(wanted("BENCH_BUILDS", short.builds))

const progress = (text: string) => process.stderr.write(`\r${text.padEnd(70)}`)

const results = new Map<string, Array<Result>>(run.map(({ name }) => [name, []]))
process.once("SIGINT", () => process.exit(130))
process.once("SIGTERM", () => process.exit(143))
const downstreams = await startDownstreams(builds)
try {
  // A service has its regions for life: those traces have processes of their own.
  for (const regions of [false, true]) {
    const heat = run.filter((trace) => trace.regions === regions)
    if (heat.length === 0) continue
    progress("warming up")
    const entrants = await enter(downstreams.of, regions, isShort ? short.warmUpRequests : 600)
    for (let round = 1; round <= rounds; round++) {
      for (const trace of heat) {
        progress(`round ${round} of ${rounds}: ${trace.name}`)
        const first = await race(trace, round, entrants)
        // One bad moment of the machine is no regression: who is behind may run once more.
        const again = isShort && behind(new Map([[trace.name, [first]]])).length > 0
        results.get(trace.name)?.push(again ? await race(trace, round + 1, entrants) : first)
      }
    }
    for (const { build } of entrants) build.stop()
  }
} finally {
  downstreams.stop()
  progress("")
}

console.log(report(results))

const folder = fileURLToPath(new URL("../results/outage", import.meta.url))
mkdirSync(folder, { recursive: true })
const result = { node: process.version, rounds, date: new Date().toISOString(), traces: Object.fromEntries(results) }
writeFileSync(`${folder}.json`, `${JSON.stringify(result, null, 1)}\n`)
for (const trace of run) writeFileSync(`${folder}/${fileName(trace)}`, picture(trace, results.get(trace.name) ?? []))

if (isShort) {
  const sentences = behind(results)
  for (const sentence of sentences) console.error(`behind: ${sentence}`)
  process.exitCode = sentences.length === 0 ? 0 : 1
}
