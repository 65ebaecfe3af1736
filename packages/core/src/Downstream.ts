/**
 * A downstream as a typed Effect service with two keys and one ring.
 *
 * **Details**
 *
 * `Downstream.Service<Self>()(id, methods, info)` is a service class. The class
 * itself is the key of the typed client; `Self.Transport` is the key of the raw
 * calls, which HTTP, a fake or a fault injector provides; `Self.layer({...})` is
 * the resilience ring between the two, a table with one row per method.
 *
 * **Gotchas**
 *
 * `Self.layer(...)` returns a new layer each time: keep it in a `const` where two
 * parts of a program should share its state.
 *
 * **Example** (a contract, its ring, and a transport)
 *
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { Contract, Downstream, Fallback, Policy, Transient } from "@failsoft/core"
 *
 * class Stock extends Downstream.Service<Stock>()("@shop/Stock", {
 *   get: Contract.method({
 *     payload: Schema.Struct({ sku: Schema.String }),
 *     success: Schema.Number,
 *     transient: Transient.Transient,
 *     permanent: Schema.Never,
 *     idempotency: "safe",
 *     onOutage: "degrade"
 *   })
 * }, {
 *   criticality: "optional",
 *   owner: "team-stock",
 *   slo: { objective: 0.99, window: "30 days" },
 *   budget: "1 second",
 *   docs: "https://runbooks.example/stock"
 * }) {}
 *
 * const ring = Stock.layer({ get: { policy: Policy.standard(), fallback: Fallback.value(0) } })
 * const raw = Stock.transport({ get: () => Effect.succeed(3) })
 * const program = Stock.use((stock) => stock.get({ sku: "sku-1" })).pipe(Effect.provide(Layer.provide(ring, raw)))
 * Effect.runPromise(program).then((answer) => console.log(answer.value, answer.quality))
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Str from "effect/String"
import type { Cache } from "./Cache.ts"
import type { InvalidComposition } from "./Composition.ts"
import type * as Contract from "./Contract.ts"
import type { Write } from "./cache/client.ts"
import type { Fallback } from "./Fallback.ts"
import type * as Check from "./internal/check.ts"
import type { Description } from "./internal/description.ts"
import * as ring from "./internal/ring.ts"
import type { Policy } from "./Policy.ts"

export type {
  CacheDescription,
  Description,
  MethodDescription,
  PolicyDescription,
  StepDescription
} from "./internal/description.ts"

/**
 * The identifier of a downstream's raw calls in an effect's requirements.
 *
 * @category models
 * @since 0.1.0
 */
export interface Transport<out Id extends string> {
  readonly "~failsoft/Transport": Id
}

/**
 * The table of a ring: a policy for each method, a fallback for those that degrade,
 * the key of a call for policies that keep a state per key, a cache, and what a write
 * does to the caches.
 *
 * @category models
 * @since 0.1.0
 */
export type Table<M extends Contract.Methods> = {
  readonly [K in keyof M]: {
    readonly policy: Policy
    readonly fallback?: Fallback<Contract.SuccessOf<M[K]>, Contract.PayloadOf<M[K]>>
    /** Whose call it is, for policies with a state per key: a tenant, a host, a carrier. */
    readonly key?: (payload: Contract.PayloadOf<M[K]>) => string
    /** What answers before the policies are asked; `safe` methods only. */
    readonly cache?: Cache<Contract.SuccessOf<M[K]>, Contract.PayloadOf<M[K]>, Contract.PermanentOf<M[K]>>
    /** What the caches of this client forget or learn once the downstream has answered. */
    readonly writes?: (payload: Contract.PayloadOf<M[K]>, answer: Contract.SuccessOf<M[K]>) => ReadonlyArray<Write<M>>
  }
}

/**
 * A contract that can be called: its client's key, its transport's key, its ring.
 *
 * @category models
 * @since 0.1.0
 */
export interface Service<Self, Id extends string, M extends Contract.Methods>
  extends Context.ServiceClass<Self, Id, Contract.Client<M>> {
  /** The methods and what is known about them. */
  readonly contract: Contract.Contract<M>
  /** The key of the raw calls, below every policy. */
  readonly Transport: Context.Key<Transport<Id>, Contract.RawCalls<M>>
  /** The resilience ring: one row per method, misuse is a compile error. */
  readonly layer: <const T extends Table<M>>(
    table: T & Check.Checked<M, T>
  ) => Layer.Layer<Self, InvalidComposition, Transport<Id>>
  /** A transport from plain effects. */
  readonly transport: (calls: Contract.RawCalls<M>) => Layer.Layer<Transport<Id>>
}

/**
 * Any downstream, for code that works with all of them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Any {
  readonly contract: Contract.Contract
  readonly key: string
}

const lastSegment = (id: string) => Str.uncapitalize(id.slice(id.lastIndexOf("/") + 1))

/**
 * Declares a downstream. `id` is a package path and unique in the program; its
 * last segment is the name in telemetry unless `info.name` says another.
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service =
  <Self>() =>
  <const Id extends string, const M extends Contract.Methods>(
    id: Id,
    methods: M,
    info: Contract.Info
  ): Service<Self, Id, M> => {
    const contract: Contract.Contract<M> = { name: info.name ?? lastSegment(id), methods, info }
    const key = Context.Service<Self, Contract.Client<M>>()(id)
    const transport = Context.Service<Transport<Id>, Contract.RawCalls<M>>(`${id}/Transport`)
    return Object.assign(key, {
      contract,
      Transport: transport,
      // The memo map is the layer's own, so that `Layer.fresh` gives a ring its own state.
      layer: (table: Table<M>) =>
        Layer.fromBuildMemo((memoMap, scope) =>
          ring.make(contract, transport, table).pipe(
            Effect.provideService(Layer.CurrentMemoMap, memoMap),
            Scope.provide(scope),
            Effect.map((client) => Context.make(key, client))
          )
        ),
      transport: (calls: Contract.RawCalls<M>) => Layer.succeed(transport, calls)
    })
  }

/**
 * What a built client shows of itself: its contract, each method's policies
 * outermost first with their knobs and live state, and its health as observed.
 * Nothing for an object that no ring made.
 *
 * @category accessors
 * @since 0.1.0
 */
export const describe = (client: object): Description | undefined => ring.describe(client)
