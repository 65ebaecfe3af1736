/**
 * One build in one scenario in a process of its own. It warms up, then answers each
 * question of its parent: how long a call takes, or how much memory.
 */
import { builds } from "./builds/index.ts"
import type { Batch, Build, Scenario } from "./settings.ts"

const warmUpMillis = 1500
const sampleMillis = 200
const batch = 500
/** Few enough that the young generation holds their garbage, so that no collection hides a byte. */
const memoryCalls = 4000
const inFlight = 10_000
const million = 1_000_000

const [name = "", scenario = ""] = process.argv.slice(2)
const build = builds[name]
if (build === undefined) throw new Error(`there is no build '${name}'`)

const isScenario = (word: string, of: Build): word is Scenario => word in of.scenarios

const heapUsed = () => process.memoryUsage().heapUsed

const collect = () => {
  if (globalThis.gc === undefined) throw new Error("start with --expose-gc")
  // A second one takes what the first one's finalizers let go.
  globalThis.gc()
  globalThis.gc()
}

/**
 * Nanoseconds of processor time per call over about so many milliseconds of it. Time
 * on the wall would also count whatever else the machine does, and the waits of
 * backoffs.
 */
const timed = async (run: Batch, millis: number): Promise<number> => {
  const startedAt = process.cpuUsage()
  let calls = 0
  let micros = 0
  while (micros < millis * 1e3) {
    await run(batch)
    calls += batch
    const { user, system } = process.cpuUsage(startedAt)
    micros = user + system
  }
  return (micros * 1e3) / calls
}

const measures = (run: Batch | undefined) => ({
  nanos: async () => (run === undefined ? Number.NaN : timed(run, sampleMillis)),
  bytesPerCall: async () => {
    if (run === undefined) return Number.NaN
    const before = heapUsed()
    await run(memoryCalls)
    return (heapUsed() - before) / memoryCalls
  },
  bytesInFlight: async () => {
    if (build.hang === undefined) return Number.NaN
    // Once for what is made lazily.
    await build.hang(100)
    collect()
    const before = heapUsed()
    await build.hang(inFlight)
    collect()
    return (heapUsed() - before) / inFlight
  },
  heapGrowth: async () => {
    if (run === undefined) return Number.NaN
    collect()
    const before = heapUsed()
    await run(million)
    collect()
    return heapUsed() - before
  }
})

const run = isScenario(scenario, build) ? await build.scenarios[scenario]?.() : undefined
if (run !== undefined) await timed(run, warmUpMillis)
const ask: Readonly<Record<string, () => Promise<number>>> = measures(run)

process.on("message", (question) => {
  const answer = ask[String(question)]
  if (answer === undefined) throw new Error(`nobody can measure '${String(question)}'`)
  answer().then((value) => process.send?.({ value }))
})
process.on("disconnect", () => process.exit(0))
process.send?.({ ready: true })
