/** The whole ring: contract, the same policies, fallback, typed client; over an effect and over a leaf. */
import { Contract, Downstream, Fallback, Leaf, Policy, Signal, Transient } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { type Build, down, fallback, settings } from "../settings.ts"
import { oneByOne } from "./loops.ts"

class Counter extends Downstream.Service<Counter>()(
  "@failsoft/bench/Counter",
  {
    get: Contract.method({
      payload: Schema.Void,
      success: Schema.Finite,
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "safe",
      onOutage: "degrade"
    })
  },
  {
    criticality: "optional",
    owner: "bench",
    slo: { objective: 0.99, window: "30 days" },
    budget: "10 seconds",
    docs: "https://example.com"
  }
) {}

const failed = () => new Transient.Transient({ cause: "connection_terminated", applied: "unknown" })

/** Somebody who counts the signals of every call. */
const listened = Layer.effectDiscard(
  Effect.gen(function* () {
    const bus = yield* Signal.Bus
    let told = 0
    yield* bus.subscribe(() => told++)
  })
).pipe(Layer.provideMerge(Signal.layer))

const buildOf = (get: () => Effect.Effect<number, Transient.Transient>, around: Layer.Layer<never>): Build => ({
  scenarios: {
    closed: async () => {
      const policy = Policy.stack(
        Policy.retry({ times: settings.retries, base: settings.backoffMillis, delayMax: 10 }),
        Policy.circuitBreaker({
          failureRate: settings.failureRate,
          windowCalls: settings.windowCalls,
          minimumCalls: settings.minimumCalls
        }),
        Policy.bulkhead({ permits: settings.permits, queueMax: 0 }),
        Policy.timeout(settings.timeoutMillis)
      )
      const layer = Layer.provide(
        Counter.layer({ get: { policy, fallback: Fallback.value(fallback) } }),
        Counter.transport({ get })
      ).pipe(Layer.provideMerge(around))
      const context = await Effect.runPromise(Scope.provide(Layer.build(layer), Scope.makeUnsafe()))
      const client = await Effect.runPromise(Effect.provide(Counter, context))
      return oneByOne(() => client.get(undefined))
    }
  }
})

export const effect: Build = buildOf(() => Effect.tryPromise({ try: down, catch: failed }), Layer.empty)
export const promise: Build = buildOf(() => Leaf.make(down, failed), Layer.empty)
export const listenedPromise: Build = buildOf(() => Leaf.make(down, failed), listened)
