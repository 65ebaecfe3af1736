/** Our stack: deadline-free, as the peers have it, with the same five policies; around any effect, and around a leaf. */
import { Call, Leaf, Policy } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import { type Build, down, Flaw, fallback, flaky, hungMillis, never, settings } from "../settings.ts"
import { atOnce, oneByOne } from "./loops.ts"

type Down = Call.Call<number, unknown>

/** A downstream as an effect: whatever it is, it has a fiber of its own. */
const anyEffect = (run: () => Promise<number>): Down =>
  Effect.map(Effect.tryPromise({ try: run, catch: () => new Flaw("down") }), Result.succeed)

/** A downstream as a leaf: one promise, which needs no fiber. */
const leaf = (run: () => Promise<number>): Down => Leaf.call(run, () => new Flaw("down"))

const row = {
  downstream: "d",
  method: "m",
  bus: { active: false, failed: 0, emit: () => {}, subscribe: () => Effect.void }
}

const make = async (
  permits: number,
  failureRate: number,
  retries: number,
  timeoutMillis: number,
  minimumCalls: number = settings.minimumCalls
) => {
  const breaker = Policy.circuitBreaker({
    failureRate,
    windowCalls: settings.windowCalls,
    minimumCalls,
    openFor: "1 minute",
    openMax: "1 minute"
  })
  const stack = Policy.stack(
    ...(retries === 0 ? [] : [Policy.retry({ times: retries, base: settings.backoffMillis, delayMax: 10 })]),
    breaker,
    Policy.bulkhead({ permits, queueMax: 0 }),
    Policy.timeout(timeoutMillis)
  )
  const built = await Effect.runPromise(Scope.provide(Policy.build(stack, row), Scope.makeUnsafe()))
  // The ring does this for a contract; here it is the constant fallback of every build.
  const guarded = (call: Down): Effect.Effect<number> =>
    Effect.match(built.intercept(call), {
      onFailure: () => fallback,
      onSuccess: (result) => (Result.isSuccess(result) ? result.success : fallback)
    })
  return { built, guarded }
}

const buildOf = (of: (run: () => Promise<number>) => Down): Build => ({
  scenarios: {
    closed: async () => {
      const { guarded } = await make(settings.permits, settings.failureRate, settings.retries, settings.timeoutMillis)
      const call = guarded(of(down))
      return oneByOne(() => call)
    },
    failing: async () => {
      const { guarded } = await make(1_000_000, 0.95, settings.retries, settings.timeoutMillis, settings.windowCalls)
      return atOnce(() => guarded(of(flaky())))
    },
    open: async () => {
      const { built, guarded } = await make(settings.permits, settings.failureRate, 0, settings.timeoutMillis)
      for (const { instance } of built.parts) instance.controls["open"]?.(row, Date.now())
      const call = guarded(of(down))
      return oneByOne(() => call)
    },
    full: async () => {
      const { guarded } = await make(1, 1, 0, hungMillis)
      Effect.runFork(guarded(of(never)))
      const call = guarded(of(down))
      return oneByOne(() => call)
    }
  },
  hang: async (calls) => {
    const { guarded } = await make(calls, settings.failureRate, settings.retries, settings.timeoutMillis)
    const call = guarded(of(never))
    for (let i = 0; i < calls; i++) Effect.runFork(call)
    await new Promise(setImmediate)
  }
})

export const effect: Build = buildOf(anyEffect)
export const promise: Build = buildOf(leaf)
