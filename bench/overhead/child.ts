/** A measuring process and the questions that it answers. */
import { type ChildProcess, fork, spawnSync } from "node:child_process"
import { cpus } from "node:os"
import { fileURLToPath } from "node:url"

/** One build in one scenario. */
export interface Case {
  readonly name: string
  readonly scenario: string
}

export interface Child {
  readonly ask: (question: string) => Promise<number>
  readonly stop: () => void
}

const heard = (child: ChildProcess, field: string) =>
  new Promise<number>((resolve, reject) => {
    const ended = () => reject(new Error("the measuring process ended"))
    child.once("exit", ended)
    child.once("message", (message) => {
      child.off("exit", ended)
      if (typeof message !== "object" || !(field in message)) return reject(new Error(`expected ${field}`))
      // NaN does not survive JSON: it comes as null.
      const value = Object.entries(message).find(([key]) => key === field)?.[1]
      resolve(typeof value === "number" ? value : Number.NaN)
    })
  })

const flags = ["--conditions=@failsoft/source"]

/**
 * For memory the young generation is made so large that a sample meets no collection;
 * for time it must not be, since walking through it costs more than a call.
 */
export const memoryFlags = ["--expose-gc", "--max-semi-space-size=256", "--min-semi-space-size=256"]

/** Starts it on the last core, where there is a choice, and waits until it is warm. */
export const start = async (of: Case, more: ReadonlyArray<string> = []): Promise<Child> => {
  const child = fork(fileURLToPath(new URL("./measure.ts", import.meta.url)), [of.name, of.scenario], {
    execArgv: [...flags, ...more]
  })
  if (process.platform === "linux" && cpus().length > 1 && child.pid !== undefined) {
    spawnSync("taskset", ["-acp", String(cpus().length - 1), String(child.pid)], { stdio: "ignore" })
  }
  await heard(child, "ready")
  return {
    ask: (question) => {
      const answer = heard(child, "value")
      child.send(question)
      return answer
    },
    stop: () => child.kill()
  }
}
