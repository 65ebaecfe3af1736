/** A process of its own that shares a circuit on Redis and meets a dead downstream: `node … <port> <calls>`. */
import { Call, Policy, Signal, Transient } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CircuitBreaker } from "effect/persistence"
import { connection } from "./redisServer.ts"

const [port = 0, calls = 0] = process.argv.slice(2).map(Number)

const program = Effect.gen(function* () {
  const store = CircuitBreaker.layerStoreRedis().pipe(Layer.provide(connection(port)))
  const policy = Policy.sharedCircuitBreaker({
    circuit: "bank",
    store,
    minimumCalls: 4,
    openFor: "1 minute",
    openMax: "1 minute"
  })
  const { intercept } = yield* Policy.build(policy, { downstream: "bank", method: "pay", bus: yield* Signal.make })
  const dead = Call.transient(new Transient.Transient({ cause: "connection_refused", applied: "no" }))
  for (let n = 0; n < calls; n++) yield* Effect.exit(intercept(dead))
})

Effect.runPromise(Effect.scoped(program)).catch(() => process.exit(1))
