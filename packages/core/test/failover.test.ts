import { assert, describe, it } from "@effect/vitest"
import {
  Attempt,
  Contract,
  ContractViolation,
  Deadline,
  Downstream,
  Journal,
  Policy,
  Refused,
  Region,
  Settings,
  Signal,
  Transient,
  Transport,
  Unavailable
} from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { CircuitBreaker } from "effect/persistence"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { choices } from "./history.ts"

class Unknown extends Schema.TaggedError<Unknown>()("Unknown", {}) {}

const shape = {
  payload: Schema.Struct({ id: Schema.String }),
  success: Schema.String,
  transient: Transient.Transient,
  permanent: Unknown
}

class Shop extends Downstream.Service<Shop>()(
  "@failsoft/core/test/failover/Shop",
  {
    get: Contract.method({ ...shape, idempotency: "safe", onOutage: "fail" }),
    put: Contract.method({ ...shape, idempotency: "keyed", idempotencyKey: ({ id }) => id, onOutage: "fail" }),
    send: Contract.method({ ...shape, idempotency: "unsafe", onOutage: "fail" })
  },
  {
    criticality: "essential",
    owner: "nobody",
    slo: { objective: 0.99, window: "30 days" },
    budget: "2 seconds",
    docs: "https://example.com"
  }
) {}

class Bank extends Downstream.Service<Bank>()(
  "@failsoft/core/test/failover/Bank",
  { get: Contract.method({ ...shape, idempotency: "safe", onOutage: "fail" }) },
  {
    criticality: "essential",
    owner: "nobody",
    slo: { objective: 0.99, window: "30 days" },
    budget: "2 seconds",
    docs: "https://example.com"
  }
) {}

type Errors = Transient.Transient | Unknown | ContractViolation.ContractViolation | Refused.Refused
type Failing = Effect.Effect<never, Errors>
const refused: Failing = Effect.fail(new Transient.Transient({ cause: "connection_refused", applied: "no" }))
const reset: Failing = Effect.fail(new Transient.Transient({ cause: "connection_terminated", applied: "unknown" }))
const unknown: Failing = Effect.fail(new Unknown())

/** What a region does now, and what it was asked. */
const region = (name: string) => {
  const state: {
    does: Effect.Effect<string, Errors>
    asked: Array<string>
    running: number
    most: number
  } = { does: Effect.succeed(name), asked: [], running: 0, most: 0 }
  const call = ({ id }: { readonly id: string }) =>
    Effect.suspend(() => {
      state.asked.push(id)
      state.most = Math.max(state.most, ++state.running)
      return Effect.ensuring(
        state.does,
        Effect.sync(() => state.running--)
      )
    })
  return { state, layer: Shop.transport({ get: call, put: call, send: call }) }
}

const bankIn = ({ state }: ReturnType<typeof region>) =>
  Bank.transport({
    get: ({ id }) =>
      Effect.suspend(() => {
        state.asked.push(id)
        return state.does
      })
  })

const plain: { readonly policy: Policy.Policy<"replays"> } = {
  policy: Policy.stack(Policy.retry({ times: 0 }), Policy.timeout("300 millis"))
}
const once = { policy: Policy.stack(Policy.timeout("300 millis")) }
const rows = { get: plain, put: plain, send: once }
const retrying = Policy.stack(Policy.retry({ times: 2, base: 1, delayMax: 1 }), Policy.timeout("300 millis"))

const living = Effect.fnUntraced(function* (
  options: Partial<Transport.FailoverOptions> = {},
  table: Partial<typeof rows> = {}
) {
  const eu = region("eu")
  const us = region("us")
  const transport = Transport.failover(Shop, { eu: eu.layer, us: us.layer }, { attempt: "80 millis", ...options })
  const context = yield* Layer.build(
    Shop.layer({ ...rows, ...table }).pipe(
      Layer.provideMerge(transport),
      Layer.provideMerge(Settings.layer),
      Layer.provideMerge(Signal.layer)
    )
  )
  return yield* Effect.gen(function* () {
    const signals: Array<Signal.Signal> = []
    yield* (yield* Signal.Bus).subscribe((signal) => signals.push(signal))
    return {
      eu: eu.state,
      us: us.state,
      shop: yield* Shop,
      settings: yield* Settings.Registry,
      regions: regionsOf(yield* Shop.Transport),
      signals,
      told: (tag: Signal.Signal["_tag"]) => signals.filter((signal) => signal._tag === tag)
    }
  }).pipe(Effect.provide(context))
})

