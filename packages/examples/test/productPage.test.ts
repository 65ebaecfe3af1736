/** Two processes of the storefront in an outage, which remember the catalog of different times, and one visitor. */
import { assert, describe, it } from "@effect/vitest"
import { ReadMarks, Transient } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { Catalog } from "../src/contracts/Catalog.ts"
import { Inventory } from "../src/contracts/Inventory.ts"
import { Recommendations } from "../src/contracts/Recommendations.ts"
import * as productPage from "../src/storefront/productPage.ts"
import { CatalogRing } from "../src/storefront/rings.ts"

const others = Layer.mergeAll(
  Layer.succeed(Inventory, {
    stock: () => Effect.succeed({ value: { available: 1 }, quality: "fresh" }),
    reserve: () => Effect.die("unused"),
    release: () => Effect.die("unused")
  }),
  Layer.succeed(Recommendations, { forUser: () => Effect.succeed({ value: [], quality: "fresh" }) })
)

/** What the catalog says now; nothing while it is down. */
interface World {
  amount: number | undefined
}

/** How long a call of a process is under way until the catalog reads, in milliseconds. */
type Travels = number

const catalog = (world: World, travels: Travels) => {
  const read = (sku: string) =>
    Effect.suspend(() =>
      world.amount === undefined
        ? Effect.fail(new Transient.Transient({ cause: "connection_refused", applied: "no" }))
        : Effect.succeed({ sku, name: sku, price: { amount: world.amount, currency: "EUR" } })
    )
  const show = ({ sku }: { readonly sku: string }) => (travels > 0 ? Effect.delay(read(sku), travels) : read(sku))
  return Catalog.transport({ show, price: show, list: () => Effect.die("unused") })
}

/** A process: a ring of its own, as the storefront has it, and what its page shows a visitor. */
const asking = (world: World, travels: Travels) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(
      Layer.merge(Layer.fresh(CatalogRing).pipe(Layer.provide(catalog(world, travels))), others)
    )
    return (visitor?: string, sku = "sku-1") =>
      productPage.show(sku, visitor).pipe(
        Effect.provideContext(context),
        Effect.match({
          onSuccess: ({ product }) => product.price.amount,
          onFailure: ({ _tag }) => _tag
        })
      )
  })

/** The retries of a dead catalog wait. */
const inTime = <A>(asked: Effect.Effect<A>) =>
  asked.pipe(
    Effect.forkChild,
    Effect.tap(() => TestClock.adjust("1 second")),
    Effect.flatMap(Fiber.join)
  )

/** The same, asked at once. */
const storefront = (world: World) =>
  Effect.map(
    asking(world, 0),
    (ask) =>
      (...of: Parameters<typeof ask>) =>
        inTime(ask(...of))
  )

/** The first has seen the old price, the second the new one; then the catalog is gone. */
const outage = Effect.gen(function* () {
  const world: World = { amount: 10 }
  const first = yield* storefront(world)
  const second = yield* storefront(world)
  assert.strictEqual(yield* first(), 10)
  world.amount = 12
  return { first, second, world }
})

describe("the price on the page", () => {
  it.effect("does not go back for a visitor who comes to another process with what he carries", () =>
    Effect.gen(function* () {
      const { first, second, world } = yield* outage
      const marks = ReadMarks.carried([], 32)
      assert.strictEqual(yield* second().pipe(Effect.provideService(ReadMarks.Carried, marks)), 12)
      world.amount = undefined
      const next = ReadMarks.carried(marks.entries(), 32)
      assert.strictEqual(yield* first().pipe(Effect.provideService(ReadMarks.Carried, next)), "Unavailable")
      assert.strictEqual(yield* second().pipe(Effect.provideService(ReadMarks.Carried, next)), 12)
      // Who carries nothing is shown what there is.
      assert.strictEqual(yield* first(), 10)
    })
  )

  it.effect("does not go back either where the other process asked later and was answered by what was before", () =>
    Effect.gen(function* () {
      const world: World = { amount: 10 }
      const first = yield* asking(world, 60)
      const second = yield* asking(world, 0)
      const marks = ReadMarks.carried([], 32)
      const mine = yield* Effect.forkChild(first().pipe(Effect.provideService(ReadMarks.Carried, marks)), {
        startImmediately: true
      })
      yield* TestClock.adjust("20 millis")
      assert.strictEqual(yield* second(), 10)
      world.amount = 12
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(mine), 12)
      world.amount = undefined
      const next = ReadMarks.carried(marks.entries(), 32)
      const ask = (process: typeof first) => inTime(process().pipe(Effect.provideService(ReadMarks.Carried, next)))
      assert.strictEqual(yield* ask(second), "Unavailable")
      assert.strictEqual(yield* ask(first), 12)
      assert.strictEqual(yield* inTime(second()), 10)
    })
  )

  it.effect("does not go back for a visitor with a name, where the rings share what he was shown", () =>
    Effect.gen(function* () {
      const { first, second, world } = yield* outage
      assert.strictEqual(yield* second("carol"), 12)
      world.amount = undefined
      assert.strictEqual(yield* first("carol"), "Unavailable")
      assert.strictEqual(yield* second("carol"), 12)
      assert.strictEqual(yield* first("dave"), 10)
      assert.strictEqual(yield* first(), 10)
    }).pipe(Effect.provide(ReadMarks.layer()))
  )
})
