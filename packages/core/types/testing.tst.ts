import { Fallback, Policy } from "@failsoft/core"
import { Fake, Simulation, Traffic } from "@failsoft/core/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { expect, test } from "tstyche"
import { Shop } from "./fixture.ts"

const layer = Shop.layer({
  show: { policy: Policy.standard(), fallback: Fallback.value(0) },
  peek: { policy: Policy.standard(), fallback: Fallback.value(0) },
  ask: { policy: Policy.standard() },
  charge: { policy: Policy.standard() },
  send: { policy: Policy.standard(), fallback: Fallback.value(0) },
  shout: { policy: Policy.standardOnce() }
})
const shop = Fake.make(Shop)
const show = Traffic.make("show", () => Shop.use((of) => of.show({ id: "a" })))
const rest = { name: "shop", deadline: "1 second", recovery: "10 seconds" } as const

test("a campaign compiles where the fakes are what the layer needs, and the layer what the traffic needs", () => {
  expect(Simulation.test).type.toBeCallableWith({ ...rest, layer, fakes: [shop], traffic: [show] })
})

test("it does not where a transport has no fake", () => {
  expect(Simulation.test).type.not.toBeCallableWith({ ...rest, layer, fakes: [], traffic: [show] })
})

test("it does not where the traffic asks for what the layer does not have", () => {
  class Other extends Context.Service<Other, { readonly get: Effect.Effect<number> }>()("@failsoft/core/types/Other") {}
  const other = Traffic.make("other", () => Other.use((of) => of.get))
  expect(Simulation.test).type.not.toBeCallableWith({ ...rest, layer, fakes: [shop], traffic: [other] })
})

test("a handler answers with what its contract says", () => {
  expect(Fake.make(Shop, { show: ({ id }) => id.length }).contract.name).type.toBe<string>()
  expect(Fake.make).type.toBeCallableWith(Shop, { show: () => Effect.succeed(1) })
  expect(Fake.make).type.not.toBeCallableWith(Shop, { show: () => "one" })
})