const regionsOf = (transport: object) => () => Transport.describe(transport)

const id = { id: "1" }
const ending = <A, E>(call: Effect.Effect<A, E>) =>
  Effect.match(call, {
    onSuccess: (value) => String(value),
    onFailure: (error) =>
      typeof error === "object" && error !== null && "reason" in error ? String(error.reason) : "permanent"
  })

describe("failing over", () => {
  it.effect("asks the preferred region only, while it is well", () =>
    Effect.gen(function* () {
      const { shop, us, told } = yield* living()
      for (const method of ["get", "put", "send"] as const) assert.strictEqual(yield* shop[method](id), "eu")
      assert.deepEqual(us.asked, [])
      assert.deepEqual(told("FailedOver"), [])
    })
  )

  it.effect("asks the next at once where nothing was applied, whatever the method", () =>
    Effect.gen(function* () {
      const { eu, shop, told } = yield* living()
      eu.does = refused
      for (const method of ["get", "put", "send"] as const) assert.strictEqual(yield* shop[method](id), "us")
      assert.deepEqual(
        told("FailedOver").map((of) =>
          of._tag === "FailedOver" ? [of.downstream, of.method, of.from, of.to, of.reason] : []
        ),
        [
          ["shop", "get", "eu", "us", "connection_refused"],
          ["shop", "put", "eu", "us", "connection_refused"],
          ["shop", "send", "eu", "us", "connection_refused"]
        ]
      )
    })
  )

  it.effect("takes a region's final word", () =>
    Effect.gen(function* () {
      const { eu, shop, us } = yield* living()
      eu.does = unknown
      assert.strictEqual(yield* ending(shop.get(id)), "permanent")
      assert.deepEqual(us.asked, [])
    })
  )

  it.effect("asks elsewhere where a region talks nonsense, for reads only", () =>
    Effect.gen(function* () {
      const { eu, shop, us } = yield* living()
      eu.does = Effect.fail(new ContractViolation.ContractViolation({ detail: "garbled" }))
      assert.strictEqual(yield* shop.get(id), "us")
      assert.strictEqual(yield* ending(shop.put(id)), "CONTRACT_VIOLATION")
      assert.strictEqual(yield* ending(shop.send(id)), "CONTRACT_VIOLATION")
      assert.lengthOf(us.asked, 1)
    })
  )

  it.effect("asks elsewhere at once where a read failed at once, unless it is told that asking is of no use", () =>
    Effect.gen(function* () {
      const { eu, shop, told, us } = yield* living()
      eu.does = reset
      assert.strictEqual(yield* shop.get(id), "us")
      assert.strictEqual(yield* ending(shop.put(id)), "TRANSIENT_FAILURE")
      assert.strictEqual(yield* ending(shop.send(id)), "TRANSIENT_FAILURE")
      assert.lengthOf(us.asked, 1)
      assert.lengthOf(told("FailedOver"), 1)
      eu.does = Effect.fail(
        new Transient.Transient({ cause: "connection_terminated", applied: "unknown", pushback: "do-not-retry" })
      )
      assert.strictEqual(yield* ending(shop.get(id)), "TRANSIENT_FAILURE")
      // What hangs has taken the attempt's time: there is none left for another.
      eu.does = Effect.never
      const hanging = yield* Effect.forkChild(ending(shop.get(id)))
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(hanging), "TIMEOUT")
      assert.lengthOf(us.asked, 1)
      const shared = yield* living({ idempotencyKeys: "shared" })
      shared.eu.does = reset
      assert.strictEqual(yield* shared.shop.put(id), "us")
    })
  )

  it.effect(
    "says what was worst where no region answers: a failure rather than a refusal, the unknown rather than the rest",
    () =>
      Effect.gen(function* () {
        const shared = yield* living({ idempotencyKeys: "shared" })
        const applied = (call: Effect.Effect<unknown, unknown>) =>
          Effect.map(Effect.flip(call), (error) => (error instanceof Unavailable.Unavailable ? error.applied : error))
        shared.eu.does = reset
        shared.us.does = refused
        assert.strictEqual(yield* applied(shared.shop.put({ id: "one" })), "unknown")
        yield* shared.settings.set("shop.us/get/circuitBreaker.mode", "forced-open", { by: "test" })
        assert.strictEqual(yield* applied(shared.shop.put({ id: "two" })), "unknown")
        // The other way round: what was not applied does not hide what may have been.
        yield* shared.settings.set("shop.us/get/circuitBreaker.mode", "on", { by: "test" })
        shared.eu.does = refused
        shared.us.does = reset
        assert.strictEqual(yield* applied(shared.shop.put({ id: "three" })), "unknown")
        shared.us.does = refused
        assert.strictEqual(yield* applied(shared.shop.put({ id: "four" })), "no")
      })
  )

  it.effect("is asked again by the ring after a blip, though the other region takes no calls", () =>
    Effect.gen(function* () {
      const { eu, settings, shop } = yield* living({}, { get: { policy: retrying } })
      yield* settings.set("shop.us/get/circuitBreaker.mode", "forced-open", { by: "test" })
      let failures = 0
      eu.does = Effect.suspend(() => (failures++ === 0 ? reset : Effect.succeed("eu again")))
      const fiber = yield* Effect.forkChild(ending(shop.get(id)))
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(fiber), "eu again")
    })
  )

  it.effect("counts in the worst case of a read that all regions may be asked", () =>
    Effect.gen(function* () {
      const { shop } = yield* living({}, { get: { policy: retrying } })
      const loads = Downstream.describe(shop)?.methods.map(({ name, worstLoad }) => [name, worstLoad])
      assert.deepEqual(loads, [
        ["get", 6],
        ["put", 1],
        ["send", 1]
      ])
    })
  )

  it.effect("takes a least limit above what it would begin with", () =>
    Effect.gen(function* () {
      const { shop } = yield* living({ limit: { limitMin: 20, limitMax: 100 } })
      assert.strictEqual(yield* shop.get(id), "eu")
    })
  )

  it.effect("is not told to the gates of the ring where one region fails: it says nothing of the others", () =>
    Effect.gen(function* () {
      const breaker = Policy.circuitBreaker({ consecutiveFailures: 2, minimumCalls: 2 })
      const policy = Policy.stack(Policy.retry({ times: 0 }), breaker, Policy.timeout("300 millis"))
      const { eu, shop, told } = yield* living({}, { get: { policy } })
      eu.does = Effect.never
      for (let nth = 0; nth < 4; nth++) {
        const fiber = yield* Effect.forkChild(ending(shop.get(id)))
        yield* TestClock.adjust(100)
        assert.strictEqual(yield* Fiber.join(fiber), "TIMEOUT")
      }
      assert.deepEqual(told("CircuitChanged"), [])
      const store = yield* Effect.map(Layer.build(CircuitBreaker.layerStoreMemory()), (context) =>
        Layer.succeedContext(context)
      )
      const circuit = Policy.sharedCircuitBreaker({ circuit: "shop", store, consecutiveFailures: 2, minimumCalls: 2 })
      const shared = yield* living(
        {},
        { put: { policy: Policy.stack(Policy.retry({ times: 0 }), circuit, Policy.timeout("300 millis")) } }
      )
      shared.eu.does = reset
      for (let nth = 0; nth < 5; nth++) {
        assert.strictEqual(yield* ending(shared.shop.put({ id: `put ${nth}` })), "TRANSIENT_FAILURE")
      }
    })
  )

  it.effect("leaves an unknown outcome to the retry, which begins with the next region where it may", () =>
    Effect.gen(function* () {
      const retried = yield* living({}, { get: { policy: retrying }, put: { policy: retrying } })
      retried.eu.does = reset
      assert.strictEqual(yield* ending(retried.shop.send(id)), "TRANSIENT_FAILURE")
      assert.deepEqual(retried.us.asked, [])
      const fiber = yield* Effect.forkChild(ending(retried.shop.get(id)))
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(fiber), "us")
      // Nobody else knows its key.
      const put = yield* Effect.forkChild(ending(retried.shop.put({ id: "put" })))
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(put), "TRANSIENT_FAILURE")
      assert.deepEqual(retried.us.asked, ["1"])
      const shared = yield* living({ idempotencyKeys: "shared" }, { put: { policy: retrying } })
      shared.eu.does = reset
      const second = yield* Effect.forkChild(ending(shared.shop.put(id)))
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(second), "us")
    })
  )

  it.effect("cuts a region that hangs, and counts it", () =>
    Effect.gen(function* () {
      const { eu, shop, told } = yield* living({ breaker: { consecutiveFailures: 3 } }, { get: { policy: retrying } })
      eu.does = Effect.never
      for (let nth = 0; nth < 3; nth++) {
        const fiber = yield* Effect.forkChild(ending(shop.get(id)))
        yield* TestClock.adjust(100)
        assert.strictEqual(yield* Fiber.join(fiber), "us")
      }
      assert.deepEqual(
        told("CircuitChanged").map((of) => (of._tag === "CircuitChanged" ? [of.downstream, of.to] : [])),
        [["shop.eu", "open"]]
      )
      // Now at once.
      assert.strictEqual(yield* ending(shop.get(id)), "us")
    })
  )

  it.effect("says the refusal where no region takes the call", () =>
    Effect.gen(function* () {
      const { eu, shop, us } = yield* living({ breaker: { consecutiveFailures: 1 } })
      eu.does = us.does = refused
      assert.strictEqual(yield* ending(shop.get(id)), "TRANSIENT_FAILURE")
      assert.strictEqual(yield* ending(shop.get(id)), "CIRCUIT_OPEN")
      assert.lengthOf(eu.asked, 1)
    })
  )

  it.effect("begins with the region that is wished for, and ignores a name that it does not know", () =>
    Effect.gen(function* () {
      const { shop } = yield* living()
      const wishing = (name: string) => Effect.provideService(shop.get(id), Region.Region, name)
      assert.strictEqual(yield* wishing("us"), "us")
      assert.strictEqual(yield* wishing("mars"), "eu")
    })
  )

  it.effect("hedges with another region", () =>
    Effect.gen(function* () {
      const hedged = Policy.stack(Policy.hedge({ delay: 20 }), Policy.timeout("300 millis"))
      const { eu, shop, us } = yield* living({}, { get: { policy: hedged } })
      eu.does = Effect.delay(Effect.succeed("eu, late"), 70)
      const fiber = yield* Effect.forkChild(ending(shop.get(id)))
      yield* TestClock.adjust(20)
      assert.strictEqual(yield* Fiber.join(fiber), "us")
      assert.deepEqual([eu.asked.length, us.asked.length, eu.running], [1, 1, 0])
    })
  )

  it.effect(
    "leaves a region to the attempt that is asking there: a hedge that fails elsewhere does not come back",
    () =>
      Effect.gen(function* () {
        const hedged = Policy.stack(Policy.hedge({ delay: 20, budgetPerSecond: 1000 }), Policy.timeout("300 millis"))
        const { eu, shop, told, us } = yield* living({}, { get: { policy: hedged } })
        eu.does = Effect.delay(Effect.succeed("eu, late"), 70)
        us.does = reset
        const fiber = yield* Effect.forkChild(ending(shop.get(id)))
        yield* TestClock.adjust(70)
        assert.strictEqual(yield* Fiber.join(fiber), "eu, late")
        assert.deepEqual([eu.asked.length, us.asked.length], [1, 1])
        assert.lengthOf(told("FailedOver"), 0)
        // The region is free again when its attempt is over: here the first has failed, and the hedge asks there too.
        eu.does = Effect.delay(reset, 30)
        us.does = Effect.delay(refused, 20)
        const again = yield* Effect.forkChild(ending(shop.get(id)))
        yield* TestClock.adjust(80)
        yield* Fiber.join(again)
        assert.deepEqual([eu.asked.length, us.asked.length], [3, 2])
      })
  )

  it.effect("knows the regions of a downstream behind a hedged one as its own", () =>
    Effect.gen(function* () {
      // A region of the shop asks a bank, whose regions have the same names.
      const eu = region("eu")
      const us = region("us")
      const bank = Transport.failover(Bank, { eu: bankIn(eu), us: bankIn(us) }, { attempt: "60 millis" })
      const banking = yield* Layer.build(Layer.provide(Bank.layer({ get: plain }), bank))
      const asksBank = () =>
        Effect.provideContext(
          Bank.use((of) => of.get({ id: "a" })),
          banking
        ).pipe(Effect.provideService(Region.Region, "us"), Effect.orDie)
      const inShop = Shop.transport({ get: asksBank, put: asksBank, send: asksBank })
      const hedged = Policy.stack(Policy.hedge({ delay: 20 }), Policy.timeout("300 millis"))
      const shop = yield* Layer.build(
        Layer.provide(
          Shop.layer({ ...rows, get: { policy: hedged } }),
          Transport.failover(Shop, { eu: inShop, us: inShop }, { attempt: "80 millis" })
        )
      )
      // The shop is asked in its eu; there the bank is asked in its us, and then in its eu.
      us.state.does = reset
      assert.strictEqual(
        yield* Effect.provideContext(
          Shop.use((of) => of.get(id)),
          shop
        ),
        "eu"
      )
      assert.deepEqual([us.state.asked.length, eu.state.asked.length], [1, 1])
    })
  )

  it.effect("finds out a region that hangs behind the hedges of others", () =>
    Effect.gen(function* () {
      const hedged = Policy.stack(
        Policy.hedge({ delay: 20, budgetRatio: 1, budgetPerSecond: 1000 }),
        Policy.timeout("300 millis")
      )
      const { eu, regions, shop, told, us } = yield* living({}, { get: { policy: hedged } })
      eu.does = Effect.never
      const call = Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(ending(shop.get(id)))
        yield* TestClock.adjust(40)
        assert.strictEqual(yield* Fiber.join(fiber), "us")
      })
      // Losers are cancelled as long as somebody hears of the region.
      for (let nth = 0; nth < 50; nth++) yield* call
      assert.strictEqual(eu.running, 0)
      for (let nth = 0; nth < 10; nth++) yield* call
      assert.deepInclude(regions()[0]?.methods[0]?.observed, { lastReason: "TIMEOUT" })
      for (let nth = 0; nth < 60 && told("CircuitChanged").length === 0; nth++) yield* call
      assert.isAtMost(eu.most, 2, "one at a time is waited for")
      assert.deepEqual(
        told("CircuitChanged").map((of) => (of._tag === "CircuitChanged" ? [of.downstream, of.to] : [])),
        [["shop.eu", "open"]]
      )
      yield* TestClock.adjust(40)
      assert.strictEqual(eu.running, 0)
      const asked = us.asked.length
      assert.strictEqual(yield* ending(shop.get(id)), "us", "now at once")
      assert.strictEqual(us.asked.length, asked + 1)
    })
  )

  it.effect("looks at a region for nobody: without a caller's deadline, journal or number", () =>
    Effect.gen(function* () {
      const { shop, us } = yield* living({ look: "1 second" })
      const seen: Array<unknown> = []
      us.does = Effect.withFiber((fiber) => {
        seen.push(fiber.getRef(Deadline.Deadline), fiber.getRef(Attempt.Attempt), fiber.getRef(Journal.Journal))
        return Effect.succeed("us")
      })
      yield* TestClock.adjust("1 second")
      const journal = Journal.makeUnsafe()
      yield* shop
        .get(id)
        .pipe(
          Effect.provideService(Deadline.Deadline, 1005),
          Effect.provideService(Attempt.Attempt, 2),
          Effect.provideService(Journal.Journal, journal)
        )
      yield* TestClock.adjust(1)
      // Its own timeout is the only limit that it has.
      assert.deepEqual(seen, [Number.POSITIVE_INFINITY, 0, undefined])
    })
  )

  it.effect("frees a key that was never sent, and asks no other region for what cannot be sent", () =>
    Effect.gen(function* () {
      const { eu, shop, told, us } = yield* living()
      const says = (reason: "DEADLINE_EXCEEDED" | "UNSENDABLE_REQUEST") =>
        Effect.fail(Refused.make({ policy: "transport", reason }))
      eu.does = says("UNSENDABLE_REQUEST")
      assert.strictEqual(yield* ending(shop.put(id)), "UNSENDABLE_REQUEST")
      assert.deepEqual([us.asked, told("FailedOver")], [[], []])
      eu.does = says("DEADLINE_EXCEEDED")
      assert.strictEqual(yield* ending(shop.put(id)), "DEADLINE_EXCEEDED")
      eu.does = refused
      assert.strictEqual(yield* ending(shop.put(id)), "us")
    })
  )

  it.effect("looks at a region that nobody asks, beside a read, and at its final word as at an answer", () =>
    Effect.gen(function* () {
      const { eu, regions, shop, us } = yield* living({ look: "2 seconds" })
      const seen = () => regions()[1]?.methods[0]?.observed
      us.does = Effect.delay(refused, 10)
      yield* TestClock.adjust("1999 millis")
      yield* shop.get(id)
      assert.lengthOf(us.asked, 0)
      yield* TestClock.adjust("1 millis")
      yield* shop.put(id)
      assert.lengthOf(us.asked, 0, "a write is asked once")
      for (let nth = 0; nth < 5; nth++) assert.strictEqual(yield* shop.get(id), "eu")
      yield* Effect.yieldNow
      assert.lengthOf(us.asked, 1)
      yield* TestClock.adjust(10)
      assert.deepInclude(seen(), { lastBadAt: 2010, lastReason: "connection_refused" })
      us.does = unknown
      yield* TestClock.adjust("2 seconds")
      yield* shop.get(id)
      yield* TestClock.adjust(1)
      assert.deepInclude(seen(), { lastGoodAt: 4010 })
      assert.lengthOf(eu.asked, 8)
    })
  )

  it.effect("asks nobody else for a caller whose time is spent, and blames no region for it", () =>
    Effect.gen(function* () {
      const bounded = Policy.stack(Policy.deadline("1 second"), Policy.timeout("300 millis"))
      const { eu, regions, shop, told, us } = yield* living({}, { get: { policy: bounded } })
      eu.does = Effect.never
      const fiber = yield* Effect.forkChild(ending(Effect.provideService(shop.get(id), Deadline.Deadline, 1)))
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(fiber), "DEADLINE_EXCEEDED")
      assert.deepEqual([us.asked, told("FailedOver")], [[], []])
      assert.deepEqual(
        regions().map(({ methods }) => methods[0]?.observed),
        [{}, {}]
      )
    })
  )

  it.effect("drains a region by hand, and takes it back", () =>
    Effect.gen(function* () {
      const { eu, settings, shop } = yield* living()
      const mode = "shop.eu/get/circuitBreaker.mode"
      yield* settings.change({ [mode]: "forced-open" }, { by: "ada" })
      assert.strictEqual(yield* shop.get(id), "us")
      assert.strictEqual(yield* shop.put(id), "us", "a region has one circuit for all its methods")
      assert.deepEqual(eu.asked, [])
      yield* settings.clear(mode, { by: "ada" })
      assert.strictEqual(yield* shop.get(id), "eu")
    })
  )

  it.effect("shows each region as a downstream of its own", () =>
    Effect.gen(function* () {
      const { regions } = yield* living()
      assert.deepEqual(
        regions().map(({ methods, name }) => [
          name,
          methods.map((of) => of.name),
          methods[0]?.policies.map((of) => of.address)
        ]),
        ["eu", "us"].map((name) => [
          `shop.${name}`,
          ["get", "put", "send"],
          ["circuitBreaker", "adaptiveLimit", "listening", "timeout"].map((of) => `shop.${name}/get/${of}`)
        ])
      )
      assert.deepEqual(Transport.describe({}), [])
    })
  )

  it.effect("refuses to be built without a region, or with policies that cannot work", () =>
    Effect.gen(function* () {
      const nowhere: Readonly<Record<string, ReturnType<typeof region>["layer"]>> = {}
      const none = Transport.failover(Shop, nowhere, { attempt: "80 millis" })
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(none)))
      assert.isTrue(Exit.isFailure(exit) && String(exit.cause).includes("was given no region"))
      const wrong = Transport.failover(
        Shop,
        { eu: region("eu").layer },
        { attempt: "80 millis", breaker: { window: 10 } }
      )
      const second = yield* Effect.exit(Effect.scoped(Layer.build(wrong)))
      assert.include(String(second), "shop.eu: circuitBreaker.windowMillis (10 ms) must be at least twice")
    })
  )
})

