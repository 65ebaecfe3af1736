/** The process that a drill starts, and how it ends. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ended } from "../src/drills/target.ts"

/** A process that runs until it is told to stop; `deaf` does not hear it. */
const running = (deaf: boolean) =>
  Effect.promise(async () => {
    const script = `${deaf ? 'process.on("SIGTERM", () => {});' : ""}setInterval(() => {}, 1000); console.log("up")`
    const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "ignore"] })
    await once(child.stdout, "data")
    return child
  })

describe("the end of a drill's storefront", () => {
  it.live("is waited for where it runs, and not where a signal has ended it before", () =>
    Effect.gen(function* () {
      const child = yield* running(false)
      yield* ended(child, 60_000)
      assert.strictEqual(child.signalCode, "SIGTERM")
      yield* ended(child, 60_000)
    })
  )

  it.live("comes though it does not hear", () =>
    Effect.gen(function* () {
      const child = yield* running(true)
      yield* ended(child, 50)
      assert.strictEqual(child.signalCode, "SIGKILL")
    })
  )

  it.live("is nothing to wait for where it never began", () =>
    Effect.gen(function* () {
      const child = spawn("/nowhere/at/all")
      const failed = once(child, "error")
      yield* ended(child, 60_000)
      yield* Effect.promise(() => failed)
    })
  )
})
