/** Loops of calls, for builds whose calls are effects and for those whose are promises. */
import * as Effect from "effect/Effect"
import { type Batch, fallback, flakyAtOnce } from "../settings.ts"

/** One call after another in one fiber; an effect is a value that may be run again, as a peer's function may. */
export const oneByOne =
  (call: () => Effect.Effect<unknown>): Batch =>
  (calls) =>
    Effect.runPromise(
      Effect.gen(function* () {
        for (let i = 0; i < calls; i++) yield* call()
      })
    )

const answered = (value: unknown): void => {
  if (value === fallback) throw new Error("a call fell back: the scenario measures refusals and not retries")
}

/** Some at once, each in a fiber; all must be answered. */
export const atOnce =
  (call: () => Effect.Effect<unknown>): Batch =>
  (calls) =>
    Effect.runPromise(
      Effect.forEach(Array.from({ length: calls }), () => Effect.map(call(), answered), {
        concurrency: flakyAtOnce,
        discard: true
      })
    )

/** One after another. */
export const oneByOnePromise =
  (call: () => Promise<unknown>): Batch =>
  async (calls) => {
    for (let i = 0; i < calls; i++) await call()
  }

/** Some at once; all must be answered. */
export const atOncePromise =
  (call: () => Promise<unknown>): Batch =>
  async (calls) => {
    let left = calls
    const worker = async () => {
      while (left-- > 0) answered(await call())
    }
    await Promise.all(Array.from({ length: flakyAtOnce }, worker))
  }
