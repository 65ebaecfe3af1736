/**
 * A transport made of others: one downstream in several regions.
 *
 * **Details**
 *
 * {@link failover} is a layer of raw calls like any other, below every policy of the
 * ring. Each region has a breaker, an adaptive limit and a timeout of its own, with
 * knobs among the settings as `<downstream>.<region>/<method>/circuitBreaker.*`. The
 * first region that lets a call in serves it. So an open circuit sends traffic to the
 * next region at once, the ramp of its breaker brings it back as fast as the first
 * region bears it, and the limit of a region is what it takes of the others' load.
 *
 * Within one attempt the next region is asked where nothing can have been applied: a
 * refusal, a refused connection, an error marked `applied: "no"`. Where it does no harm to
 * apply a request twice (`safe` methods, and `keyed` ones whose keys all regions share) it
 * is asked after every failure that came before `attempt` was over, and for a `safe` method
 * also where the answer violates the contract. Else the attempt fails, and the ring's retry
 * or hedge begins its next attempt with the next region. A key that was or may have been
 * applied in a region goes to that region only (the last 10,000).
 *
 * A region that only waits for the fall of another is asked as well, beside a read once
 * in `look`: its answer serves nobody, but how it does is known, and its circuit closes.
 * And where a region is asked but was not heard for as long, since hedges take the
 * answers of others, one attempt at a time goes on without its caller until `attempt` is
 * over: so a region that hangs is found out.
 *
 * **Gotchas**
 *
 * `attempt` must be shorter than the timeout of the ring: what the ring cuts says
 * nothing about a region. Where a breaker is forced open by hand its region is drained.
 *
 * **Example** (two regions)
 *
 * ```ts
 * import { Contract, Downstream, Policy, Transient, Transport } from "@failsoft/core"
 * import { Effect, Layer, Schema } from "effect"
 *
 * class Catalog extends Downstream.Service<Catalog>()("@shop/Catalog", {
 *   get: Contract.method({
 *     payload: Schema.Struct({ sku: Schema.String }),
 *     success: Schema.String,
 *     transient: Transient.Transient,
 *     permanent: Schema.Never,
 *     idempotency: "safe",
 *     onOutage: "fail"
 *   })
 * }, {
 *   criticality: "essential",
 *   owner: "team-catalog",
 *   slo: { objective: 0.999, window: "30 days" },
 *   budget: "1 second",
 *   docs: "https://runbooks.example/catalog"
 * }) {}
 *
 * const eu = Catalog.transport({ get: () => Effect.fail(new Transient.Transient({ cause: "connection_refused", applied: "no" })) })
 * const us = Catalog.transport({ get: ({ sku }) => Effect.succeed(`${sku} from us`) })
 * const ring = Catalog.layer({ get: { policy: Policy.standard({ deadline: "400 millis" }) } })
 * const program = Catalog.use((catalog) => catalog.get({ sku: "sku-1" })).pipe(
 *   Effect.provide(Layer.provide(ring, Transport.failover(Catalog, { eu, us }, { attempt: "80 millis" })))
 * )
 * Effect.runPromise(program).then(console.log) // sku-1 from us
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { InvalidComposition, problemsOf } from "./Composition.ts"
import type * as Contract from "./Contract.ts"
import type * as Downstream from "./Downstream.ts"
import { describeMethod } from "./internal/describeMethod.ts"
import { toMillis } from "./internal/duration.ts"
import { listening } from "./internal/listening.ts"
import { Observations } from "./internal/observations.ts"
import { Classifier, type RawCall } from "./internal/rawCall.ts"
import { type Place, regionalCall } from "./internal/regional.ts"
import { regionsOf, tellRegions } from "./internal/regions.ts"
import type { Build } from "./internal/shared.ts"
import * as Policy from "./policy/index.ts"
import { type RegisteredRow, Registry } from "./Settings.ts"
import { Bus } from "./Signal.ts"

/**
 * How regions are used.
 *
 * @category models
 * @since 0.1.0
 */
export interface FailoverOptions {
  /** How long one region may take for an attempt; shorter than the timeout of the ring. */
  readonly attempt: Duration.Input
  /** When a region is given up, and how it is taken back. Default: for the dead region only, open for longer than in `Policy.standard`, since another region answers meanwhile. */
  readonly breaker?: Policy.CircuitBreakerOptions
  /** How many calls a region takes at once, others' among them. Default: found from its latency, 200 at most. */
  readonly limit?: Policy.AdaptiveLimitOptions
  /** Whether all regions know the idempotency keys of each other. Default `perRegion`: they do not. */
  readonly idempotencyKeys?: "perRegion" | "shared"
  /** A region that was not asked for so long is asked beside a read; one that was not heard is waited for. Default 2 s. */
  readonly look?: Duration.Input
}

/**
 * The raw calls of a downstream with several regions, the preferred first.
 *
 * @category constructors
 * @since 0.1.0
 */
