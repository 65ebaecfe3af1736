/** Loops of calls, for builds whose calls are effects and for those whose are promises. */
import * as Effect from "effect/Effect"
import type { Batch } from "../settings.ts"

/** One call after another in one fiber; an effect is a value that may be run again, as a peer's function may. */
export const oneByOne =
  (call: () => Effect.Effect<unknown>): Batch =>
  (calls) =>
    Effect.runPromise(
      Effect.gen(function* () {
        for (let i = 0; i < calls; i++) yield* call()
      })
    )

/** All at once, each in a fiber. */
export const atOnce =
  (call: () => Effect.Effect<unknown>): Batch =>
  (calls) =>
    Effect.runPromise(
      Effect.forEach(Array.from({ length: calls }), () => call(), { concurrency: "unbounded", discard: true })
    )

/** One after another. */
export const oneByOnePromise =
  (call: () => Promise<unknown>): Batch =>
  async (calls) => {
    for (let i = 0; i < calls; i++) await call()
  }

/** All at once. */
export const atOncePromise =
  (call: () => Promise<unknown>): Batch =>
  async (calls) => {
    await Promise.all(Array.from({ length: calls }, call))
  }
