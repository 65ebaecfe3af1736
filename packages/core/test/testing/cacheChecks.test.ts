/** The checks that look at caches find planted bugs, and nothing where there is none. */
import { Cache, Contract, Downstream, Policy, type Signal, Transient } from "@failsoft/core"
import { Fake, Simulation, Traffic } from "@failsoft/core/testing"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import { info } from "../shop.ts"

class Prices extends Downstream.Service<Prices>()(
  "@failsoft/core/test/Prices",
  {
    get: Contract.method({
      payload: Schema.Struct({ sku: Schema.Int }),
      success: Schema.Finite,
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "safe",
      onOutage: "degrade-or-fail",
      scope: "public"
    })
  },
  info
) {}

const lifetimes = { fresh: "500 millis", staleWhileRevalidate: "1 second", staleIfError: "3 seconds" } as const

const sound = () => Cache.make({ ...lifetimes, entriesMax: 2 })

/** The same with something else in the place of what lives. */
const planted = (
  of: ReturnType<typeof sound>,
  plant: (instance: Cache.Instance, values: Cache.Instance["values"]) => Cache.Instance
): ReturnType<typeof sound> => ({
  ...of,
  part: { ...of.part, build: Effect.map(of.part.build, (instance) => plant(instance, { ...instance.values })) }
})

const search = (cache: ReturnType<typeof sound>, runs: number) =>
  Simulation.search({
    name: "prices",
    layer: Prices.layer({ get: { policy: Policy.standard({ deadline: "400 millis" }), cache } }),
    fakes: [Fake.make(Prices)],
    traffic: [Traffic.make("get", ({ draw }) => Prices.use((of) => of.get({ sku: Math.floor(draw("sku") * 3) })))],
    deadline: "1 second",
    recovery: "10 seconds",
    runs,
    matrix: false
  })

describe("a composition with a cache", () => {
  it("keeps all promises, and the cache answers", () => {
    const outcome = search(sound(), 40)
    assert.isUndefined(Simulation.report(outcome))
    assert.isAbove(outcome.sometimes["a cache answered"] ?? 0, 20)
  }, 60_000)

  it("is found where it gives answers that are too old", () => {
    const { found } = search(
      planted(sound(), (instance, shown) => {
        // It lives by other lifetimes than it shows.
        instance.assign({ freshMillis: 60_000, staleIfErrorMillis: 600_000 })
        return { ...instance, values: shown }
      }),
      60
    )
    assert.include(["a cached answer is not too old", "a stale answer is not too old"], found?.judged.violation?.rule)
  }, 60_000)

  it("is found where it says that they are younger than they are", () => {
    const younger = (signal: Signal.Signal): Signal.Signal =>
      signal._tag === "CacheHit" || signal._tag === "CacheStaleHit" ? { ...signal, ageMillis: 0 } : signal
    const { found } = search(
      planted(sound(), (instance) => ({
        ...instance,
        serve: (row) =>
          Effect.map(instance.serve(row), (living) => {
            const tell: unknown = Reflect.get(living, "tell")
            Reflect.set(living, "tell", (of: unknown, signal: Signal.Signal) =>
              Reflect.apply(Object(tell), living, [of, younger(signal)])
            )
            return living
          })
      })),
      60
    )
    assert.strictEqual(found?.judged.violation?.rule, "a cached answer is as old as it says")
  }, 60_000)
})
