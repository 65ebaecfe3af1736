import { assert, describe, it } from "@effect/vitest"
import { Attempt, Downstream, Explain, Fallback, Policy, RetryBudget, Settings } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { raw, Shop } from "./shop.ts"

const sound = Policy.stack(Policy.deadline("1 second"), Policy.timeout("250 millis"))

const explained = (
  charge: Policy.Policy<"replays">,
  options?: Explain.Options,
  prepare?: Effect.Effect<unknown, unknown, Shop>
) =>
  Effect.gen(function* () {
    const client = yield* Shop
    if (prepare !== undefined) yield* Effect.exit(prepare)
    const all = Explain.explain(client, options)
    const one = all.methods.find(({ name }) => name === "charge")
    assert.isDefined(one)
    return { all, one, client }
  }).pipe(
    Effect.provide(
      Shop.layer({
        show: { policy: sound, fallback: Fallback.value(0) },
        peek: { policy: sound, fallback: Fallback.stale({ maxAge: "1 minute", entriesMax: 10 }) },
        charge: { policy: charge }
      }).pipe(
        Layer.provide(Shop.transport({ show: raw.answers, peek: raw.answers, charge: raw.answers })),
        Layer.provideMerge(Settings.layer)
      )
    )
  )

const full = Policy.stack(
  Policy.deadline("1 second"),
  Policy.retry({ times: 2, base: 10, delayMax: 50, budget: RetryBudget.make() }),
  Policy.circuitBreaker({ failureRate: 0.9, openFor: 500 }),
  Policy.bulkhead({ permits: 16, queueMax: 0, name: "gateway" }),
  Policy.timeout("250 millis")
)

describe("explaining a ring", () => {
  it.effect("draws its policies outermost first, with the values in force", () =>
    Effect.gen(function* () {
      const { one, all } = yield* explained(full)
      assert.strictEqual(
        one.picture,
        "deadline 1 s > retry 2x, full 10 ms..50 ms, budget 10 % + 1/s > circuitBreaker 90 % of >= 10 in 10 s, open 500 ms > gateway (bulkhead) 16 permits, no queue > timeout 250 ms > shop"
      )
      assert.include(all.methods.find(({ name }) => name === "peek")?.picture, "fallback stale (stale) > deadline 1 s")
      assert.deepInclude(one, { worstLatencyMillis: 780, worstLoad: 1.1, worstExtraPerSecond: 1, warnings: [] })
      assert.deepInclude(one.settings, { name: "shop/charge/gateway.permits", value: 16, origin: "code" })
      assert.deepEqual(JSON.parse(JSON.stringify(all)), all)
    })
  )

  it.effect("follows a change, and names its origin", () =>
    Effect.gen(function* () {
      const turn = Effect.flatMap(Settings.Registry, (settings) =>
        settings.change(
          { "shop/charge/timeout.limitMillis": 100, "shop/charge/circuitBreaker.mode": "forced-open" },
          { by: "alice" }
        )
      )
      const { one, all } = yield* explained(full, {}, turn)
      assert.include(one.picture, "open 500 ms [forced-open] >")
      assert.include(one.picture, "timeout 100 ms")
      assert.strictEqual(one.worstLatencyMillis, 330)
      const text = Explain.format(all)
      assert.include(text, "shop/charge/timeout.limitMillis = 100 (admin)")
      assert.include(text, "worst case: at most 330 ms, 1.1 requests per call")
    })
  )

  it.effect("warns of retries in two layers, in one stack, and without a budget", () =>
    Effect.gen(function* () {
      const unbudgeted = Policy.stack(Policy.deadline("1 second"), Policy.retry({ times: 1 }), Policy.timeout(100))
      const one = (yield* explained(unbudgeted)).one
      assert.deepEqual(one.warnings, [
        "retry has no budget: in an outage the downstream gets 2 times its load; give it RetryBudget.make()"
      ])
      const above = (yield* explained(full, { upstreamLoad: 3 })).one
      assert.include(
        above.warnings.join(),
        "a call from above may become 3 calls here and 3.3 requests to the downstream"
      )
      const budget = RetryBudget.make()
      const twice = Policy.stack(
        Policy.deadline("1 second"),
        Policy.retry({ times: 1, budget, base: 1, delayMax: 1 }),
        Policy.retry({ times: 2, budget, base: 1, delayMax: 1 }),
        Policy.timeout(100)
      )
      assert.include(
        (yield* explained(twice)).one.warnings.join(),
        "retry and retry#2 stand in one stack: their attempts multiply to 6"
      )
      const asked = Effect.flatMap(Shop, (shop) => shop.charge({ id: "a" }))
      const nested = yield* explained(full, {}, Effect.provideService(asked, Attempt.Attempt, 1))
      assert.include(nested.one.warnings.join(), "1 calls came here from a retry of another ring")
    })
  )

  it.effect("warns of a bulkhead below Little's law, by a stated or the observed latency", () =>
    Effect.gen(function* () {
      const small = (yield* explained(full, { ratePerSecond: { charge: 100 }, latencyMillis: 200 })).one
      assert.deepEqual(small.warnings, [
        "gateway.permits (16) is below Little's law: 100 calls per second of 200 ms each are 20 at once; give it 30"
      ])
      assert.deepEqual((yield* explained(full, { ratePerSecond: 70, latencyMillis: 200 })).one.warnings, [])
      const adaptive = Policy.stack(Policy.deadline(500), Policy.adaptiveLimit({ limitMax: 40 }), Policy.timeout(250))
      const limited = (yield* explained(adaptive, { ratePerSecond: 300, latencyMillis: 200 })).one
      assert.include(limited.picture, "..40 at once, queue")
      assert.include(limited.warnings.join(), "adaptiveLimit.limitMax (40) is below Little's law")
      // Nothing was observed, so nothing can be said.
      assert.deepEqual((yield* explained(full, { ratePerSecond: 1e6 })).one.warnings, [])
    })
  )

  it("explains a description as well, and nothing of another object", () => {
    assert.deepInclude(Explain.explain({}), { methods: [] })
    const described: Downstream.Description = {
      name: "d",
      info: {
        criticality: "optional",
        owner: "o",
        slo: { objective: 0.9, window: "1 day" },
        budget: "1 second",
        docs: "d"
      },
      methods: []
    }
    assert.deepEqual(Explain.explain(described), {
      name: "d",
      criticality: "optional",
      budgetMillis: 1000,
      methods: []
    })
  })
})
