import { Fallback, Policy, Region, Transient, Transport } from "@failsoft/core"
import { Fake, Fault, Pump, Scripted } from "@failsoft/core/testing"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import { Declined, Payments, Stock } from "./shop.ts"

const run = <A, E>(effect: Effect.Effect<A, E>): A => {
  const exit = Pump.run(effect)
  if (Exit.isSuccess(exit)) return exit.value
  throw new Error(Cause.pretty(exit.cause))
}

const charge = Effect.flatMap(Payments.Transport, (calls) => calls.charge({ order: "a", card: "good" }))

describe("a fake", () => {
  it("answers from the contract, always the same for the same payload, and keeps a journal", () => {
    const asked = Effect.gen(function* () {
      const { layer, journal } = yield* Fake.started(Fake.make(Payments))
      const answers = yield* Effect.provide(Effect.all([charge, charge]), layer)
      return { answers, journal: journal() }
    })
    const { answers, journal } = run(asked)
    const [first, second] = answers
    assert.deepEqual(first, second)
    assert.isTrue(Schema.is(Payments.contract.methods.charge.success)(first))
    assert.deepEqual(
      journal.map(({ method, idempotencyKey }) => [method, idempotencyKey]),
      [
        ["charge", "a"],
        ["charge", "a"]
      ]
    )
  })

  it("answers as its handler says, with a value or an effect that fails", () => {
    const bank = Fake.make(Payments, {
      charge: ({ card }) => (card === "good" ? { chargeId: "one" } : Effect.fail(new Declined()))
    })
    const answer = run(Effect.flatMap(Fake.started(bank), ({ layer }) => Effect.provide(charge, layer)))
    assert.deepEqual(answer, { chargeId: "one" })
  })

  it("is joined where it has several regions, each with a state of its own and all in one journal", () => {
    const counter = Fake.inRegions(
      Fake.make(Stock, () => {
        let asked = 0
        return { get: () => ++asked }
      }),
      ["eu", "us"],
      (regions) => Transport.failover(Stock, regions, { attempt: "80 millis" })
    )
    const asked = Effect.gen(function* () {
      const { layer, journal } = yield* Fake.started(counter)
      const get = Effect.flatMap(Stock.Transport, (calls) => calls.get({ sku: "a" }))
      const inUs = Effect.provideService(get, Region.Region, "us")
      const answers = yield* Effect.provide(Effect.all([get, get, inUs]), layer)
      return { answers, served: journal().length }
    })
    assert.deepEqual(run(Effect.scoped(asked)), { answers: [1, 2, 1], served: 3 })
  })

  it("begins anew each time where its handlers are made by a function", () => {
    const counter = Fake.make(Stock, () => {
      let asked = 0
      return { get: () => ++asked }
    })
    const get = Effect.flatMap(Stock.Transport, (calls) => calls.get({ sku: "a" }))
    const twice = Effect.flatMap(Fake.started(counter), ({ layer }) => Effect.provide(Effect.all([get, get]), layer))
    assert.deepEqual(run(twice), [1, 2])
    assert.deepEqual(run(twice), [1, 2])
  })
})

/** What a charge comes to while a fault is on, how long it takes, and whether it was applied. */
const under = (fault: Fault.Fault, at = 0, handlers: Fake.Handlers<typeof Payments.contract.methods> = {}) =>
  run(
    Effect.gen(function* () {
      const { layer, journal } = yield* Fake.started(Fake.make(Payments, handlers, { latency: { from: 5, to: 5 } }))
      const plan: Fault.Plan = { faults: [{ ...fault, target: "payments", from: 0, until: 10_000 }] }
      const program = Effect.gen(function* () {
        const calls = yield* Payments.Transport
        yield* Effect.sleep(at)
        const began = yield* Clock.currentTimeMillis
        const exit = yield* Effect.exit(calls.charge({ order: "a", card: "good" }))
        const reason = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
        const failure = reason?._tag === "Fail" ? reason.error : undefined
        return { took: Math.round((yield* Clock.currentTimeMillis) - began), failure }
      })
      const of = yield* Effect.provide(program, Layer.provide(Fault.layer(Payments, plan), layer))
      return { ...of, applied: journal().length }
    })
  )

const wordOf = (failure: unknown) =>
  failure instanceof Transient.Transient
    ? `${failure.cause} ${failure.applied}`
    : typeof failure === "object" && failure !== null && "_tag" in failure
      ? String(failure._tag)
      : "answered"

