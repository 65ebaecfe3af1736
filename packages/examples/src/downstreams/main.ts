/**
 * One downstream as a process of its own, started and told its faults by the
 * supervisor over IPC. It ends when its parent is gone.
 *
 *     main.ts NAME PORT [FOLDER]
 */
import * as Schema from "effect/Schema"
import { Fault } from "../faults/Fault.ts"
import { start } from "./FaultyServer.ts"
import { make, resolve } from "./registry.ts"

const Told = Schema.Struct({ id: Schema.Int, fault: Schema.NullOr(Fault) })

const tell = (message: object) => process.send?.(message)

const [given = "", port = "0", folder] = process.argv.slice(2)
const [name, ...others] = resolve(given)
if (name === undefined || others.length > 0) {
  console.error(`there is no downstream '${given}'`)
  process.exit(2)
}

process.on("disconnect", () => process.exit(0))
// A signal to the whole group (Ctrl-C, systemd) also comes here; the parent drains first, and decides when we end.
process.on("SIGINT", () => {})
process.on("SIGTERM", () => {})

try {
  const server = await start(name, make(name, folder), Number(port))
  process.on("message", (message) => {
    const { id, fault } = Schema.decodeUnknownSync(Told)(message)
    server.setFault(fault ?? undefined).then(
      () => tell({ done: id }),
      (error) => tell({ done: id, error: String(error) })
    )
  })
  tell({ ready: server.port })
} catch (error) {
  const failed = typeof error === "object" && error !== null && "code" in error ? String(error.code) : String(error)
  // The parent must hear it before the channel closes.
  process.send?.({ failed }, undefined, undefined, () => process.exit(1))
}
