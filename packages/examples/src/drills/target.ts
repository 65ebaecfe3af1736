/** The storefront that is drilled: one that runs, or one of our own. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/** The storefront cannot be drilled; the message says what to do. */
export class NoTarget extends Schema.TaggedError<NoTarget>()("NoTarget", { message: Schema.String }) {}

/** Where its two ports are. */
export interface Target {
  readonly api: string
  readonly admin: string
}

const startMillis = 60_000
/** Longer than the storefront drains its requests and stops its downstreams. */
const endMillis = 30_000

/** Whether an address is of this machine. */
export const isLoopback = (url: string): boolean => {
  const { hostname } = new URL(url)
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

/** A storefront that runs already; beyond loopback only where that is allowed. */
export const running = (api: string, admin: string, allowRemote: boolean): Effect.Effect<Target, NoTarget> => {
  const malformed = [api, admin].find((url) => !URL.canParse(url))
  if (malformed !== undefined) return Effect.fail(new NoTarget({ message: `'${malformed}' is no URL.` }))
  const remote = [api, admin].find((url) => !isLoopback(url))
  return remote === undefined || allowRemote
    ? Effect.succeed({ api, admin })
    : Effect.fail(
        new NoTarget({
          message: `${remote} is not of this machine, and a drill breaks what it is pointed at: add --allow-remote if you mean it.`
        })
      )
}

/** Ends a process: by `SIGTERM`, and by `SIGKILL` where it has not ended after so many milliseconds. */
export const ended = (child: ChildProcess, withinMillis: number): Effect.Effect<void> => {
  // One that a signal has killed has no exit code, and one that never began has no id.
  const isOver = () => child.exitCode !== null || child.signalCode !== null || child.pid === undefined
  const over = Effect.callback<void>((resume) => {
    if (isOver()) return resume(Effect.void)
    const done = () => resume(Effect.void)
    child.once("exit", done)
    return Effect.sync(() => child.off("exit", done))
  })
  return Effect.suspend(() => {
    if (isOver()) return Effect.void
    child.kill("SIGTERM")
    return Effect.timeoutOrElse(over, {
      duration: withinMillis,
      orElse: () =>
        Effect.andThen(
          Effect.sync(() => child.kill("SIGKILL")),
          over
        )
    })
  })
}

/** Starts a storefront on free ports, with data that it forgets; it ends with the scope. */
export const started: Effect.Effect<Target, NoTarget, Scope.Scope> = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "failsoft-drill-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const main = fileURLToPath(new URL("../main.ts", import.meta.url))
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, ["--conditions=@failsoft/source", main], {
        env: { ...process.env, PORT: "0", ADMIN_PORT: "0", DOWNSTREAM_PORT: "0", DATA_DIR: folder, SETTINGS_FILE: "" },
        stdio: ["ignore", "pipe", "pipe"],
        // A Ctrl-C is for the drill, which ends the faults before it ends the shop.
        detached: true
      })
    ),
    (child) => ended(child, endMillis)
  )
  return yield* Effect.callback<Target, NoTarget>((resume) => {
    let output = ""
    const hear = (chunk: unknown) => {
      output += String(chunk)
      const stated = (name: string) => new RegExp(`^ +${name} +(http://[\\d.:]+)`, "m").exec(output)?.[1]
      const [api, admin] = [stated("API"), stated("admin")]
      if (api !== undefined && admin !== undefined) resume(Effect.succeed({ api, admin }))
    }
    child.stdout.on("data", hear)
    child.stderr.on("data", hear)
    const fail = (message: string) => resume(Effect.fail(new NoTarget({ message })))
    child.once("error", ({ message }) => fail(`The storefront could not be started: ${message}`))
    child.once("exit", (code, signal) =>
      fail(`The storefront ended with ${code ?? signal} while it started: ${output.trim()}`)
    )
  }).pipe(
    Effect.timeoutOrElse({
      duration: startMillis,
      orElse: () => Effect.fail(new NoTarget({ message: `The storefront did not start in ${startMillis / 1000} s.` }))
    })
  )
})
