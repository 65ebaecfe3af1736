/**
 * Faults as JSON: one form for the simulator, for servers that misbehave on purpose,
 * and for drills.
 *
 * **Details**
 *
 * A {@link Fault} says what goes wrong; a {@link PlannedFault} also where and when: a
 * target (`payments`, one method as `payments/charge`, or several, which then fail
 * together), `from` and `until` in milliseconds since the start. `first` limits it to
 * the first calls of its time, `recoverMillis` lets it fade away instead of stopping.
 * A {@link Disturbance} is no downstream's doing: callers who go away, a clock that is
 * set. {@link decide} says what a fault does to one request, and is a pure function.
 *
 * **Gotchas**
 *
 * Times are milliseconds, shares are percent.
 *
 * **Example** (payments are slow, and then lose answers)
 *
 * ```ts
 * import { Fault } from "@failsoft/core/testing"
 *
 * const plan: Fault.Plan = {
 *   faults: [
 *     { kind: "latency", target: "payments", from: 1000, until: 4000, millis: 800 },
 *     { kind: "resetAfter", target: "payments/charge", from: 4000, until: 6000, first: 3 }
 *   ]
 * }
 * console.log(plan.faults.length)
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Contract from "../Contract.ts"
import type * as Downstream from "../Downstream.ts"
import { Interpreter } from "./internal/interpreter.ts"
import type * as Workers from "./Workers.ts"

export { busy, type Decision, decide, fullCapacity, type Moment } from "./internal/decide.ts"

const Millis = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 600_000 }))
const At = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 86_400_000 }))
const Percent = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 100 }))

/**
 * The schema of every kind of fault, each with some more fields.
 *
 * @category schemas
 * @since 0.1.0
 */
export const withFields = <const More extends Schema.Struct.Fields>(more: More) => {
  const kind = <const K extends string, const F extends Schema.Struct.Fields>(name: K, fields: F) =>
    Schema.Struct({ kind: Schema.tag(name), ...fields, ...more })
  return Schema.Union([
    /** Each answer later by `millis`, give or take `jitter`. */
    kind("latency", { millis: Millis, jitter: Schema.optionalKey(Millis) }),
    /** Work goes `factor` times as slowly. */
    kind("slow", { factor: Schema.Finite.check(Schema.isBetween({ minimum: 1, maximum: 1000 })) }),
    /** A share of requests is refused with 503 (or 429), nothing applied. */
    kind("transient", {
      percent: Percent,
      retryAfterSeconds: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 86_400 }))),
      status: Schema.optionalKey(Schema.Literals([429, 503]))
    }),
    /** A share of requests gets a final error that nobody declared. */
    kind("permanent", { percent: Percent }),
    /** No answer, ever. */
    kind("hang", {}),
    /** The answer, one byte at a time. */
    kind("drip", {}),
    /** An answer of the wrong shape. */
    kind("garbled", {}),
    /** An answer that breaks off. */
    kind("partial", {}),
    /** A share of requests is applied, and then answered with 502. */
    kind("failAfter", { percent: Percent }),
    /** The connection is reset; nothing applied. */
    kind("resetBefore", {}),
    /** Applied, then the connection is reset. */
    kind("resetAfter", {}),
    /** In turn well and reset. */
    kind("flap", { upMillis: Millis, downMillis: Millis }),
    /** At most so many at once, the rest 503; a downstream with workers has at most so many of them. */
    kind("capacity", { concurrent: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 })) }),
    /** Connections are refused. */
    kind("down", {}),
    /** Capacity, or the share of the workers that are there, grows from 10 % to all of it over `millis`. */
    kind("coldStart", { millis: Millis })
  ])
}

/**
 * Every kind of fault, by its `kind`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Fault = withFields({})

/**
 * What goes wrong.
 *
 * @category models
 * @since 0.1.0
 */
export type Fault = typeof Fault.Type

/**
 * A fault with its target and its time.
 *
 * @category schemas
 * @since 0.1.0
 */
export const PlannedFault = withFields({
  target: Schema.Union([Schema.NonEmptyString, Schema.NonEmptyArray(Schema.NonEmptyString)]),
  from: At,
  until: At,
  first: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 }))),
  recoverMillis: Schema.optionalKey(Millis)
})

/**
 * What goes wrong, where and when.
 *
 * @category models
 * @since 0.1.0
 */
export type PlannedFault = typeof PlannedFault.Type

/**
 * What no downstream does: a share of callers goes away (`abort`), the clock on the
 * wall is set (`clockJump`, once, at `from`).
 *
 * @category schemas
 * @since 0.1.0
 */
export const Disturbance = Schema.Union([
  Schema.Struct({ kind: Schema.tag("abort"), percent: Percent, afterMillis: At, from: At, until: At }),
  Schema.Struct({
    kind: Schema.tag("clockJump"),
    byMillis: Schema.Int.check(Schema.isBetween({ minimum: -86_400_000, maximum: 86_400_000 })),
    from: At
  })
])

/**
 * What no downstream does.
 *
 * @category models
 * @since 0.1.0
 */
export type Disturbance = typeof Disturbance.Type

/**
 * At most 100 faults, and what disturbs beside them.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Plan = Schema.Struct({
  faults: Schema.Array(PlannedFault).check(Schema.isMaxLength(100)),
  disturbances: Schema.optionalKey(Schema.Array(Disturbance).check(Schema.isMaxLength(100)))
})

/**
 * A plan of faults.
 *
 * @category models
 * @since 0.1.0
 */
export type Plan = typeof Plan.Type

/**
 * Faults around a transport, below every policy: provide it with the transport and
 * give it to the ring. Times count from when the layer is built; the same seed draws
 * the same. With `workers` the transport is what one of them does; with `region` plans
 * mean it by `payments.eu` as well as by `payments`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <Self, Id extends string, M extends Contract.Methods>(
  service: Downstream.Service<Self, Id, M>,
  plan: Plan,
  options: { readonly seed?: number; readonly region?: string; readonly workers?: Workers.Options } = {}
): Layer.Layer<Downstream.Transport<Id>, never, Downstream.Transport<Id>> =>
  Layer.effect(
    service.Transport,
    Effect.gen(function* () {
      const raw = yield* service.Transport
      const { contract } = service
      const interpreter = yield* Interpreter.make(plan, options.seed ?? 1)
      const place = options.region === undefined ? contract.name : `${contract.name}.${options.region}`
      const workers = options.workers && (yield* interpreter.workers(place, options.workers))
      return interpreter.around(contract, raw, place, workers)
    })
  )
