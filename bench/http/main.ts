/**
 * `npm run bench:http`: what a request costs at the edge, and with one downstream hop,
 * against Node's own server, fastify, and undici under cockatiel or opossum. Each
 * server has its own process on its own core; samples of a round are taken in turn
 * and ratios are formed within a round, so that a noisy machine disturbs all alike.
 *
 * `BENCH_ROUNDS` (6), `BENCH_SECONDS` of a sample (2), `BENCH_ONLY` (one group: `edge`, `shed`, `hop`).
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { row, spread } from "../overhead/table.ts"
import { type Child, loadCore, serverCore, start } from "./child.ts"
import { hasWrk, load } from "./load.ts"
import { groups } from "./settings.ts"

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 6)
const seconds = Number(process.env["BENCH_SECONDS"] ?? 2)
const only = process.env["BENCH_ONLY"] ?? ""
const warmUpSeconds = 3

const progress = (text: string) => process.stderr.write(`\r${text.padEnd(70)}`)

/** One sample of one server. */
interface Sample {
  readonly perSecond: number
  /** Processor time of the server per request, in microseconds. */
  readonly cpuMicros: number
  /** The share of answers that came from the fallback. */
  readonly degraded: number
}

const sample = async (child: Child, path: string, status: number): Promise<Sample> => {
  const [cpu, degraded] = [child.cpuMillis(), await child.degraded()]
  const { errors, requests, seconds: took } = await load(child.url + path, seconds)
  // An error is cheaper than an answer: a case that errs would look fast.
  const wrong = status === 200 ? errors : requests - errors
  if (requests === 0 || wrong > 0) throw new Error(`${wrong} of ${requests} answers of ${child.url} were not ${status}`)
  return {
    perSecond: requests / took,
    cpuMicros: ((child.cpuMillis() - cpu) * 1000) / requests,
    degraded: ((await child.degraded()) - degraded) / requests
  }
}

const cases = Object.entries(groups)
  .filter(([group]) => only === "" || only === group)
  .flatMap(([group, { cases, path, status }]) => cases.map((name) => ({ group, name, path, status })))

if (!hasWrk) {
  process.stderr.write("wrk is not installed (Debian: apt-get install wrk); a generator of our own takes its place\n")
}

const children = new Map<string, Child>()
const samples = new Map<string, Array<Sample>>(cases.map(({ name }) => [name, []]))
const stop = () => {
  for (const child of children.values()) child.stop()
}
process.once("SIGINT", () => process.exit(130))
process.once("SIGTERM", () => process.exit(143))
process.once("exit", stop)
try {
  const downstream = await start("downstream", "", loadCore)
  children.set("downstream", downstream)
  for (const { name, path } of cases) {
    progress(`warming up ${name}`)
    const child = await start(name, downstream.url, serverCore)
    children.set(name, child)
    await load(child.url + path, warmUpSeconds)
  }
  for (let round = 1; round <= rounds; round++) {
    for (const { name, path, status } of cases) {
      progress(`round ${round} of ${rounds}: ${name}`)
      const child = children.get(name)
      if (child !== undefined) samples.get(name)?.push(await sample(child, path, status))
    }
  }
} finally {
  stop()
  progress("")
}

const of = (name: string, field: keyof Sample) => (samples.get(name) ?? []).map((one) => one[field])

const ratios = (name: string, peer: string, field: keyof Sample) =>
  of(name, field).map((value, round) => value / (of(peer, field)[round] ?? Number.NaN))

/** The best of a group to be measured against: the cheapest protection that is usual. */
const peersOf = (group: string): ReadonlyArray<string> =>
  Object.entries(groups).find(([name]) => name === group)?.[1].peers ?? []

console.log(row("HTTP", ["requests/s", "CPU µs/request", "÷ peer: requests/s", "÷ peer: CPU/request", "degraded"]))
console.log(row("---", ["---", "---", "---", "---", "---"]))
for (const { group, name } of cases) {
  const peers = peersOf(group).filter((peer) => peer !== name)
  const against = (field: keyof Sample) =>
    peers.map((peer) => `${spread.of(ratios(name, peer, field), 2)} ${peer}`).join("<br>")
  const degraded = Math.max(...of(name, "degraded"))
  console.log(
    row(name, [
      spread.of(of(name, "perSecond"), 0),
      spread.of(of(name, "cpuMicros"), 1),
      against("perSecond"),
      against("cpuMicros"),
      degraded === 0 ? "0" : `${(degraded * 100).toFixed(2)} %`
    ])
  )
}

const folder = fileURLToPath(new URL("../results", import.meta.url))
mkdirSync(folder, { recursive: true })
const result = {
  node: process.version,
  load: hasWrk ? "wrk" : "undici",
  rounds,
  seconds,
  date: new Date().toISOString(),
  samples: Object.fromEntries(samples)
}
writeFileSync(`${folder}/http.json`, `${JSON.stringify(result, null, 2)}\n`)
