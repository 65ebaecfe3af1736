/** The load: wrk where it is installed, else a small generator of our own. */
import { spawn, spawnSync } from "node:child_process"
import { Pool } from "undici"
import { canPin, loadCore } from "./child.ts"
import { settings } from "./settings.ts"

/** How many requests were answered in how long, and how many not with 2xx. */
export interface Answered {
  readonly requests: number
  readonly seconds: number
  readonly errors: number
}

/** wrk prints its version and ends with 1. */
export const hasWrk = spawnSync("wrk", ["--version"]).error === undefined

const numberIn = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0)

const byWrk = (url: string, seconds: number): Promise<Answered> =>
  new Promise((resolve, reject) => {
    const wrk = ["wrk", "-t1", `-c${settings.connections}`, `-d${seconds}s`, url]
    const [command = "wrk", ...args] = canPin ? ["taskset", "-c", String(loadCore), ...wrk] : wrk
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] })
    let out = ""
    child.stdout.on("data", (chunk) => {
      out += String(chunk)
    })
    child.once("error", reject)
    child.once("close", () =>
      resolve({
        requests: numberIn(out, /(\d+) requests in/),
        seconds,
        errors: numberIn(out, /Non-2xx or 3xx responses: (\d+)/)
      })
    )
  })

const byUndici = async (url: string, seconds: number): Promise<Answered> => {
  const { origin, pathname } = new URL(url)
  const pool = new Pool(origin, { connections: settings.connections })
  const until = Date.now() + seconds * 1000
  let requests = 0
  let errors = 0
  const client = async () => {
    while (Date.now() < until) {
      const { body, statusCode } = await pool.request({ method: "GET", path: pathname })
      await body.dump()
      requests++
      if (statusCode >= 300) errors++
    }
  }
  await Promise.all(Array.from({ length: settings.connections }, client))
  await pool.close()
  return { requests, seconds, errors }
}

/** Asks for a URL over all connections at once for so many seconds. */
export const load: (url: string, seconds: number) => Promise<Answered> = hasWrk ? byWrk : byUndici
