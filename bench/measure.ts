/** One case in a process of its own: warms up, then gives a sample whenever it is asked. */
import * as Effect from "effect/Effect"
import { type Case, cases } from "./cases.ts"

const warmUpMillis = 1500
const sampleMillis = 250
const batch = 200

const isCase = (name: string | undefined): name is Case => name !== undefined && name in cases
const [name] = process.argv.slice(2)
if (!isCase(name)) throw new Error(`there is no case '${name}'`)

/** Nanoseconds per call over about so many milliseconds, one call after another in one fiber. */
const sample = (call: Effect.Effect<unknown, unknown>, millis: number) =>
  Effect.gen(function* () {
    const startedAt = process.hrtime.bigint()
    let calls = 0
    let elapsed = 0
    while (elapsed < millis * 1e6) {
      for (let i = 0; i < batch; i++) yield* call
      calls += batch
      elapsed = Number(process.hrtime.bigint() - startedAt)
    }
    return elapsed / calls
  })

/** The parent asks for one sample at a time. */
const asked = Effect.callback<void>((resume) => {
  process.once("message", () => resume(Effect.void))
})

const program = Effect.gen(function* () {
  const call = yield* cases[name]
  yield* sample(call, warmUpMillis)
  process.send?.({ ready: true })
  while (true) {
    yield* asked
    process.send?.({ nanos: yield* sample(call, sampleMillis) })
  }
})
process.on("disconnect", () => process.exit(0))
await Effect.runPromise(Effect.scoped(program))
