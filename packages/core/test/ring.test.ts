import { assert, describe, it } from "@effect/vitest"
import { Downstream, Fallback, Journal, Policy, Refused, Signal } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { TestClock } from "effect/testing"
import { Declined, type Raw, raw, Shop, switchable } from "./shop.ts"

const plain = Policy.deadline("1 second")

const shopOf = (method: Raw, policy: Policy.Policy<"replays"> = plain) =>
  Shop.layer({
    show: { policy, fallback: Fallback.value(0) },
    peek: { policy, fallback: Fallback.stale({ maxAge: "1 minute", entriesMax: 10 }) },
    charge: { policy }
  }).pipe(Layer.provide(Shop.transport({ show: method, peek: method, charge: method })))

const id = { id: "a" }

describe("the ring", () => {
  it.effect("gives a fail method's answer plainly and a degrade method's with its quality", () =>
    Effect.gen(function* () {
      const shop = yield* Shop
      assert.strictEqual(yield* shop.charge(id), 7)
      assert.deepEqual(yield* shop.show(id), { value: 7, quality: "fresh" })
    }).pipe(Effect.provide(shopOf(raw.answers)))
  )

  it.effect("hands the downstream's final word to the caller, whatever the method does in outages", () =>
    Effect.gen(function* () {
      const shop = yield* Shop
      for (const call of [shop.charge(id), shop.show(id), shop.peek(id)]) {
        const result = yield* Effect.result<unknown, unknown, never>(call)
        assert.isTrue(Result.isFailure(result) && result.failure instanceof Declined)
      }
    }).pipe(Effect.provide(shopOf(raw.declines)))
  )

  it.effect("never shows what violates the contract as data", () =>
    Effect.gen(function* () {
      const shop = yield* Shop
      const failure = yield* Effect.flip(shop.charge(id))
      assert.deepInclude(failure, {
        _tag: "Unavailable",
        reason: "CONTRACT_VIOLATION",
        retryable: false,
        applied: "unknown"
      })
      assert.strictEqual((yield* shop.show(id)).quality, "substituted")
    }).pipe(Effect.provide(shopOf(raw.violates)))
  )

  it.effect("says whether a write can have been applied", () =>
    Effect.gen(function* () {
      const applied = (method: Raw, policy?: Policy.Policy<"replays">) =>
        Effect.gen(function* () {
          const shop = yield* Shop
          const fiber = yield* Effect.forkChild(Effect.flip(shop.charge(id)))
          yield* TestClock.adjust("10 seconds")
          const failure = yield* Fiber.join(fiber)
          return failure._tag === "Unavailable" ? `${failure.reason} ${failure.applied}` : failure._tag
        }).pipe(Effect.provide(shopOf(method, policy)))
      const retried = Policy.stack(
        Policy.deadline("1 second"),
        Policy.retry({ times: 1 }),
        Policy.timeout("300 millis")
      )

      assert.strictEqual(yield* applied(raw.refuses), "TRANSIENT_FAILURE no")
      assert.strictEqual(yield* applied(raw.resets), "TRANSIENT_FAILURE unknown")
      assert.strictEqual(yield* applied(raw.hangs), "DEADLINE_EXCEEDED unknown")
      assert.strictEqual(yield* applied(raw.hangs, retried), "TIMEOUT unknown")
      // The first attempt may have arrived, so a refused second one changes nothing.
      let asked = 0
      const mixed: Raw = () => Effect.suspend(() => (asked++ === 0 ? raw.resets() : raw.refuses()))
      assert.strictEqual(yield* applied(mixed, retried), "TRANSIENT_FAILURE unknown")
      // A read is never applied.
      const peeked = yield* Effect.gen(function* () {
        const shop = yield* Shop
        return yield* Effect.flip(shop.peek(id))
      }).pipe(Effect.provide(shopOf(raw.resets)))
      assert.deepInclude(peeked, { applied: "no" })
    })
  )

  it.effect("fails a degrade-or-fail method only where its fallback has nothing", () =>
    Effect.gen(function* () {
      const { control, call } = switchable()
      yield* Effect.gen(function* () {
        const shop = yield* Shop
        control.now = raw.resets
        assert.strictEqual((yield* Effect.flip(shop.peek(id)))._tag, "Unavailable")
        control.now = raw.answers
        yield* shop.peek(id)
        control.now = raw.resets
        yield* TestClock.adjust("30 seconds")
        assert.deepInclude(yield* shop.peek(id), { value: 7, quality: "stale", asOf: 0 })
      }).pipe(Effect.provide(shopOf(call)))
    })
  )

  it.effect("writes each degraded answer into the request's journal and tells the bus", () =>
    Effect.gen(function* () {
      const signals: Array<string> = []
      yield* Effect.gen(function* () {
        const bus = yield* Signal.Bus
        yield* bus.subscribe((signal) => signals.push(signal._tag))
        const journal = yield* Journal.make
        const shop = yield* Shop
        yield* Effect.provideService(shop.show(id), Journal.Journal, journal)
        assert.deepEqual(journal.entries(), [
          { downstream: "shop", method: "show", quality: "substituted", reason: "TRANSIENT_FAILURE" }
        ])
      }).pipe(Effect.provide(shopOf(raw.refuses).pipe(Layer.provideMerge(Signal.layer))))
      assert.deepEqual(signals, ["AnswerDegraded", "CallEnded"])
    }).pipe(Effect.scoped)
  )

  it.effect("shows its policies, its fallbacks and what it observed", () =>
    Effect.gen(function* () {
      const shop = yield* Shop
      yield* Effect.exit(shop.charge(id))
      const description = Downstream.describe(shop)
      const charge = description?.methods.find((method) => method.name === "charge")
      assert.strictEqual(description?.name, "shop")
      assert.deepEqual(
        charge?.policies.map((policy) => policy.kind),
        ["deadline", "retry", "circuitBreaker", "adaptiveLimit", "timeout"]
      )
      assert.strictEqual(charge?.observed.lastReason, "TRANSIENT_FAILURE")
      assert.isUndefined(Downstream.describe({}))
    }).pipe(Effect.provide(shopOf(raw.refuses, Policy.standard({ deadline: "1 second" }))), TestClock.withLive)
  )

  it.effect("shares the state of one policy value between rows, and between layers of one build only", () =>
    Effect.gen(function* () {
      const shared = Policy.stack(Policy.deadline("1 second"), Policy.bulkhead({ permits: 1, queueMax: 0 }))
      const layer = shopOf(raw.hangs, shared)
      const hold = Effect.gen(function* () {
        const shop = yield* Shop
        return yield* Effect.forkChild(shop.charge(id))
      })
      const reasonOf = Effect.gen(function* () {
        const shop = yield* Shop
        const fiber = yield* Effect.forkChild(shop.show(id))
        yield* TestClock.adjust("1 second")
        return (yield* Fiber.join(fiber)).reason
      })
      const other = Effect.scoped(
        Effect.flatMap(Layer.build(layer), (context) => Effect.provideContext(reasonOf, context))
      )
      const inside = Effect.gen(function* () {
        yield* hold
        yield* Effect.yieldNow
        const shop = yield* Shop
        assert.strictEqual((yield* shop.show(id)).reason, "BULKHEAD_FULL", "the row beside it shares the permit")
        return yield* Effect.provide(reasonOf, Layer.fresh(layer))
      })
      assert.strictEqual(yield* Effect.provide(inside, layer), "DEADLINE_EXCEEDED", "a fresh ring has its own")
      yield* Effect.provide(Effect.andThen(hold, Effect.yieldNow), layer)
      assert.strictEqual(yield* other, "DEADLINE_EXCEEDED", "so has another build")
    })
  )

  it.effect("makes a refusal an Unavailable that may be asked again", () =>
    Effect.gen(function* () {
      const refuse = Policy.make(
        "always",
        () => () =>
          Effect.succeed(
            Result.fail(Refused.make({ policy: "always", reason: "CLOSED_ON_SUNDAYS", retryAfterMillis: 5 }))
          )
      )
      const failure = yield* Effect.gen(function* () {
        const shop = yield* Shop
        return yield* Effect.flip(shop.charge(id))
      }).pipe(Effect.provide(shopOf(raw.answers, Policy.stack(plain, refuse))))
      assert.deepInclude(failure, { reason: "CLOSED_ON_SUNDAYS", retryable: true, retryAfterMillis: 5, applied: "no" })
    })
  )
})
