/**
 * Downstreams that need no network: they answer from their contract.
 *
 * **Details**
 *
 * A fake answers each method by a function of yours, or else with a valid value of the
 * method's success schema, the same for the same payload. What the function returns
 * is the answer, or an effect of it that may fail with the contract's errors. Answers
 * take a few milliseconds, drawn for each call. A fake with a state is made by a
 * function, so that each run begins anew. {@link inRegions} makes several of one, joined
 * by the failover that the service has; plans then also target `catalog.eu`.
 *
 * **Gotchas**
 *
 * A transient error of the contract's own must be made: `transient`. Faults come from
 * the plan, not from a fake: keep fakes well.
 *
 * **Example** (a stock that has none of one thing)
 *
 * ```ts
 * import { Schema } from "effect"
 * import { Contract, Downstream, Transient } from "@failsoft/core"
 * import { Fake } from "@failsoft/core/testing"
 *
 * class Stock extends Downstream.Service<Stock>()("@shop/Stock", {
 *   get: Contract.method({
 *     payload: Schema.Struct({ sku: Schema.String }),
 *     success: Schema.Int,
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
 * const stock = Fake.make(Stock, { get: ({ sku }) => (sku === "sku-13" ? 0 : 7) })
 * console.log(stock.contract.name)
 * ```
 *
 * @since 0.1.0
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { Attempt } from "../Attempt.ts"
import type * as Contract from "../Contract.ts"
import type * as Downstream from "../Downstream.ts"
import type { Transient } from "../Transient.ts"
import { draw } from "./Draw.ts"
import { CurrentRequest, calmly, type Words, wordsOf } from "./internal/interpreter.ts"
import * as Pump from "./Pump.ts"
import * as Workers from "./Workers.ts"

/**
 * How a method answers: a value, or an effect that may fail with its contract's errors.
 *
 * @category models
 * @since 0.1.0
 */
export type Handler<M extends Contract.Method> = (
  payload: Contract.PayloadOf<M>
) => Contract.SuccessOf<M> | Effect.Effect<Contract.SuccessOf<M>, Contract.TransientOf<M> | Contract.PermanentOf<M>>

/**
 * How some methods of a contract answer; the others are answered from their schemas.
 *
 * @category models
 * @since 0.1.0
 */
export type Handlers<M extends Contract.Methods> = { readonly [K in keyof M]?: Handler<M[K]> }

/**
 * One call that a fake has served.
 *
 * @category models
 * @since 0.1.0
 */
export interface Served {
  readonly at: number
  readonly method: string
  readonly payload: unknown
  readonly idempotencyKey: string | undefined
}

/**
 * A running fake: its raw calls, and what they did. `journal` keeps the last 10000.
 *
 * @category models
 * @since 0.1.0
 */
export interface Living {
  readonly serve: (method: string, payload: unknown) => Effect.Effect<unknown, unknown>
  readonly journal: () => ReadonlyArray<Served>
}

/**
 * The regions of a fake by their names, and what makes one transport of theirs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Regions {
  readonly names: ReadonlyArray<string>
  readonly join: (regions: Readonly<Record<string, Layer.Layer<never>>>) => Layer.Layer<never, unknown>
}

/**
 * A fake of a downstream, ready to be started.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fake<out T> {
  readonly contract: Contract.Contract
  readonly client: Context.Key<never, object>
  readonly transport: Context.Key<T, object>
  readonly transient: ((of: Transient) => unknown) | undefined
  /** Nothing where it is one place. */
  readonly regions?: Regions | undefined
  /** Nothing where there is always somebody; each region has so many. */
  readonly workers?: Workers.Options | undefined
  /** Starts it anew; the seed draws how long answers take. */
  readonly start: (seed: number) => Effect.Effect<Living>
}

/**
 * How long answers take, in milliseconds, how many are made at once, and the transient
 * error of a contract that has one of its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default from 2 to 20 ms. */
  readonly latency?: { readonly from: number; readonly to: number }
  /**
   * Who does the work, each for the time of one answer. Default: as many as are needed. A plan
   * that is put around the fake by `Fault.layer` knows only the workers that are given there.
   */
  readonly workers?: Workers.Options
  readonly transient?: (of: Transient) => unknown
}

const journalMax = 10_000

/** So many different answers from a schema. */
const poolSize = 16

/** Valid answers, always the same: the seed is fixed, and a pump of its own takes no step of the run's. */
const sampled = (method: Contract.Method, seed: string): ReadonlyArray<unknown> => {
  const ended = Pump.make({ traps: "off" }).run(
    Arbitrary.sampleEffect(Arbitrary.schema(method.success), { count: poolSize, seed })
  )
  if (ended._tag === "Ended" && ended.exit._tag === "Success") return ended.exit.value
  throw new Error(`${seed}: no answer can be made from the success schema; give the fake a handler`)
}

type AnyHandler = (payload: unknown) => unknown

