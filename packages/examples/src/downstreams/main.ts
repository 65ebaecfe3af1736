/**
 * One downstream as a process of its own, started and told its faults by the
 * supervisor over IPC. It ends when its parent is gone.
 *
 *     main.ts NAME PORT [FOLDER]
 */
import { Player } from "@failsoft/core/testing/faults"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { Played } from "../faults/Played.ts"
import { start } from "./FaultyServer.ts"
import { make, resolve } from "./registry.ts"

const Told = Schema.Struct({ id: Schema.Int, play: Schema.NullOr(Played) })

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

const codeOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error ? String(error.code) : String(error)

const begun = Effect.gen(function* () {
  // It lives as long as the process.
  const scope = yield* Scope.make()
  const downstream = yield* Effect.try({ try: () => make(name, folder), catch: codeOf })
  return yield* Effect.mapError(Scope.provide(start(name, downstream, Number(port)), scope), codeOf)
})

const exit = await Effect.runPromiseExit(begun)
if (Exit.isSuccess(exit)) {
  const server = exit.value
  process.on("message", (message) => {
    const { id, play } = Schema.decodeUnknownSync(Told)(message)
    const player = play === null ? Effect.undefined : Player.start(play.plan, play)
    Effect.runPromise(Effect.flatMap(player, server.play)).then(
      () => tell({ done: id }),
      (error) => tell({ done: id, error: String(error) })
    )
  })
  tell({ ready: server.port })
} else {
  const [reason] = exit.cause.reasons
  const failed = reason?._tag === "Fail" ? reason.error : String(exit.cause)
  // The parent must hear it before the channel closes.
  process.send?.({ failed }, undefined, undefined, () => process.exit(1))
}
