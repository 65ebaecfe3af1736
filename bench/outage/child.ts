/** The processes of the race as their parent sees them. */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { FaultServer } from "@failsoft/http/testing"
import type { BuildName } from "./builds/index.ts"
import type { Origins } from "./settings.ts"

/** Begins a trace, at a time by the clock on the wall; without a name nothing goes wrong. */
export interface Begin {
  readonly kind: "begin"
  readonly build: string
  readonly trace: string | undefined
  readonly startAt: number
  readonly seed: number
}

/** Asks what the downstreams of a build have done, once nothing is left to do. */
export interface Ended {
  readonly kind: "ended"
  readonly build: string
}

/** What a build has used since its start, and how often it has asked the essential downstream. */
export interface Used {
  readonly cpuMicros: number
  readonly asked: number
}

/** What the essential downstream of a build has done since the trace began. */
export interface Worked {
  readonly build: string
  readonly counts: FaultServer.Done
}

const heard = <A>(child: ChildProcess): Promise<A> =>
  new Promise((resolve, reject) => {
    const ended = () => reject(new Error("a process of the race ended"))
    child.once("exit", ended)
    child.once("message", (message) => {
      child.off("exit", ended)
      // Both sides are this folder's; each question has one kind of answer.
      resolve(message as A)
    })
  })

const start = (args: ReadonlyArray<string>): ChildProcess =>
  fork(fileURLToPath(new URL("./serve.ts", import.meta.url)), [...args], {
    execArgv: ["--conditions=@failsoft/source"],
    env: { ...process.env, NODE_ENV: "production" }
  })

/** The downstreams of one build. */
export interface Downstreams {
  readonly origins: Origins
  readonly begin: (of: Pick<Begin, "trace" | "startAt" | "seed">) => void
  readonly worked: () => Promise<Worked>
}

/** The downstreams of all builds, each with its own, in one process that goes on from trace to trace. */
export const startDownstreams = async (
  names: ReadonlyArray<BuildName>
): Promise<{ readonly of: ReadonlyMap<BuildName, Downstreams>; readonly stop: () => void }> => {
  const child = start(["downstreams", ...names])
  const { origins } = await heard<{ readonly origins: Readonly<Record<BuildName, Origins>> }>(child)
  const waiting = new Map<string, (worked: Worked) => void>()
  child.on("message", (message: Worked) => waiting.get(message.build)?.(message))
  const of = new Map(
    names.map((build): [BuildName, Downstreams] => [
      build,
      {
        origins: origins[build],
        begin: (how) => void child.send({ kind: "begin", build, ...how } satisfies Begin),
        worked: () =>
          new Promise((resolve) => {
            waiting.set(build, resolve)
            child.send({ kind: "ended", build } satisfies Ended)
          })
      }
    ])
  )
  return { of, stop: () => void child.kill() }
}

export interface Build {
  readonly url: string
  readonly used: () => Promise<Used>
  readonly stop: () => void
}

/** Starts a build before these downstreams. */
export const startBuild = async (name: BuildName, origins: Origins): Promise<Build> => {
  const child = start([name, JSON.stringify(origins)])
  const { url } = await heard<{ readonly url: string }>(child)
  return {
    url,
    used: () => {
      const answer = heard<Used>(child)
      child.send("used")
      return answer
    },
    stop: () => void child.kill()
  }
}
