/** Orders over fakes in virtual time: what is held and charged, whatever fails in between. */
import { assert, describe, it } from "@effect/vitest"
import { Unavailable } from "@failsoft/core"
import { Problem } from "@failsoft/http"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { Catalog } from "../src/contracts/Catalog.ts"
import { Inventory, ReservationReleased } from "../src/contracts/Inventory.ts"
import { KeyReused } from "../src/contracts/KeyReused.ts"
import { Payments } from "../src/contracts/Payments.ts"
import * as Orders from "../src/storefront/Orders.ts"

const down = (downstream: string, applied: "no" | "unknown") =>
  new Unavailable.Unavailable({
    downstream,
    method: "m",
    reason: "TRANSIENT_FAILURE",
    detail: "",
    retryable: true,
    applied
  })

/** Downstreams that do right unless told otherwise, and remember what they did. */
const world = () => {
  const held = new Set<string>()
  const released = new Set<string>()
  const charged: Array<string> = []
  const told = {
    held,
    charged,
    reserveFails: undefined as Unavailable.Unavailable | KeyReused | undefined,
    releaseFails: false,
    chargeFails: undefined as Unavailable.Unavailable | undefined
  }
  const price = { sku: "sku-1", name: "one", price: { amount: 100, currency: "EUR" } }
  const fakes = Layer.mergeAll(
    Layer.succeed(Catalog, {
      show: () => Effect.die("unused"),
      list: () => Effect.die("unused"),
      price: () => Effect.succeed(price)
    }),
    Layer.succeed(Inventory, {
      stock: () => Effect.die("unused"),
      reserve: ({ reservation }) =>
        Effect.suspend((): ReturnType<Inventory["Service"]["reserve"]> => {
          if (released.has(reservation)) return Effect.fail(new ReservationReleased())
          if (told.reserveFails instanceof KeyReused) return Effect.fail(told.reserveFails)
          if (told.reserveFails?.applied !== "no") held.add(reservation)
          return told.reserveFails === undefined
            ? Effect.succeed({ reservationId: reservation })
            : Effect.fail(told.reserveFails)
        }),
      release: ({ reservation }) =>
        Effect.suspend(() => {
          if (told.releaseFails) return Effect.fail(down("inventory", "no"))
          held.delete(reservation)
          released.add(reservation)
          return Effect.void
        })
    }),
    Layer.succeed(Payments, {
      charge: ({ orderId }) =>
        Effect.suspend(() => {
          if (told.chargeFails !== undefined) return Effect.fail(told.chargeFails)
          if (!charged.includes(orderId)) charged.push(orderId)
          return Effect.succeed({ chargeId: orderId })
        })
    })
  )
  return { told, layer: Layer.provide(Orders.layer, fakes) }
}

const order = (sku = "sku-1") => ({ items: [{ sku, quantity: 1 }], card: "4111-1111-1111-1111" })

const shop = (
  test: (told: ReturnType<typeof world>["told"], orders: Orders.Orders["Service"]) => Effect.Effect<void>
) =>
  Effect.suspend(() => {
    const { told, layer } = world()
    return Effect.flatMap(Orders.Orders, (orders) => test(told, orders)).pipe(Effect.provide(layer))
  })

const statusOf = (placed: Orders.Placed) => (placed instanceof Problem.Problem ? placed.reason : placed.status)

describe("an order", () => {
  it.effect("keeps what a second try reserved, when the release of the first comes late", () =>
    shop((told, orders) =>
      Effect.gen(function* () {
        told.chargeFails = down("payments", "no")
        told.releaseFails = true
        assert.strictEqual(statusOf(yield* orders.place("alice", "k", order())), "TRANSIENT_FAILURE")
        told.chargeFails = undefined
        assert.strictEqual(statusOf(yield* orders.place("alice", "k", order())), "confirmed")
        told.releaseFails = false
        yield* TestClock.adjust("5 seconds")
        assert.lengthOf([...told.held], 1)
        assert.lengthOf(told.charged, 1)
      })
    )
  )

  it.effect("gives back what may have been reserved, also when the customer never comes again", () =>
    shop((told, orders) =>
      Effect.gen(function* () {
        told.reserveFails = down("inventory", "unknown")
        yield* orders.place("alice", "k", order())
        assert.lengthOf([...told.held], 1)
        yield* TestClock.adjust("5 seconds")
        assert.isEmpty([...told.held])
      })
    )
  )

  it.effect("belongs to its key even after it came to nothing", () =>
    shop((told, orders) =>
      Effect.gen(function* () {
        told.reserveFails = down("inventory", "no")
        yield* orders.place("alice", "k", order())
        told.reserveFails = undefined
        assert.strictEqual(statusOf(yield* orders.place("alice", "k", order("sku-2"))), "IDEMPOTENCY_KEY_REUSED")
        assert.strictEqual(statusOf(yield* orders.place("alice", "k", order())), "confirmed")
      })
    )
  )

  it.effect("of an earlier process with another body is a reused key, not an outage", () =>
    shop((told, orders) =>
      Effect.gen(function* () {
        told.reserveFails = new KeyReused()
        assert.strictEqual(statusOf(yield* orders.place("alice", "k", order())), "IDEMPOTENCY_KEY_REUSED")
      })
    )
  )

  it.effect("holds its reservation while its charge is unknown, and is charged once", () =>
    shop((told, orders) =>
      Effect.gen(function* () {
        told.chargeFails = down("payments", "unknown")
        const pending = yield* orders.place("alice", "k", order())
        assert.strictEqual(statusOf(pending), "pending")
        yield* TestClock.adjust("3 seconds")
        told.chargeFails = undefined
        yield* TestClock.adjust("3 seconds")
        assert.strictEqual(statusOf(yield* orders.place("alice", "k", order())), "confirmed")
        assert.lengthOf([...told.held], 1)
        assert.lengthOf(told.charged, 1)
      })
    )
  )
})
