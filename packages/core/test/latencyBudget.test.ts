import { assert, describe, it } from "@effect/vitest"
import { Fallback, LatencyBudget, Policy } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { raw, Shop } from "./shop.ts"

const { call, parallel, sequence } = LatencyBudget

/** A shop whose methods may take 100, 200 and 400 ms. */
const shop = Shop.layer({
  show: { policy: Policy.timeout(100), fallback: Fallback.value(0) },
  peek: { policy: Policy.timeout(200), fallback: Fallback.value(0) },
  charge: { policy: Policy.timeout(400) }
}).pipe(Layer.provide(Shop.transport({ show: raw.answers, peek: raw.answers, charge: raw.answers })))

const built = (calls: LatencyBudget.Calls<Shop>, deadline: number) =>
  Effect.exit(
    Effect.scoped(
      Layer.build(Layer.provide(LatencyBudget.layer({ endpoint: "GET /page", deadline, own: 10, calls }), shop))
    )
  )

const all = [call(Shop, "show"), call(Shop, "peek"), call(Shop, "charge")] as const

describe("the latency budget of an endpoint", () => {
  it.effect("is the sum of what follows one another, and its own time", () =>
    Effect.gen(function* () {
      assert.isTrue(Exit.isSuccess(yield* built(sequence(...all), 710)))
      const refused = yield* built(sequence(...all), 709)
      assert.include(
        JSON.stringify(refused),
        "GET /page: its calls may take 710 ms (shop/show 100 ms + shop/peek 200 ms + shop/charge 400 ms, and 10 ms of its own), which is more than its deadline (709 ms)"
      )
    })
  )

  it.effect("is the longest of what runs at once", () =>
    Effect.gen(function* () {
      assert.isTrue(Exit.isSuccess(yield* built(parallel(...all), 410)))
      assert.isTrue(Exit.isFailure(yield* built(parallel(...all), 409)))
      assert.isTrue(Exit.isSuccess(yield* built(sequence(parallel(all[0], all[1]), all[2]), 610)))
      assert.isTrue(Exit.isFailure(yield* built(sequence(parallel(all[0], all[1]), all[2]), 609)))
    })
  )

  it.effect("is nothing where nothing is called", () =>
    Effect.gen(function* () {
      assert.isTrue(Exit.isSuccess(yield* built(parallel(), 10)))
    })
  )
})
