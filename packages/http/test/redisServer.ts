/** A Redis server of the test's own on a free port, where this machine has one. */
import { type ChildProcess, spawn } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import * as Effect from "effect/Effect"

const isThere = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Whether `redis-server` is on the PATH. */
export const binary = (process.env["PATH"] ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "redis-server"))
  .find(isThere)

/** A port that was free a moment ago. */
export const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

const stop = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

/** Starts the server for the scope of the test; it keeps nothing on disk. */
export const start = (port: number) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<ChildProcess>((resume) => {
        const child = spawn(
          binary ?? "redis-server",
          ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", tmpdir()],
          { stdio: ["ignore", "pipe", "ignore"] }
        )
        child.once("exit", (code) => resume(Effect.die(`redis-server ended with ${code}`)))
        child.stdout.on("data", (text) => {
          if (String(text).includes("Ready to accept connections")) resume(Effect.succeed(child))
        })
      }),
      stop
    ),
    (child) => ({ stop: stop(child) })
  )

/** The connection of one process to the server. */
export const connection = (port: number) => NodeRedis.layer({ socket: { host: "127.0.0.1", port } })