export const failover = <Self, const Id extends string, M extends Contract.Methods, E, R>(
  service: Downstream.Service<Self, Id, M>,
  regions: Readonly<Record<string, Layer.Layer<Downstream.Transport<Id>, E, R>>>,
  options: FailoverOptions
): Layer.Layer<Downstream.Transport<Id>, E | InvalidComposition, R> =>
  Layer.fromBuildMemo((memoMap, scope) =>
    make(service, regions, options).pipe(
      Effect.provideService(Layer.CurrentMemoMap, memoMap),
      Scope.provide(scope),
      Effect.map((calls) => Context.make(service.Transport, calls))
    )
  )

const make = <Self, Id extends string, M extends Contract.Methods, E, R>(
  service: Downstream.Service<Self, Id, M>,
  regions: Readonly<Record<string, Layer.Layer<Downstream.Transport<Id>, E, R>>>,
  options: FailoverOptions
): Effect.Effect<Contract.RawCalls<M>, E | InvalidComposition, R | Build> =>
  Effect.gen(function* () {
    const { contract } = service
    const bus = yield* Bus
    const settings = yield* Registry
    const scope = yield* Effect.scope
    const now = yield* Clock.currentTimeMillis
    const described: Array<() => Downstream.Description> = []
    const places = new Map<string, Array<Place>>(Object.keys(contract.methods).map((method) => [method, []]))
    for (const [region, layer] of Object.entries(regions)) {
      const name = `${contract.name}.${region}`
      // What is known of a region is known of all its methods, as its circuit and its limit are for all.
      const observations = new Observations()
      const policy = policyOf(options, observations)
      const problems = problemsOf(policy).map((problem) => `${name}: ${problem}`)
      if (problems.length > 0) return yield* new InvalidComposition({ problems })
      const calls = Context.get(yield* Layer.build(layer), service.Transport)
      // The transport's methods have the contract's types; here they are some of many.
      const raw = calls as Readonly<Record<string, RawCall>>
      const rows: Array<RegisteredRow> = []
      const seenAt = { last: now }
      const methods: Array<(registered: string) => Downstream.MethodDescription> = []
      for (const [methodName, method] of Object.entries(contract.methods)) {
        const row = { downstream: name, method: methodName, bus }
        // The same value in each row: a region has one circuit and one limit.
        const { intercept, parts } = yield* Policy.build(policy, row)
        const registered: RegisteredRow = { row, policy, budgetMillis: toMillis(contract.info.budget), parts }
        rows.push(registered)
        methods.push((of) => describeMethod(registered, method, observations, settings, of))
        places.get(methodName)?.push({
          region,
          row,
          raw: raw[methodName] ?? missing(methodName),
          classifier: new Classifier(row, method),
          intercept,
          observations,
          seenAt
        })
      }
      const registered = yield* settings.register(rows)
      described.push(() => ({ name, info: contract.info, methods: methods.map((of) => of(registered)) }))
    }
    if (described.length === 0) {
      return yield* new InvalidComposition({
        problems: [`${contract.name}: Transport.failover was given no region; give it at least one`]
      })
    }
    const calls: Record<string, RawCall> = {}
    for (const [methodName, method] of Object.entries(contract.methods)) {
      calls[methodName] = regionalCall({
        row: { downstream: contract.name, method: methodName, bus },
        method,
        places: places.get(methodName) ?? [],
        sharedKeys: options.idempotencyKeys === "shared",
        lookMillis: lookMillis(options.look),
        scope
      })
    }
    tellRegions(calls, { count: described.length, describe: () => described.map((of) => of()) })
    // Each was made from the contract's method of the same name.
    return calls as Contract.RawCalls<M>
  })

const lookMillis = (look: FailoverOptions["look"]): number => toMillis(look ?? "2 seconds")

const missing = (method: string): RawCall => {
  throw new Error(`the method '${method}' is missing; only a cast comes here`)
}

/** The breaker is for the dead region; the limit bears the rest. A probe of it costs a caller an attempt, so they are few. */
const policyOf = ({ attempt, breaker, limit, look }: FailoverOptions, observations: Observations): Policy.Policy => {
  const attemptMillis = toMillis(attempt)
  return Policy.stack(
    Policy.circuitBreaker({
      failureRate: 0.9,
      minimumCalls: 10,
      consecutiveFailures: 20,
      // A failure at once costs the caller nothing here; one that hangs costs him an attempt, and another region answers.
      consecutiveTimeouts: 5,
      window: Math.max(10_000, 2 * attemptMillis),
      openFor: Math.max(300, attemptMillis),
      openMax: Math.max(500, 2 * attemptMillis),
      ...breaker
    }),
    // A region that stood by meets all traffic at once, and its limit knows nothing of it: it begins low and doubles.
    Policy.adaptiveLimit({
      limitInitial: Math.max(limit?.limitMin ?? 1, Math.min(8, limit?.limitMax ?? 8)),
      queueMax: 10,
      waitMax: Math.max(1, attemptMillis / 8),
      ...limit
    }),
    listening({ observations, attemptMillis, quietMillis: lookMillis(look) }),
    Policy.timeout(attemptMillis)
  )
}

/**
 * The regions of a transport that {@link failover} made, each as a downstream of its
 * own (`catalog.eu`), for those who show them; none for another transport.
 *
 * @category accessors
 * @since 0.1.0
 */
export const describe = (transport: object): ReadonlyArray<Downstream.Description> => regionsOf(transport)