describe("a fault around a transport", () => {
  it.each([
    [{ kind: "latency", millis: 100 }, "answered", 1],
    [{ kind: "slow", factor: 20 }, "answered", 1],
    [{ kind: "transient", percent: 100 }, "destination_unavailable no", 0],
    [{ kind: "transient", percent: 100, status: 429 }, "connection_limit_reached no", 0],
    [{ kind: "transient", percent: 0 }, "answered", 1],
    [{ kind: "permanent", percent: 100 }, "ContractViolation", 0],
    [{ kind: "hang" }, "connection_terminated unknown", 0],
    [{ kind: "drip" }, "answered", 1],
    [{ kind: "garbled" }, "ContractViolation", 1],
    [{ kind: "partial" }, "connection_terminated unknown", 1],
    [{ kind: "failAfter", percent: 100 }, "destination_unavailable unknown", 1],
    [{ kind: "failAfter", percent: 0 }, "answered", 1],
    [{ kind: "resetBefore" }, "connection_terminated unknown", 0],
    [{ kind: "resetAfter" }, "connection_terminated unknown", 1],
    [{ kind: "flap", upMillis: 500, downMillis: 500 }, "answered", 1],
    [{ kind: "capacity", concurrent: 1 }, "answered", 1],
    [{ kind: "down" }, "connection_refused no", 0],
    [{ kind: "coldStart", millis: 1000 }, "answered", 1]
  ] as const satisfies ReadonlyArray<readonly [Fault.Fault, string, number]>)(
    "%o comes to %s",
    (fault, word, applied) => {
      const seen = under(fault)
      assert.strictEqual(wordOf(seen.failure), word)
      assert.strictEqual(seen.applied, applied)
    }
  )

  it.each([
    ["resetAfter", "connection_terminated unknown"],
    ["partial", "connection_terminated unknown"],
    ["garbled", "ContractViolation"],
    ["drip", "Declined"]
  ] as const)("%s meets a declared error too: it comes to %s", (kind, word) => {
    const seen = under({ kind }, 0, { charge: () => Effect.fail(new Declined()) })
    assert.strictEqual(wordOf(seen.failure), word)
    assert.strictEqual(seen.applied, 1)
    if (kind === "drip") assert.isAbove(seen.took, 200)
  })

  it("lets an error drip that JSON has no words for", () => {
    const endless = new Declined()
    Object.assign(endless, { self: endless, count: 10n })
    const seen = under({ kind: "drip" }, 0, { charge: () => Effect.fail(endless) })
    assert.strictEqual(wordOf(seen.failure), "Declined")
    assert.isAbove(seen.took, 200)
  })

  it("takes so many times as long where work is slow", () => {
    // A fake's answer takes 5 ms here.
    assert.strictEqual(under({ kind: "slow", factor: 20 }).took, 100)
  })

  it("lets go who hangs when it ends", () => {
    assert.strictEqual(under({ kind: "hang" }, 9000).took, 1000)
  })

  const counted = (fault: Fault.PlannedFault, times: number, every: number) =>
    run(
      Effect.gen(function* () {
        const { layer } = yield* Fake.started(Fake.make(Payments))
        const once = Effect.flatMap(Payments.Transport, (calls) =>
          Effect.exit(calls.charge({ order: "a", card: "good" }))
        )
        const all = Effect.forEach(Array.from({ length: times }), () => Effect.andThen(Effect.sleep(every), once))
        const exits = yield* Effect.provide(all, Layer.provide(Fault.layer(Payments, { faults: [fault] }), layer))
        return exits.map((exit) => (Exit.isSuccess(exit) ? "." : "x")).join("")
      })
    )

  it("meets the first calls only where it says so", () => {
    assert.strictEqual(
      counted({ kind: "down", target: "payments", from: 0, until: 10_000, first: 3 }, 6, 100),
      "xxx..."
    )
  })

  it("begins and ends at its time, and meets the methods that it names", () => {
    const shown = counted({ kind: "down", target: "payments/charge", from: 300, until: 600 }, 8, 100)
    assert.match(shown, /^\.+x{2,3}\.+$/)
    assert.strictEqual(counted({ kind: "down", target: "payments/other", from: 0, until: 600 }, 4, 100), "....")
    assert.strictEqual(counted({ kind: "down", target: ["stock", "payments"], from: 0, until: 600 }, 4, 100), "xxxx")
  })

  it("fades away where it recovers slowly", () => {
    const shown = counted({ kind: "down", target: "payments", from: 0, until: 1000, recoverMillis: 20_000 }, 40, 500)
    const [first, last] = [shown.slice(0, 12), shown.slice(-12)]
    assert.isAbove(first.split("x").length, last.split("x").length)
    assert.include(last, ".")
  })
})

describe("a scripted downstream", () => {
  it("is driven call by call through a whole ring", () => {
    const told = run(
      Effect.gen(function* () {
        const { layer, next } = yield* Scripted.make(Stock)
        const ring = Stock.layer({ get: { policy: Policy.standard(), fallback: Fallback.value(0) } })
        const ask = Stock.use((stock) => stock.get({ sku: "a" }))
        const fiber = yield* Effect.forkChild(Effect.provide(ask, Layer.provide(ring, layer)))
        const first = yield* next("get")
        first.fail(new Transient.Transient({ cause: "reset", applied: "unknown" }))
        const second = yield* next("get")
        assert.strictEqual(first.payload, second.payload)
        second.answer(7)
        return yield* Fiber.join(fiber)
      })
    )
    assert.deepEqual(told, { value: 7, quality: "fresh" })
  })

  it("says whose caller went away", () => {
    const gone = run(
      Effect.gen(function* () {
        const { layer, next, waiting } = yield* Scripted.make(Payments)
        const fiber = yield* Effect.forkChild(Effect.provide(charge, layer))
        yield* Effect.sleep(1)
        const before = waiting("charge")
        const call = yield* next("charge")
        yield* Fiber.interrupt(fiber)
        call.answer({ chargeId: "late" })
        return [before, waiting("charge"), call.abandoned()]
      })
    )
    assert.deepEqual(gone, [1, 0, true])
  })
})