describe("the load of regions", () => {
  it.effect("is bounded in each of them, also by what the others leave to it", () =>
    Effect.gen(function* () {
      const { eu, shop, us } = yield* living({ limit: { limitInitial: 5, limitMax: 5, limitMin: 1 } })
      eu.does = refused
      us.does = Effect.delay(Effect.succeed("us"), 50)
      const all = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 40 }), () => ending(shop.get(id)), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust(50)
      const endings = yield* Fiber.join(all)
      assert.strictEqual(us.most, 5)
      assert.strictEqual(endings.filter((of) => of === "us").length, 5)
      // Who was let in nowhere is told so, who was refused a connection is told that.
      const others = endings.filter((of) => of !== "us")
      assert.isTrue(others.every((of) => of === "CONCURRENCY_LIMITED" || of === "TRANSIENT_FAILURE"))
    })
  )

  it.effect("comes back to the preferred region by a ramp, without a call that fails for it", () =>
    Effect.gen(function* () {
      const { eu, shop, us } = yield* living({}, { get: { policy: retrying } })
      us.does = Effect.delay(Effect.succeed("us"), 20)
      const seconds = Effect.fnUntraced(function* (many: number) {
        const served = { eu: 0, us: 0, other: 0 }
        for (let at = 0; at < many * 1000; at += 5) {
          yield* Effect.forkChild(
            Effect.map(ending(shop.get(id)), (of) => {
              if (of === "eu" || of === "us") served[of]++
              else served.other++
            })
          )
          yield* TestClock.adjust(5)
        }
        return served
      })
      eu.does = Effect.delay(Effect.succeed("eu"), 20)
      assert.deepInclude(yield* seconds(1), { us: 0, other: 0 })
      eu.does = refused
      const out = yield* seconds(3)
      assert.strictEqual(out.other, 0)
      assert.isAtMost(eu.asked.length, 200 + 60, "the dead region is probed, not hammered")
      // It comes back cold: four at once, and no more.
      eu.running = eu.most = 0
      eu.does = Effect.suspend(() => (eu.running > 4 ? refused : Effect.delay(Effect.succeed("eu"), 20)))
      const cold = yield* seconds(3)
      assert.strictEqual(cold.other, 0)
      const last = yield* seconds(1)
      assert.isAbove(last.eu, 150)
    })
  )
})

