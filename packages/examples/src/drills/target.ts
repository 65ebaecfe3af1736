/** The storefront that is drilled: one that runs, or one of our own. */
import { spawn } from "node:child_process"
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
    (child) =>
      Effect.callback<void>((resume) => {
        if (child.exitCode !== null) return resume(Effect.void)
        child.once("exit", () => resume(Effect.void))
        child.kill("SIGTERM")
      })
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
    child.once("exit", (code) =>
      resume(
        Effect.fail(new NoTarget({ message: `The storefront ended with ${code} while it started: ${output.trim()}` }))
      )
    )
  }).pipe(
    Effect.timeoutOrElse({
      duration: startMillis,
      orElse: () => Effect.fail(new NoTarget({ message: `The storefront did not start in ${startMillis / 1000} s.` }))
    })
  )
})
