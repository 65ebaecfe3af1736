/** Effect 4.1 as its documentation combines it: timeout, CircuitBreaker, Semaphore, retry, catch. */
import * as Effect from "effect/Effect"
import { CircuitBreaker } from "effect/persistence"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { type Build, down, fallback, flaky, hungMillis, never, settings } from "../settings.ts"
import { atOnce, oneByOne } from "./loops.ts"

const make = (
  permits: number,
  failureRate: number,
  timeoutMillis: number = settings.timeoutMillis,
  minimumCalls: number = settings.minimumCalls
) =>
  Effect.gen(function* () {
    const semaphore = Semaphore.makeUnsafe(permits)
    const breaker = yield* CircuitBreaker.make({
      tripPolicy: CircuitBreaker.rate({
        threshold: failureRate,
        size: settings.windowCalls,
        minimumCalls
      }),
      openDuration: "1 minute"
    })
    const guarded = (call: () => Promise<number>, retries: number) =>
      Effect.tryPromise(call).pipe(
        Effect.timeout(timeoutMillis),
        (attempt) => Effect.flatMap(semaphore.withPermitsIfAvailable(1)(attempt), Effect.fromOption),
        breaker.execute({ key: "d" }),
        retries === 0
          ? (attempt) => attempt
          : Effect.retry({ times: retries, schedule: Schedule.exponential(settings.backoffMillis) }),
        Effect.catch(() => Effect.succeed(fallback))
      )
    const full = (call: () => Promise<number>) =>
      Effect.tryPromise(call).pipe(
        Effect.timeout(timeoutMillis),
        breaker.execute({ key: "d" }),
        (attempt) => Effect.flatMap(semaphore.withPermitsIfAvailable(1)(attempt), Effect.fromOption),
        Effect.catch(() => Effect.succeed(fallback))
      )
    return { guarded, full }
  }).pipe(Effect.provide(CircuitBreaker.layerStoreMemory()), Scope.provide(Scope.makeUnsafe()), Effect.runPromise)

const failed = () => Promise.reject(new Error("down"))

export const build: Build = {
  scenarios: {
    closed: async () => {
      const { guarded } = await make(settings.permits, settings.failureRate)
      const call = guarded(down, settings.retries)
      return oneByOne(() => call)
    },
    failing: async () => {
      const { guarded } = await make(1_000_000, 0.95, settings.timeoutMillis, settings.windowCalls)
      return atOnce(() => guarded(flaky(), settings.retries))
    },
    open: async () => {
      const { guarded } = await make(settings.permits, settings.failureRate)
      await oneByOne(() => guarded(failed, 0))(settings.minimumCalls)
      const call = guarded(down, 0)
      return oneByOne(() => call)
    },
    full: async () => {
      // The breaker counts a refusal of the semaphore within it as a failure and would open: here it stands outside.
      const { full } = await make(1, settings.failureRate, hungMillis)
      Effect.runFork(full(never))
      const call = full(down)
      return oneByOne(() => call)
    }
  },
  hang: async (calls) => {
    const { guarded } = await make(calls, settings.failureRate)
    const call = guarded(never, settings.retries)
    for (let i = 0; i < calls; i++) Effect.runFork(call)
    await new Promise(setImmediate)
  }
}