/**
 * Makes a fake.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <Self, Id extends string, M extends Contract.Methods>(
  service: Downstream.Service<Self, Id, M>,
  handlers: Handlers<M> | (() => Handlers<M>) = {},
  options: Options = {}
): Fake<Downstream.Transport<Id>> => {
  const { contract } = service
  const { from, to } = options.latency ?? { from: 2, to: 20 }
  const pools = new Map<string, ReadonlyArray<unknown>>()

  const arbitrary = (name: string, payload: unknown): unknown => {
    const method = contract.methods[name]
    const pool = pools.get(name) ?? (method === undefined ? [] : sampled(method, `${contract.name}/${name}`))
    pools.set(name, pool)
    return pool[Math.floor(draw(name, JSON.stringify(payload) ?? "") * pool.length)]
  }

  const start = (seed: number) =>
    Effect.sync(() => {
      // The handlers take the payloads of their own methods.
      const own = (typeof handlers === "function" ? handlers() : handlers) as Readonly<
        Record<string, AnyHandler | undefined>
      >
      const journal: Array<Served> = []

      const answer = (name: string, payload: unknown): Effect.Effect<unknown, unknown> => {
        const handler = own[name]
        const value = handler === undefined ? arbitrary(name, payload) : handler(payload)
        return Effect.isEffect(value) ? (value as Effect.Effect<unknown, unknown>) : Effect.succeed(value)
      }

      const served = (name: string, payload: unknown) =>
        Effect.clockWith((clock) => {
          const idempotencyKey = contract.methods[name]?.idempotencyKey?.(payload)
          journal.push({ at: clock.currentTimeMillisUnsafe(), method: name, payload, idempotencyKey })
          if (journal.length > journalMax) journal.shift()
          return answer(name, payload)
        })

      const serve = (name: string, payload: unknown) =>
        Effect.withFiber<unknown, unknown>((fiber) => {
          const key = [contract.name, name, fiber.getRef(CurrentRequest), fiber.getRef(Attempt)]
          return Effect.delay(served(name, payload), from + draw(seed, ...key) * (to - from))
        })
      return { serve, journal: () => journal }
    })

  return {
    contract,
    // Two keys of the same contract.
    client: service as unknown as Context.Key<never, object>,
    transport: service.Transport as unknown as Context.Key<Downstream.Transport<Id>, object>,
    transient: options.transient,
    workers: options.workers,
    start
  }
}

/**
 * The same downstream in several regions, each with a state and with faults of its own.
 * `join` makes one transport of theirs: the `Transport.failover` that the service has.
 *
 * @category constructors
 * @since 0.1.0
 */
export const inRegions = <T, const Name extends string>(
  fake: Fake<T>,
  names: ReadonlyArray<Name>,
  join: (regions: Readonly<Record<Name, Layer.Layer<T>>>) => Layer.Layer<T, unknown>
): Fake<T> => ({
  ...fake,
  // The simulator hands over a layer for each of the names, and takes the transport out of what it gets.
  regions: { names, join: join as unknown as Regions["join"] }
})

/**
 * A running fake for tests without the simulator: a transport, and its journal, which of
 * one in several regions is that of all of them.
 *
 * @category layers
 * @since 0.1.0
 */
export const started = <T>(
  fake: Fake<T>,
  seed = 1
): Effect.Effect<{ readonly layer: Layer.Layer<T>; readonly journal: Living["journal"] }> =>
  fake.regions === undefined
    ? Effect.map(living(fake, seed), ({ serve, journal }) => ({ journal, layer: layerOf(fake, serve) }))
    : Effect.map(
        Effect.forEach(fake.regions.names, (name) => Effect.map(living(fake, seed), (of) => [name, of] as const)),
        (all) => ({
          journal: () => all.flatMap(([, { journal }]) => journal()).sort((a, b) => a.at - b.at),
          layer: joined(fake, all)
        })
      )

/** Starts it with its workers, who end with what they have begun. */
const living = (fake: Fake<unknown>, seed: number): Effect.Effect<Living> =>
  Effect.gen(function* () {
    const of = yield* fake.start(seed)
    if (fake.workers === undefined) return of
    const workers = yield* Scope.provide(Workers.make(fake.workers), Scope.makeUnsafe())
    const words = new Map<string, Words>()
    for (const [name, method] of Object.entries(fake.contract.methods)) {
      words.set(name, wordsOf(`${fake.contract.name}/${name}`, method, fake.transient))
    }
    return {
      ...of,
      serve: (name, payload) => {
        const own = words.get(name)
        return own === undefined ? of.serve(name, payload) : calmly(workers, own, of.serve(name, payload))
      }
    }
  })

const layerOf = <T>(fake: Fake<T>, serve: Living["serve"]): Layer.Layer<T> =>
  Layer.succeedContext(Context.make(fake.transport, callsOf(fake, serve)))

/** What cannot be joined is a mistake of the test's author. */
const joined = <T>(fake: Fake<T>, living: ReadonlyArray<readonly [string, Living]>): Layer.Layer<T> => {
  const regions = Object.fromEntries(living.map(([name, { serve }]) => [name, layerOf(fake, serve)]))
  // `inRegions` took the type away, and made it of a function that makes a layer of T of layers of T.
  return Layer.orDie(fake.regions?.join(regions as never) as unknown as Layer.Layer<T, unknown>)
}

/** The raw calls of a contract from one function. */
const callsOf = <T>(fake: Fake<T>, serve: Living["serve"]): Record<string, unknown> =>
  Object.fromEntries(
    Object.keys(fake.contract.methods).map((name) => [name, (payload: unknown) => serve(name, payload)])
  )
