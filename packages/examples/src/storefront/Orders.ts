/**
 * Orders: each is placed once per customer and idempotency key, whoever retries,
 * and is right whatever breaks meanwhile.
 *
 * The work of an order runs in a fiber of its own, so a caller who goes away leaves
 * no half an order. A charge whose outcome nobody knows makes the order `pending`
 * and is asked for again, with the same key, until the answer is known. Orders
 * live in memory, at most {@link ordersMax}.
 */
import { createHash } from "node:crypto"
import { Deadline, type Unavailable } from "@failsoft/core"
import { Degraded, Problem } from "@failsoft/http"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { Catalog } from "../contracts/Catalog.ts"
import { Inventory, type SoldOut } from "../contracts/Inventory.ts"
import type { KeyReused } from "../contracts/KeyReused.ts"
import type { Money } from "../contracts/Money.ts"
import { Payments } from "../contracts/Payments.ts"
import type { UnknownSku } from "../contracts/UnknownSku.ts"
import type { NewOrder, Order } from "./api.ts"

/** The most orders that are kept; the oldest finished ones are forgotten first. */
export const ordersMax = 100_000

/** An order that was placed, or the problem that ended it. */
export type Placed = Order | Problem.Problem

/** The orders of the storefront. */
export class Orders extends Context.Service<
  Orders,
  {
    readonly place: (customerId: string, key: string, order: NewOrder) => Effect.Effect<Placed>
    readonly find: (customerId: string, id: string) => Order | undefined
  }
>()("@failsoft/examples/Orders") {}

type ReserveError = SoldOut | UnknownSku | KeyReused | Unavailable.Unavailable

interface Entry {
  readonly customerId: string
  readonly fingerprint: string
  /** `open`: nothing came of it, so the same request may be tried again. */
  state: "running" | "done" | "open"
  done: Deferred.Deferred<Placed>
  order: Order | undefined
  /** Counts the reservations: each is made and released under an id that is never used again. */
  reservations: number
}

/** The same request of the same customer is the same order, in this process and the next. */
const orderIdOf = (customerId: string, key: string) =>
  `order-${createHash("sha256")
    .update(JSON.stringify([customerId, key]))
    .digest("hex")
    .slice(0, 24)}`

const fingerprintOf = (order: NewOrder) => createHash("sha256").update(JSON.stringify(order)).digest("hex")

const keyReused = Problem.make({
  status: 422,
  reason: "IDEMPOTENCY_KEY_REUSED",
  detail: "this Idempotency-Key was used for another order"
})

const soldOut = Problem.make({ status: 409, reason: "SOLD_OUT", detail: "there is not enough in stock" })

/** While the outcome of a charge is unknown it is asked for this often, for about an hour. */
const reconciliation = Schedule.spaced("1 second").pipe(Schedule.jittered, Schedule.upTo({ times: 3600 }))

const declined = Problem.make({ status: 402, reason: "CARD_DECLINED", detail: "the bank declined the card" })

/** The first answer, unless it was provisional and is known by now. */
const latest = (entry: Entry, first: Placed): Placed => {
  if (first instanceof Problem.Problem || entry.order === undefined) return first
  return entry.order.status === "declined" ? declined : entry.order
}

