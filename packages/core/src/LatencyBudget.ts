/**
 * Whether the downstream calls of an endpoint fit into its deadline.
 *
 * **Details**
 *
 * An endpoint says which methods it calls, one after another or at once. When its
 * layer is built, the worst case is the sum of what follows one another and the
 * longest of what runs at once, each as its ring's stack bounds it, plus the
 * endpoint's own time. Where that is more than the deadline, the layer is refused:
 * the last call would be cut off just when the first ones are slow.
 *
 * **Gotchas**
 *
 * It is judged by the values in force when the layer is built; a knob that is
 * turned later is judged against its own downstream's budget only.
 *
 * **Example** (two calls at once, then a third)
 *
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { Contract, Downstream, LatencyBudget, Policy, Transient } from "@failsoft/core"
 *
 * class Stock extends Downstream.Service<Stock>()("@shop/Stock", {
 *   get: Contract.method({
 *     payload: Schema.String,
 *     success: Schema.Number,
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
 * const { call, parallel, sequence } = LatencyBudget
 * const page = LatencyBudget.layer({
 *   endpoint: "GET /page",
 *   deadline: "1 second",
 *   calls: sequence(parallel(call(Stock, "get"), call(Stock, "get")), call(Stock, "get"))
 * })
 * const ring = Stock.layer({ get: { policy: Policy.standard({ deadline: "600 millis" }) } })
 * const raw = Stock.transport({ get: () => Effect.succeed(3) })
 * const refused = Effect.flip(Effect.scoped(Layer.build(page.pipe(Layer.provide(ring), Layer.provide(raw)))))
 * Effect.runPromise(refused).then((error) => console.log(error.message))
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { InvalidComposition } from "./Composition.ts"
import type * as Contract from "./Contract.ts"
import type { Service } from "./Downstream.ts"
import { toMillis } from "./internal/duration.ts"
import * as ring from "./internal/ring.ts"

/**
 * Calls of an endpoint, with what they take at worst: milliseconds, and how that
 * comes about in words.
 *
 * @category models
 * @since 0.1.0
 */
export type Calls<R> = Effect.Effect<{ readonly millis: number; readonly words: string }, never, R>

/**
 * One method of a downstream: as long as its ring's stack may take.
 *
 * @category constructors
 * @since 0.1.0
 */
export const call = <Self, Id extends string, M extends Contract.Methods>(
  service: Service<Self, Id, M>,
  method: keyof M & string
): Calls<Self> =>
  Effect.map(service, (client) => {
    const millis =
      ring.describe(client)?.methods.find(({ name }) => name === method)?.worstLatencyMillis ??
      // A client that no ring made has the contract's budget.
      toMillis(service.contract.info.budget)
    return { millis, words: `${service.contract.name}/${method} ${millis} ms` }
  })

/**
 * Calls that follow one another: their sum.
 *
 * @category combinators
 * @since 0.1.0
 */
export const sequence = <R>(...calls: ReadonlyArray<Calls<R>>): Calls<R> =>
  Effect.map(Effect.all(calls), (of) => ({
    millis: of.reduce((sum, { millis }) => sum + millis, 0),
    words: of.map(({ words }) => words).join(" + ")
  }))

/**
 * Calls that run at once: the longest of them.
 *
 * @category combinators
 * @since 0.1.0
 */
export const parallel = <R>(...calls: ReadonlyArray<Calls<R>>): Calls<R> =>
  Effect.map(Effect.all(calls), (of) => ({
    millis: Math.max(0, ...of.map(({ millis }) => millis)),
    words: `max(${of.map(({ words }) => words).join(", ")})`
  }))

/**
 * Refuses the build of an endpoint whose calls may take longer than its deadline.
 * `own` is what it needs for itself, 50 ms by default.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <R>(options: {
  readonly endpoint: string
  readonly deadline: Duration.Input
  readonly own?: Duration.Input
  readonly calls: Calls<R>
}): Layer.Layer<never, InvalidComposition, R> =>
  Layer.effectDiscard(
    Effect.flatMap(options.calls, ({ millis, words }) => {
      const deadline = toMillis(options.deadline)
      const own = toMillis(options.own ?? "50 millis")
      return millis + own <= deadline
        ? Effect.void
        : Effect.fail(
            new InvalidComposition({
              problems: [
                `${options.endpoint}: its calls may take ${millis + own} ms (${words}, and ${own} ms of its own), which is more than its deadline (${deadline} ms): shorten a deadline of theirs, call at once what can be, or grant the endpoint more`
              ]
            })
          )
    })
  )
