/** `npm run mutation -- [files or folders]`: does a test fail where a policy is wrong? docs/mutation.md has more. */
import { globSync, mkdirSync, statSync, writeFileSync } from "node:fs"
import { setPriority } from "node:os"
import { dirname, join, relative } from "node:path"
import { parseArgs } from "node:util"
import { equivalents } from "./equivalents.ts"
import { share, survivors, table } from "./report.ts"
import { type Result, run } from "./runner.ts"

const root = dirname(dirname(import.meta.dirname))

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    tests: {
      type: "string",
      multiple: true,
      default: ["test/laws/*.test.ts", "test/conformance/table.test.ts", "packages/core/test/*.test.ts"]
    },
    // They come by the policies on their way to something else, and are many.
    except: {
      type: "string",
      default:
        "/(answer|callKey|collect|contract|explain|failover|fallback[.a-z]*|healthWatch|latencyBudget|promises|quantiles|ring|settings.(fallback|model|sources|state)|shedder[.a-z]*|signalLog|timers).test.ts$"
    },
    // They plant bugs of their own, in models and laws: they say nothing about the policies.
    without: { type: "string", default: "^finds |> finds |finds the bug that was planted|planted bug is found" },
    line: { type: "string", multiple: true, default: [] },
    nice: { type: "string", default: "10" },
    least: { type: "string", default: "90" },
    json: { type: "string", default: "bench/results/mutation.json" }
  }
})

const files = (globs: ReadonlyArray<string>) =>
  [...new Set(globs.flatMap((glob) => globSync(glob, { cwd: root })))].sort()

const sources = files(
  (positionals.length === 0 ? ["packages/core/src/policy"] : positionals).map((path) =>
    statSync(join(root, path)).isDirectory() ? `${relative("", path)}/**/*.ts` : path
  )
)
const lines = new Set(values.line.flatMap((list) => list.split(",")).map(Number))

// The machine may have more important things to do.
setPriority(Number(values.nice))
// The laws hold over this many random stacks; most mutants fall within the first dozens.
process.env["LAW_RUNS"] ??= "60"

const begun = Date.now()
const minutes = (millis: number) => `${Math.ceil(millis / 60_000)} min`
const last = { at: 0, told: 0 }

/** A line now and then, and for each that lives. */
const progress = (results: ReadonlyArray<Result>, all: number) => {
  const newest = results.at(-1)
  if (newest === undefined) return
  if (newest.outcome === "survived") console.log(`  lives: ${survivors([newest])[0]}`)
  if (Date.now() < last.at + 10_000 && results.length < all) return
  last.at = Date.now()
  const left = ((last.at - begun) / results.length) * (all - results.length)
  const killed = (100 * share(results)).toFixed(1)
  console.log(
    `${results.length} of ${all} mutants tried, ${killed} % killed, at ${newest.mutant.file}, about ${minutes(left)} left`
  )
}

const results = await run({
  root,
  sources,
  tests: files(values.tests).filter((file) => !new RegExp(values.except).test(file)),
  without: values.without,
  equivalents,
  only: ({ line }) => lines.size === 0 || lines.has(line),
  tell: (line) => console.log(line),
  done: progress
})

const json = join(root, values.json)
mkdirSync(dirname(json), { recursive: true })
writeFileSync(json, JSON.stringify({ killed: share(results), results }, null, 2))

const lives = survivors(results)
const ignored = results.filter(({ outcome }) => outcome === "ignored")
console.log(`\n${table(results)}\n`)
if (lives.length > 0) console.log(`These live:\n${lives.map((line) => `- ${line}`).join("\n")}\n`)
for (const { mutant, why } of ignored)
  console.log(`ignored: ${mutant.file}:${mutant.line} → ${mutant.replacement}: ${why}`)
console.log(`${((Date.now() - begun) / 60_000).toFixed(1)} minutes; details in ${values.json}`)
const least = Number(values.least)
const enough = 100 * share(results) >= least
if (!enough) console.log(`${(100 * share(results)).toFixed(1)} % of the mutants were killed, less than ${least} %`)
process.exit(enough ? 0 : 1)
