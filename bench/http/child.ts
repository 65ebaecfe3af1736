/** A server process: where it is, what it has used of its core, and how often it had to fall back. */
import { type ChildProcess, fork, spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { cpus } from "node:os"
import { fileURLToPath } from "node:url"

export interface Child {
  readonly url: string
  /** Processor time so far, in milliseconds; `NaN` where the system does not tell. */
  readonly cpuMillis: () => number
  readonly degraded: () => Promise<number>
  readonly stop: () => void
}

/** Servers have the last core, the load and the downstream the first. */
export const serverCore = cpus().length - 1
export const loadCore = 0

export const canPin =
  process.platform === "linux" && cpus().length > 1 && spawnSync("taskset", ["--version"]).status === 0

const heard = (child: ChildProcess, field: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const ended = () => reject(new Error("a server of the benchmark ended"))
    child.once("exit", ended)
    child.once("message", (message) => {
      child.off("exit", ended)
      const found = Object.entries(Object(message)).find(([key]) => key === field)
      if (found === undefined) reject(new Error(`expected ${field}`))
      else resolve(String(found[1]))
    })
  })

/** Ticks of the system's clock; a hundredth of a second on every Linux that Node runs on. */
const tickMillis = 10

/** User and system time of a process, from the fields after its name, which may hold spaces. */
const cpuMillis = (pid: number | undefined): number => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8")
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
    return (Number(fields[11]) + Number(fields[12])) * tickMillis
  } catch {
    return Number.NaN
  }
}

const flags = ["--conditions=@failsoft/source"]

/** Starts the server of this name and waits until it listens. */
export const start = async (name: string, downstream: string, core: number): Promise<Child> => {
  const child = fork(fileURLToPath(new URL("./serve.ts", import.meta.url)), [name, downstream], {
    execArgv: flags,
    env: { ...process.env, NODE_ENV: "production" }
  })
  if (canPin) spawnSync("taskset", ["-acp", String(core), String(child.pid)], { stdio: "ignore" })
  const url = await heard(child, "url")
  return {
    url,
    cpuMillis: () => cpuMillis(child.pid),
    degraded: async () => {
      const answer = heard(child, "degraded")
      child.send("degraded")
      return Number(await answer)
    },
    stop: () => void child.kill()
  }
}
