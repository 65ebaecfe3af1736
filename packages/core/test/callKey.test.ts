import { assert, describe, it } from "@effect/vitest"
import { CallKey, Fallback, Policy, Transient } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Shop } from "./shop.ts"

const down = new Transient.Transient({ cause: "connection_refused", applied: "no" })

/** A shop whose breaker has a circuit for each id; ids that begin with "bad" fail. */
const shop = (key: (payload: { readonly id: string }) => string) => {
  const policy = Policy.stack(
    Policy.deadline("1 second"),
    Policy.circuitBreaker({ minimumCalls: 1, keysMax: 10 }),
    Policy.timeout("100 millis")
  )
  const call = ({ id }: { readonly id: string }) => (id.startsWith("bad") ? Effect.fail(down) : Effect.succeed(7))
  return Layer.provide(
    Shop.layer({
      show: { policy, key, fallback: Fallback.value(0) },
      peek: { policy, fallback: Fallback.value(0) },
      charge: { policy }
    }),
    Shop.transport({ show: call, peek: call, charge: call })
  )
}

const shown = (id: string) =>
  Effect.map(
    Shop.use((of) => of.show({ id })),
    ({ reason, value }) => reason ?? value
  )
const peeked = (id: string) =>
  Effect.map(
    Shop.use((of) => of.peek({ id })),
    ({ reason, value }) => reason ?? value
  )

describe("the key of a call", () => {
  it.effect("comes from the payload where its row says how", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* shown("bad-1"), "TRANSIENT_FAILURE")
      assert.strictEqual(yield* shown("bad-1"), "CIRCUIT_OPEN")
      assert.strictEqual(yield* shown("good"), 7, "another key, another circuit")
    }).pipe(Effect.provide(shop(({ id }) => id)))
  )

  it.effect("comes from the caller elsewhere", () =>
    Effect.gen(function* () {
      const as = (tenant: string) => Effect.provideService(peeked("bad-1"), CallKey.CallKey, tenant)
      yield* as("a")
      assert.strictEqual(yield* as("a"), "CIRCUIT_OPEN")
      assert.strictEqual(yield* as("b"), "TRANSIENT_FAILURE")
    }).pipe(Effect.provide(shop(({ id }) => id)))
  )

  it.effect("that cannot be made does not break the call", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* shown("good"), 7)
    }).pipe(
      Effect.provide(
        shop(() => {
          throw new Error("no key")
        })
      )
    )
  )
})
