/** One protected call in three builds: ours, the same policies written by hand in Effect, and none at all. */
import { Call, Contract, Downstream, Policy, Transient } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CircuitBreaker } from "effect/persistence"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"

/** The knobs that every build has. */
const knobs = { deadlineMillis: 1000, timeoutMillis: 250, permits: 100, retries: 2 } as const

class Downstreams extends Downstream.Service<Downstreams>()(
  "@failsoft/bench/Downstreams",
  {
    get: Contract.method({
      payload: Schema.Void,
      success: Schema.Finite,
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "safe",
      onOutage: "fail"
    })
  },
  {
    criticality: "optional",
    owner: "bench",
    slo: { objective: 0.99, window: "30 days" },
    budget: "1 second",
    docs: "https://example.com"
  }
) {}

/** What the downstream does: answers after one turn of the event loop's promise queue. */
const downstream: Effect.Effect<number, Transient.Transient> = Effect.promise(() => Promise.resolve(1))

const stack = Policy.stack(
  Policy.deadline(knobs.deadlineMillis),
  Policy.retry({ times: knobs.retries, base: 25, delayMax: 100 }),
  Policy.circuitBreaker({ minimumCalls: 20, window: "10 seconds" }),
  Policy.bulkhead({ permits: knobs.permits, waitMax: "50 millis" }),
  Policy.timeout(knobs.timeoutMillis)
)

/** The ring: the stack, the classification of errors, and the typed client above it. */
const ours = Effect.gen(function* () {
  const layer = Layer.provide(
    Downstreams.layer({ get: { policy: stack } }),
    Downstreams.transport({ get: () => downstream })
  )
  const context = yield* Layer.build(layer)
  const { get } = yield* Effect.provide(Downstreams, context)
  return get(undefined)
})

/** The stack alone around a call. */
const stackOnly = Effect.gen(function* () {
  const row = {
    downstream: "d",
    method: "m",
    bus: { active: false, failed: 0, emit: () => {}, subscribe: () => Effect.void }
  }
  const { intercept } = yield* Policy.build(stack, row)
  return intercept(Effect.flatMap(downstream, Call.answer))
})

/** The same five policies from Effect's own parts, as its documentation combines them. */
const byHand = Effect.gen(function* () {
  const semaphore = Semaphore.makeUnsafe(knobs.permits)
  const breaker = yield* CircuitBreaker.make({
    tripPolicy: CircuitBreaker.rate({ threshold: 0.5, size: 128, minimumCalls: 20 }),
    openDuration: "1 second"
  })
  return downstream.pipe(
    Effect.timeout(knobs.timeoutMillis),
    semaphore.withPermit,
    breaker.execute({ key: "d" }),
    Effect.retry({ times: knobs.retries, schedule: Schedule.exponential(25).pipe(Schedule.jittered) }),
    Effect.timeout(knobs.deadlineMillis)
  )
}).pipe(Effect.provide(CircuitBreaker.layerStoreMemory()))

/** Every case by its name. */
export const cases = {
  "failsoft ring": ours,
  "failsoft stack": stackOnly,
  "effect by hand": byHand,
  bare: Effect.succeed(downstream)
} as const

/** The name of a case. */
export type Case = keyof typeof cases
