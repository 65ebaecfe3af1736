/** A running process for tests, from the side of the one that leads it. */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Job, Order, TestName, Told } from "./messages.ts"

/** How a mutant fared. */
export type Verdict =
  | { readonly _tag: "Killed"; readonly test: number; readonly why: string; readonly sound: boolean }
  | { readonly _tag: "Survived" }
  /** The process did not answer, and was ended. */
  | { readonly _tag: "Hung"; readonly test: number }
  /** The process ended by itself. */
  | { readonly _tag: "Broke"; readonly test: number }

/** A process that has loaded sources and tests. */
export interface Workshop {
  readonly tests: ReadonlyArray<TestName>
  readonly onLoad: Readonly<Record<string, ReadonlyArray<number>>>
  readonly measure: (test: number) => Promise<Extract<Told, { _tag: "Measured" }>>
  readonly attempt: (order: Extract<Order, { _tag: "Try" }>) => Promise<Verdict>
  readonly close: () => void
}

/** How long after its own limit a test is ended from outside. */
const graceMillis = 10_000

/** The first thing that the process tells which is no news about a test; nothing when it ended. */
const answer = (child: ChildProcess, news: (test: number) => void = () => {}): Promise<Told | undefined> =>
  new Promise((resolve) => {
    const done = (told: Told | undefined) => {
      child.off("message", hear)
      child.off("exit", ended)
      resolve(told)
    }
    const hear = (told: Told) => (told._tag === "Begun" ? news(told.test) : done(told))
    const ended = () => done(undefined)
    child.on("message", hear)
    child.on("exit", ended)
    if (child.exitCode !== null || child.signalCode !== null) ended()
  })

/** Starts a process; nothing where the sources could not be loaded. */
export const open = async (job: Job): Promise<Workshop | undefined> => {
  const child = fork(fileURLToPath(new URL("./child.ts", import.meta.url)), {
    cwd: job.root,
    execArgv: ["--conditions=@failsoft/source", "--disable-warning=ExperimentalWarning"],
    // Tests of failures are loud, and mutants make them fail.
    stdio: ["ignore", "ignore", process.env["MUTATION_LOUD"] === undefined ? "ignore" : "inherit", "ipc"]
  })
  const loading = answer(child)
  const tooLong = setTimeout(() => child.kill("SIGKILL"), 120_000)
  child.send(job)
  const loaded = await loading
  clearTimeout(tooLong)
  if (loaded?._tag !== "Loaded") {
    child.kill("SIGKILL")
    return undefined
  }
  const order = (order: Order, news?: (test: number) => void) => {
    const told = answer(child, news)
    if (child.connected) child.send(order)
    return told
  }
  return {
    tests: loaded.tests,
    onLoad: loaded.onLoad,
    measure: async (test) => {
      const told = await order({ _tag: "Measure", test })
      if (told?._tag !== "Measured") throw new Error(`${loaded.tests[test]?.name}: ended the process, with no mutant`)
      return told
    },
    attempt: async (asked) => {
      let at = asked.tests[0]?.test ?? -1
      let hung = false
      let watch: ReturnType<typeof setTimeout> | undefined
      const told = await order(asked, (test) => {
        at = test
        clearTimeout(watch)
        // The test, and the same once more without the mutant.
        const millis = 2 * (asked.tests.find((one) => one.test === test)?.millis ?? 0) + graceMillis
        watch = setTimeout(() => {
          hung = true
          child.kill("SIGKILL")
        }, millis)
      })
      clearTimeout(watch)
      if (told?._tag === "Killed" || told?._tag === "Survived") return told
      return hung ? { _tag: "Hung", test: at } : { _tag: "Broke", test: at }
    },
    close: () => child.kill("SIGKILL")
  }
}
