/**
 * `npm run bench:overhead`: what a stack costs per call, against the same policies
 * written by hand in Effect. Each case has its own process; the samples of a round
 * are taken in turn, and ratios are formed within a round, so that a noisy machine
 * disturbs both sides alike.
 */
import { type ChildProcess, fork } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Case } from "./cases.ts"

const names: ReadonlyArray<Case> = ["failsoft ring", "failsoft stack", "effect by hand", "bare"]
const rounds = Number(process.env["BENCH_ROUNDS"] ?? 9)
const baseline: Case = "effect by hand"

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))

/** The next message of a process that has the given field. */
const heard = (child: ChildProcess, field: string) =>
  new Promise<number>((resolve, reject) => {
    child.once("message", (message) => {
      if (typeof message !== "object" || !(field in message)) return reject(new Error(`expected ${field}`))
      resolve(Number(Object.entries(message).find(([key]) => key === field)?.[1]))
    })
    child.once("exit", () => reject(new Error("the measuring process ended")))
  })

const median = (of: ReadonlyArray<number>) => {
  const sorted = [...of].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
const spread = (of: ReadonlyArray<number>, digits: number) =>
  `${median(of).toFixed(digits)} (${Math.min(...of).toFixed(digits)}–${Math.max(...of).toFixed(digits)})`

const children = new Map<Case, ChildProcess>()
const samples = new Map<Case, Array<number>>(names.map((name) => [name, []]))
try {
  // One after another: two that warm up at once disturb each other.
  for (const name of names) {
    const child = fork(path("./measure.ts"), [name], { execArgv: ["--conditions=@failsoft/source"] })
    children.set(name, child)
    await heard(child, "ready")
  }
  for (let round = 1; round <= rounds; round++) {
    process.stderr.write(`\rround ${round} of ${rounds}`)
    for (const [name, child] of children) {
      const answer = heard(child, "nanos")
      child.send("go")
      samples.get(name)?.push(await answer)
    }
  }
  process.stderr.write("\n")
} finally {
  for (const child of children.values()) child.kill()
}

const of = (name: Case) => samples.get(name) ?? []
const ratios = (name: Case) => of(name).map((nanos, round) => nanos / (of(baseline)[round] ?? Number.NaN))

console.log(`| case | ns per call, median (min–max) of ${rounds} | ÷ ${baseline}, within a round |`)
console.log("|---|---|---|")
for (const name of names) console.log(`| ${name} | ${spread(of(name), 0)} | ${spread(ratios(name), 2)} |`)

mkdirSync(path("./results"), { recursive: true })
const result = names.map((name) => ({ name, nanos: of(name), ratios: ratios(name) }))
writeFileSync(
  path("./results/overhead.json"),
  `${JSON.stringify({ node: process.version, rounds, baseline, result }, null, 2)}\n`
)