/** Two ledgers that know nothing of each other, and outages of all kinds: where was each key applied? */
const applied = (seed: number, options: Partial<Transport.FailoverOptions>) =>
  Effect.gen(function* () {
    const of = choices(seed)
    const ledger = new Map<string, Set<string>>()
    const does = (where: string, key: string): Effect.Effect<string, Errors> => {
      const write = Effect.sync(() => {
        const places = ledger.get(key) ?? new Set()
        ledger.set(key, places.add(where))
        return where
      })
      const millis = of.pick([0, 0, 5, 20])
      switch (of.pick(["answers", "refused", "refused", "lost", "reset", "hangs"])) {
        case "answers":
          return Effect.delay(write, millis)
        case "refused":
          return Effect.delay(refused, millis)
        case "lost":
          return Effect.andThen(write, reset)
        case "reset":
          return reset
        default:
          return Effect.andThen(write, Effect.never)
      }
    }
    const at = (where: string) => {
      const call = (payload: { readonly id: string }) => Effect.suspend(() => does(where, payload.id))
      return Shop.transport({ get: call, put: call, send: call })
    }
    const transport = Transport.failover(
      Shop,
      { eu: at("eu"), us: at("us") },
      { attempt: "80 millis", breaker: { consecutiveFailures: 2, openFor: 50 }, ...options }
    )
    const ring = Shop.layer({ ...rows, put: { policy: retrying } }).pipe(Layer.provide(transport))
    const calls = Effect.gen(function* () {
      const shop = yield* Shop
      for (let nth = 0; nth < 12; nth++) {
        const id = `key-${of.between(1, 4)}`
        // A customer who presses twice: two requests with one key are under way.
        const twin = of.chance(0.5) ? yield* Effect.forkChild(Effect.exit(shop.put({ id }))) : undefined
        if (twin !== undefined) yield* TestClock.adjust(of.pick([0, 1]))
        const fiber = yield* Effect.forkChild(Effect.exit(shop.put({ id })))
        yield* TestClock.adjust(of.pick([0, 10, 100]))
        if (of.chance(0.2)) yield* Fiber.interrupt(fiber)
        yield* TestClock.adjust(1000)
      }
    })
    yield* Effect.scoped(Effect.flatMap(Layer.build(ring), (context) => Effect.provide(calls, context)))
    return [...ledger].filter(([, places]) => places.size > 1).map(([key]) => key)
  })

describe("a keyed write", () => {
  const twice = (options: Partial<Transport.FailoverOptions>) =>
    Effect.gen(function* () {
      let found = 0
      for (let seed = 1; seed <= 200; seed++) found += (yield* applied(seed, options)).length
      return found
    })

  it.effect("is applied in one region at most, whatever is lost and whoever goes away (200 histories)", () =>
    Effect.map(twice({}), (found) => assert.strictEqual(found, 0))
  )

  it.effect("and the planted bug, keys taken for shared that are not, is found", () =>
    Effect.map(twice({ idempotencyKeys: "shared" }), (found) => assert.isAbove(found, 0))
  )
})
