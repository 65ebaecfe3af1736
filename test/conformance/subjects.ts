/** The living breakers of the differential test, all asked in the same way. */
import { Call, Policy, Transient } from "@failsoft/core"
import { CountBreaker, circuitBreaker, handleAll, TimeoutStrategy, timeout, wrap } from "cockatiel"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as Scope from "effect/Scope"
import OpossumBreaker from "opossum"
import { numbers, type Outcome, ours, type Switches } from "./machine.ts"

/** What the function within is told: how it ends. */
export type Ending = Outcome | "aborted"

/** A breaker: runs the function, or rejects without. `abort` is what a caller does who goes away. */
export interface Subject {
  readonly ask: (id: number, run: () => Promise<Ending>) => Promise<unknown>
  /** Nothing where the only way is that the function itself ends. */
  readonly abort?: (id: number) => void
  readonly close: () => void
}

export interface Peer {
  readonly name: string
  readonly windowCalls: number
  readonly switches: Switches
  readonly make: () => Subject
}

const windowCalls = 6

/** An effect that ends as the function says. */
const waited = (run: () => Promise<Ending>): Effect.Effect<Ending> => Effect.promise(run)

const fibers = () => {
  const running = new Map<number, Fiber.Fiber<unknown, unknown>>()
  return {
    run: (id: number, effect: Effect.Effect<unknown, unknown>): Promise<unknown> => {
      const fiber = Effect.runFork(effect)
      running.set(id, fiber)
      return new Promise((resolve, reject) => {
        fiber.addObserver((exit) => (exit._tag === "Success" ? resolve(exit.value) : reject(exit.cause)))
      })
    },
    abort: (id: number) => running.get(id)?.interruptUnsafe()
  }
}

const silent = { active: false, failed: 0, emit: () => {}, subscribe: () => Effect.void }

export const makeOurs = (calls: number): Subject => {
  const breaker = Policy.circuitBreaker({
    failureRate: numbers.rate,
    minimumCalls: numbers.minimum,
    windowCalls: calls,
    window: 10 * numbers.bucketMillis,
    openFor: numbers.openMillis,
    openMax: numbers.openMillis,
    jitter: 0,
    probes: 1,
    probeMax: "1 day",
    ramp: false
  })
  const policy = Policy.stack(breaker, Policy.timeout(numbers.limitMillis))
  const scope = Effect.runSync(Scope.make())
  const { intercept } = Effect.runSync(
    Effect.provideService(Policy.build(policy, { downstream: "d", method: "m", bus: silent }), Scope.Scope, scope)
  )
  const { abort, run } = fibers()
  return {
    ask: (id, call) =>
      run(
        id,
        intercept(
          Effect.flatMap(waited(call), (word): Call.Call<string, Transient.Transient, string> => {
            if (word === "ok") return Call.answer(word)
            if (word === "permanent") return Call.permanent(word)
            return Call.transient(new Transient.Transient({ cause: "reset", applied: "unknown" }))
          })
        )
      ),
    abort,
    close: () => {}
  }
}

const promised = (run: () => Promise<Ending>): Promise<string> =>
  run().then((word) => {
    if (word !== "ok") throw new Error(word)
    return word
  })

const makeEffect = (): Subject => {
  const scope = Effect.runSync(Scope.make())
  const breaker = Effect.runSync(
    CircuitBreaker.make({
      tripPolicy: CircuitBreaker.rate({
        threshold: numbers.rate,
        size: windowCalls,
        minimumCalls: numbers.minimum
      }),
      openDuration: numbers.openMillis
    }).pipe(Effect.provide(Layer.fresh(CircuitBreaker.layerStoreMemory())), Effect.provideService(Scope.Scope, scope))
  )
  const { abort, run } = fibers()
  return {
    ask: (id, call) =>
      run(
        id,
        breaker.execute(
          waited(call).pipe(
            Effect.flatMap((word) => (word === "ok" ? Effect.succeed(word) : Effect.fail(word))),
            Effect.timeout(numbers.limitMillis)
          ),
          { key: "d" }
        )
      ),
    abort,
    close: () => {}
  }
}

const makeCockatiel = (): Subject => {
  const breaker = circuitBreaker(handleAll, {
    halfOpenAfter: numbers.openMillis,
    breaker: new CountBreaker({
      threshold: numbers.rate,
      size: windowCalls,
      minimumNumberOfCalls: numbers.minimum
    })
  })
  const stack = wrap(breaker, timeout(numbers.limitMillis, TimeoutStrategy.Aggressive))
  return { ask: (_id, run) => stack.execute(() => promised(run)), close: () => {} }
}

const makeOpossum = (): Subject => {
  const breaker = new OpossumBreaker((run: () => Promise<Ending>) => promised(run), {
    timeout: numbers.limitMillis,
    errorThresholdPercentage: numbers.rate * 100,
    volumeThreshold: numbers.minimum,
    resetTimeout: numbers.openMillis,
    rollingCountTimeout: 10 * numbers.bucketMillis,
    rollingCountBuckets: 10,
    rollingPercentilesEnabled: false,
    enableSnapshots: false
  })
  return { ask: (_id, run) => breaker.fire(run), close: () => breaker.shutdown() }
}

export const peers: ReadonlyArray<Peer> = [
  {
    name: "Effect",
    windowCalls,
    switches: { ...ours, goodTrips: true, finalFails: true, outlives: false, opensAnew: true },
    make: makeEffect
  },
  {
    name: "cockatiel",
    windowCalls,
    switches: {
      ...ours,
      above: true,
      finalFails: true,
      abortFails: true,
      late: "began-closed",
      waits: true,
      outlives: false,
      opensAnew: true,
      probeCounts: true
    },
    make: makeCockatiel
  },
  {
    name: "opossum",
    windowCalls: 0,
    switches: {
      ...ours,
      above: true,
      finalFails: true,
      abortFails: true,
      late: "all",
      outlives: false,
      opensAnew: true,
      startCounts: true,
      keeps: true,
      ownBuckets: true
    },
    make: makeOpossum
  }
]
