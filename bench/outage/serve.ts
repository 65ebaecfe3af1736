/**
 * A process of the race: a build, or the downstreams of all. It tells where it listens,
 * and what it has used and done when it is asked.
 */
import { subscribe } from "node:diagnostics_channel"
import { type BuildName, buildNames, builds } from "./builds/index.ts"
import type { Begin, Ended, Used, Worked } from "./child.ts"
import { listen } from "./downstreams.ts"
import { type Name, names, type Origins } from "./settings.ts"
import { traceNamed } from "./traces.ts"

const [name = "", ...rest] = process.argv.slice(2)

/** The downstreams of these builds, each with its own. */
const asDownstreams = async (of: ReadonlyArray<string>) => {
  const stations = new Map<string, Awaited<ReturnType<typeof listen>>>()
  for (const build of of) stations.set(build, await listen())
  process.on("message", (message: Begin | Ended) => {
    const own = stations.get(message.build)
    if (own === undefined) throw new Error(`${message.build} has no downstreams`)
    if (message.kind === "ended") {
      void own.counts("essential").then((counts) => process.send?.({ build: message.build, counts } satisfies Worked))
    } else if (message.trace === undefined) void own.begin(undefined, message.seed)
    else void own.begin({ trace: traceNamed(message.trace), startAt: message.startAt }, message.seed)
  })
  process.send?.({ origins: Object.fromEntries([...stations].map(([build, { origins }]) => [build, origins])) })
}

/** What a build asks of its downstreams, counted where all of them come by: in undici. */
const asBuild = async (build: BuildName) => {
  const asked: Record<Name, number> = { essential: 0, degradable: 0, optional: 0 }
  subscribe("undici:request:create", (message) => {
    const path = String(Object(Object(message).request).path)
    const of = names.find((name) => path.startsWith(`/${name}/`))
    if (of !== undefined) asked[of]++
  })
  const start = await builds[build]()
  // The parent made it from the downstreams' own word.
  const { port } = await start(JSON.parse(rest[0] ?? "") as Origins)
  process.on("message", () => {
    const { system, user } = process.cpuUsage()
    process.send?.({ cpuMicros: user + system, asked: asked.essential } satisfies Used)
  })
  process.send?.({ url: `http://127.0.0.1:${port}` })
}

process.on("disconnect", () => process.exit(0))
process.on("SIGTERM", () => process.exit(0))
const build = buildNames.find((of) => of === name)
await (build === undefined ? asDownstreams(rest) : asBuild(build))
