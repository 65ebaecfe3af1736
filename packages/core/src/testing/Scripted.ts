/**
 * A downstream that the test drives call by call.
 *
 * **Details**
 *
 * A call to it waits until the test has taken it with `next` and answered it, so a test
 * says exactly what happens between two steps of a ring. Calls wait in their order, at
 * most 1000.
 *
 * **Gotchas**
 *
 * `next` waits for a call. A call whose caller went away says so in `abandoned`;
 * answering it does nothing.
 *
 * **Example** (an answer that comes when the test says so)
 *
 * ```ts
 * import { Effect, Fiber, Schema } from "effect"
 * import { Contract, Downstream, Transient } from "@failsoft/core"
 * import { Scripted } from "@failsoft/core/testing"
 *
 * class Stock extends Downstream.Service<Stock>()("@shop/Stock", {
 *   get: Contract.method({
 *     payload: Schema.Struct({ sku: Schema.String }),
 *     success: Schema.Int,
 *     transient: Transient.Transient,
 *     permanent: Schema.Never,
 *     idempotency: "safe",
 *     onOutage: "fail"
 *   })
 * }, {
 *   criticality: "optional",
 *   owner: "team-stock",
 *   slo: { objective: 0.99, window: "30 days" },
 *   budget: "1 second",
 *   docs: "https://runbooks.example/stock"
 * }) {}
 *
 * const program = Effect.gen(function*() {
 *   const { layer, next } = yield* Scripted.make(Stock)
 *   const asked = Stock.Transport.pipe(Effect.flatMap((calls) => calls.get({ sku: "sku-1" })), Effect.provide(layer))
 *   const fiber = yield* Effect.forkChild(asked)
 *   const call = yield* next("get")
 *   call.answer(call.payload.sku.length)
 *   return yield* Fiber.join(fiber)
 * })
 * Effect.runPromise(program).then(console.log)
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Contract from "../Contract.ts"
import type * as Downstream from "../Downstream.ts"

/**
 * One call that waits for the test. The first of `answer` and `fail` counts.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call<M extends Contract.Method> {
  readonly payload: Contract.PayloadOf<M>
  readonly answer: (value: Contract.SuccessOf<M>) => void
  readonly fail: (error: Contract.TransientOf<M> | Contract.PermanentOf<M>) => void
  /** Whether its caller went away. */
  readonly abandoned: () => boolean
}

/**
 * A scripted downstream: its transport, and the next call of a method.
 *
 * @category models
 * @since 0.1.0
 */
export interface Scripted<Id extends string, M extends Contract.Methods> {
  readonly layer: Layer.Layer<Downstream.Transport<Id>>
  readonly next: <const K extends keyof M & string>(method: K) => Effect.Effect<Call<M[K]>>
  /** How many calls of a method wait to be taken. */
  readonly waiting: (method: keyof M & string) => number
}

interface Pending extends Call<Contract.Method> {
  readonly method: string
}

const waitingMax = 1000

/**
 * Makes a scripted downstream.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <Self, Id extends string, M extends Contract.Methods>(
  service: Downstream.Service<Self, Id, M>
): Effect.Effect<Scripted<Id, M>> =>
  Effect.sync(() => {
    const calls: Array<Pending> = []
    const takers: Array<{ readonly method: string; readonly take: (call: Pending) => void }> = []

    const raw = (method: string) => (payload: unknown) =>
      Effect.callback<unknown, unknown>((resume) => {
        let gone = false
        const call: Pending = {
          method,
          payload,
          answer: (value) => resume(Effect.succeed(value)),
          fail: (error) => resume(Effect.fail(error)),
          abandoned: () => gone
        }
        const at = takers.findIndex((taker) => taker.method === method)
        if (at >= 0) takers.splice(at, 1)[0]?.take(call)
        else if (calls.length < waitingMax) calls.push(call)
        else resume(Effect.die(`more than ${waitingMax} calls wait for the test: take them with next`))
        return Effect.sync(() => {
          gone = true
        })
      })

    const next = (method: string) =>
      Effect.callback<Pending>((resume) => {
        const at = calls.findIndex((call) => call.method === method)
        const [call] = at < 0 ? [] : calls.splice(at, 1)
        if (call !== undefined) return resume(Effect.succeed(call))
        const taker = { method, take: (of: Pending) => resume(Effect.succeed(of)) }
        takers.push(taker)
        return Effect.sync(() => void takers.splice(takers.indexOf(taker), 1))
      })

    const transport = Object.fromEntries(Object.keys(service.contract.methods).map((name) => [name, raw(name)]))
    return {
      // Each call was made for the method of the same name.
      layer: Layer.succeedContext(Context.make(service.Transport, transport as Contract.RawCalls<M>)),
      next: next as unknown as Scripted<Id, M>["next"],
      waiting: (method) => calls.filter((call) => call.method === method).length
    }
  })