/** The orders, in memory. */
export const layer = Layer.effect(
  Orders,
  Effect.gen(function* () {
    const catalog = yield* Catalog
    const inventory = yield* Inventory
    const payments = yield* Payments
    const scope = yield* Effect.scope
    const entries = new Map<string, Entry>()

    const priced = (order: NewOrder) =>
      Effect.forEach(
        order.items,
        // Only a fresh price: what a page showed an hour ago is not what is charged.
        ({ sku, quantity }) =>
          Effect.map(catalog.price({ sku }), ({ price }) => ({ ...price, amount: price.amount * quantity })),
        { concurrency: 8 }
      ).pipe(
        Effect.map((prices) => ({
          amount: prices.reduce((sum, { amount }) => sum + amount, 0),
          currency: prices[0]?.currency ?? "EUR"
        }))
      )

    /** Gives a reservation back in the background: the customer does not wait for it. */
    const release = (reservation: string) =>
      inventory.release({ reservation }).pipe(
        Effect.retry(Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 600 }))),
        Effect.provideService(Deadline.Deadline, Infinity),
        Effect.tapError((error) => Effect.logError(`the reservation ${reservation} is still held; release it`, error)),
        Effect.ignore,
        Effect.forkIn(scope)
      )

    /**
     * Reserves under a new id unless the last one may still serve. A release that is on
     * its way belongs to its own id, so it can never take what a later try has reserved.
     */
    const reserve = (entry: Entry, id: string, items: NewOrder["items"]): Effect.Effect<string, ReserveError> =>
      Effect.suspend(() => {
        const reservation = `${id}.${entry.reservations}`
        return inventory.reserve({ reservation, items }).pipe(
          Effect.as(reservation),
          Effect.catchTags({
            // One of an earlier process, which was given back.
            ReservationReleased: () => {
              entry.reservations++
              return reserve(entry, id, items)
            },
            Unavailable: (failure) =>
              failure.applied === "unknown"
                ? Effect.andThen(giveBack(entry, reservation), Effect.fail(failure))
                : Effect.fail(failure)
          })
        )
      })

    const giveBack = (entry: Entry, reservation: string) =>
      Effect.suspend(() => {
        entry.reservations++
        return release(reservation)
      })

    const finish = (entry: Entry, id: string, status: Order["status"], total: Money) =>
      Effect.map(Degraded.meta, (meta): Order => {
        entry.order = { id, status, total, meta }
        return entry.order
      })

    const reconcile = (entry: Entry, id: string, reservation: string, total: Money, card: string) =>
      payments.charge({ orderId: id, ...total, card }).pipe(
        Effect.matchEffect({
          onSuccess: () => Effect.succeed("confirmed" as const),
          onFailure: (error) =>
            error._tag === "CardDeclined" ? Effect.succeed("declined" as const) : Effect.fail(error)
        }),
        Effect.retry(reconciliation),
        Effect.tap((status) => (status === "declined" ? release(reservation) : Effect.void)),
        Effect.tap((status) =>
          Effect.sync(() => {
            if (entry.order !== undefined) entry.order = { ...entry.order, status }
          })
        ),
        Effect.provideService(Deadline.Deadline, Infinity),
        Effect.tapError((error) => Effect.logError(`the charge of ${id} is still unknown; ask payments for it`, error)),
        Effect.ignore,
        Effect.forkIn(scope)
      )

    const work = (entry: Entry, id: string, order: NewOrder): Effect.Effect<Placed> =>
      Effect.gen(function* () {
        const total = yield* priced(order)
        const reservation = yield* reserve(entry, id, order.items)
        return yield* payments.charge({ orderId: id, ...total, card: order.card }).pipe(
          Effect.andThen(finish(entry, id, "confirmed", total)),
          Effect.catchTags({
            CardDeclined: () =>
              Effect.andThen(release(reservation), finish(entry, id, "declined", total)).pipe(Effect.as(declined)),
            KeyReused: (reused) => Effect.andThen(giveBack(entry, reservation), Effect.fail(reused)),
            Unavailable: (failure) =>
              failure.applied === "unknown"
                ? Effect.tap(finish(entry, id, "pending", total), () =>
                    reconcile(entry, id, reservation, total, order.card)
                  )
                : Effect.andThen(giveBack(entry, reservation), Effect.fail(failure))
          })
        )
      }).pipe(
        Effect.catchTags({
          Unavailable: (failure) => Effect.succeed(Problem.fromUnavailable(failure)),
          UnknownSku: ({ sku }) =>
            Effect.succeed(Problem.make({ status: 422, reason: "UNKNOWN_SKU", detail: `there is no ${sku}`.trim() })),
          SoldOut: () => Effect.succeed(soldOut),
          // Placed by an earlier process, which knew the first order of this key.
          KeyReused: () => Effect.succeed(keyReused)
        }),
        Effect.catchCause((cause) =>
          Effect.as(
            Effect.logError(`order ${id} ended with a defect`, cause),
            Problem.make({ status: 500, reason: "INTERNAL" })
          )
        )
      )

    const makeRoom = () => {
      if (entries.size < ordersMax) return
      for (const [id, entry] of entries) {
        if (entry.state === "running" || entry.order?.status === "pending") continue
        entries.delete(id)
        return
      }
    }

    const begin = (id: string, entry: Entry, order: NewOrder) =>
      work(entry, id, order).pipe(
        Effect.tap((placed) =>
          Effect.sync(() => {
            // Nothing came of it that the customer should get again: the same order may be tried anew.
            entry.state = placed instanceof Problem.Problem && placed.status >= 500 ? "open" : "done"
            Deferred.doneUnsafe(entry.done, Effect.succeed(placed))
          })
        ),
        Effect.forkIn(scope)
      )

    const newEntry = (id: string, customerId: string, order: NewOrder): Entry => {
      makeRoom()
      const entry: Entry = {
        customerId,
        fingerprint: fingerprintOf(order),
        state: "running",
        done: Deferred.makeUnsafe(),
        order: undefined,
        reservations: 1
      }
      entries.set(id, entry)
      return entry
    }

    return {
      // An entry that says "running" and the fiber that runs it are one step: a customer who
      // goes away in between must not leave a key that nobody works on.
      place: (customerId, key, order) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.suspend(() => {
            const id = orderIdOf(customerId, key)
            const known = entries.get(id)
            if (known === undefined) {
              const entry = newEntry(id, customerId, order)
              return Effect.andThen(begin(id, entry, order), restore(Deferred.await(entry.done)))
            }
            if (known.fingerprint !== fingerprintOf(order)) return Effect.succeed(keyReused)
            if (known.state === "open") {
              known.state = "running"
              known.done = Deferred.makeUnsafe()
              return Effect.andThen(begin(id, known, order), restore(Deferred.await(known.done)))
            }
            // The first answer again, also for who comes while it is still being made; one
            // that was pending tells what has become of it.
            return Effect.map(restore(Deferred.await(known.done)), (first) => latest(known, first))
          })
        ),
      find: (customerId, id) => {
        const entry = entries.get(id)
        return entry?.customerId === customerId ? entry.order : undefined
      }
    }
  })
)
