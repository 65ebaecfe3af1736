import { Cache, Contract, Fallback, Policy, Transient } from "@failsoft/core"
import * as Effect from "effect/Effect"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import * as Schema from "effect/Schema"
import { expect, test } from "tstyche"
import { Shop, Undeclared } from "./fixture.ts"

const standard = { policy: Policy.standard() }
const total = { ...standard, fallback: Fallback.value(0) }
const once = { policy: Policy.standardOnce() }
const good = { show: total, peek: total, ask: standard, charge: standard, send: total, shout: once }

test("the sound table compiles", () => {
  expect(Shop.layer).type.toBeCallableWith(good)
})

test("a replaying policy on an unsafe method", () => {
  // @ts-expect-error the method 'shout' is unsafe: a policy that replays (retry, hedge) could apply it twice
  Shop.layer({ ...good, shout: standard })
  // @ts-expect-error the method 'shout' is unsafe
  Shop.layer({ ...good, shout: { policy: Policy.stack(Policy.stack(Policy.timeout(1)), Policy.retry()) } })
})

test("a retry of what was not sent fits every method, and stays unsafe beside one that replays", () => {
  const resends = Policy.stack(Policy.deadline("1 second"), Policy.retryUnsent())
  expect(Shop.layer).type.toBeCallableWith({ ...good, shout: { policy: resends } })
  expect(Shop.layer).type.toBeCallableWith({ ...good, charge: { policy: resends } })
  // @ts-expect-error the method 'shout' is unsafe: a policy that replays (retry, hedge) could apply it twice
  Shop.layer({ ...good, shout: { policy: Policy.stack(Policy.deadline(1), Policy.retryUnsent(), Policy.retry()) } })
  // @ts-expect-error the stack of 'shout' has no time bound: add Policy.deadline or Policy.timeout
  Shop.layer({ ...good, shout: { policy: Policy.retryUnsent() } })
  // @ts-expect-error is not assignable to type
  const harmless: Policy.Policy<"unbounded"> = Policy.retryUnsent()
  // @ts-expect-error is not assignable to type
  const unsent: Policy.Policy<"resends" | "unbounded"> = Policy.retry()
  void [harmless, unsent]
})

test("a hedge on an unsafe method", () => {
  const hedged = Policy.stack(Policy.deadline("1 second"), Policy.hedge(), Policy.timeout("200 millis"))
  // @ts-expect-error the method 'shout' is unsafe: a policy that replays (retry, hedge) could apply it twice
  Shop.layer({ ...good, shout: { policy: hedged } })
  expect(Shop.layer).type.toBeCallableWith({ ...good, charge: { policy: hedged } })
  // @ts-expect-error the stack of 'charge' has no time bound
  Shop.layer({ ...good, charge: { policy: Policy.hedge() } })
})

test("a stack without a time bound", () => {
  // @ts-expect-error the stack of 'charge' has no time bound: add Policy.deadline or Policy.timeout
  Shop.layer({ ...good, charge: { policy: Policy.retry() } })
})

test("a rate limit or a shared breaker bounds no time, and neither replays", () => {
  const store = CircuitBreaker.layerStoreMemory()
  const limit = Policy.rateLimit({ permits: 1 })
  const breaker = Policy.sharedCircuitBreaker({ circuit: "shop", store })
  // @ts-expect-error the stack of 'charge' has no time bound: add Policy.deadline or Policy.timeout
  Shop.layer({ ...good, charge: { policy: limit } })
  // @ts-expect-error the stack of 'charge' has no time bound: add Policy.deadline or Policy.timeout
  Shop.layer({ ...good, charge: { policy: Policy.stack(breaker, limit) } })
  const bounded = Policy.stack(Policy.deadline(1), breaker, limit)
  expect(Shop.layer).type.toBeCallableWith({ ...good, shout: { policy: bounded } })
})

test("a shared policy without a store, or with one of another kind", () => {
  // @ts-expect-error Property 'store' is missing
  Policy.sharedCircuitBreaker({ circuit: "shop" })
  // @ts-expect-error is not assignable to type
  Policy.sharedCircuitBreaker({ circuit: "shop", store: RateLimiter.layerStoreMemory })
  // @ts-expect-error is not assignable to type
  Policy.sharedRateLimit({ limit: "maps", permits: 1, store: CircuitBreaker.layerStoreMemory() })
})

test("a fallback on a method that fails", () => {
  // @ts-expect-error the method 'charge' fails in an outage by its contract: remove the fallback
  Shop.layer({ ...good, charge: total })
})

test("a degrading method without a fallback", () => {
  // @ts-expect-error the method 'show' degrades in an outage: give its row a fallback
  Shop.layer({ ...good, show: standard })
})

test("a fallback that may have no answer", () => {
  const stale = Fallback.stale({ maxAge: "1 hour", entriesMax: 10 })
  // @ts-expect-error the fallback of 'show' may have no answer: end it with Fallback.value or Fallback.omit
  Shop.layer({ ...good, show: { ...standard, fallback: stale } })
  expect(Shop.layer).type.toBeCallableWith({ ...good, peek: { ...standard, fallback: stale } })
  expect(Shop.layer).type.toBeCallableWith({
    ...good,
    show: { ...standard, fallback: Fallback.chain(stale, Fallback.omit(0)) }
  })
})

test("an enqueueing fallback on a method that is not keyed", () => {
  const enqueue = Fallback.chain(Fallback.enqueue({ offer: () => Effect.succeed(1) }), Fallback.value(0))
  // @ts-expect-error the method 'show' is not keyed: a queue may deliver it twice
  Shop.layer({ ...good, show: { ...standard, fallback: enqueue } })
  expect(Shop.layer).type.toBeCallableWith({ ...good, send: { ...standard, fallback: enqueue } })
})

test("an undeclared error of a transport", () => {
  const answer = () => Effect.succeed(1)
  const calls = { show: answer, peek: answer, ask: answer, charge: answer, send: answer, shout: answer }
  expect(Shop.transport).type.toBeCallableWith(calls)
  // @ts-expect-error 'Undeclared' is not assignable
  Shop.transport({ ...calls, show: () => Effect.fail(new Undeclared()) })
})

test("a fallback of the wrong type", () => {
  // @ts-expect-error 'string' is not assignable to type 'number'
  Shop.layer({ ...good, show: { ...standard, fallback: Fallback.value("none") } })
  const wrong = Fallback.compute({
    compute: (payload: { readonly name: string }) => Effect.succeed(payload.name.length)
  })
  // @ts-expect-error Property 'name' is missing
  Shop.layer({ ...good, peek: { ...standard, fallback: wrong } })
})

test("a cache on a method that is not safe", () => {
  const cache = Cache.make({ fresh: "1 minute", entriesMax: 10 })
  expect(Shop.layer).type.toBeCallableWith({ ...good, show: { ...total, cache }, peek: { ...total, cache } })
  // @ts-expect-error the method 'charge' is keyed: only safe methods can be cached
  Shop.layer({ ...good, charge: { ...standard, cache } })
  // @ts-expect-error the method 'send' is keyed: only safe methods can be cached
  Shop.layer({ ...good, send: { ...total, cache } })
  // @ts-expect-error the method 'shout' is unsafe: only safe methods can be cached
  Shop.layer({ ...good, shout: { ...once, cache } })
})

test("a stale answer where the contract says that the method fails", () => {
  expect(Shop.layer).type.toBeCallableWith({
    ...good,
    ask: { ...standard, cache: Cache.make({ fresh: "1 minute", negative: "1 second", entriesMax: 10 }) }
  })
  // @ts-expect-error the method 'ask' fails in an outage by its contract: its callers could not see that an answer is stale
  Shop.layer({ ...good, ask: { ...standard, cache: Cache.make({ fresh: 1, staleIfError: 1, entriesMax: 10 }) } })
  const refreshed = Cache.make({ fresh: 1, staleWhileRevalidate: 1, entriesMax: 10 })
  // @ts-expect-error the method 'ask' fails in an outage by its contract
  Shop.layer({ ...good, ask: { ...standard, cache: refreshed } })
  const anything: Cache.Cache<unknown, unknown, unknown> = Cache.make({ fresh: 1, entriesMax: 10 })
  // @ts-expect-error the method 'ask' fails in an outage by its contract
  Shop.layer({ ...good, ask: { ...standard, cache: anything } })
})

test("a cache that outlives the outage is the fallback of a method that may fail, and not of one that must answer", () => {
  const cache = Cache.make({ fresh: 1, staleIfError: "1 day", entriesMax: 10 })
  expect(Shop.layer).type.toBeCallableWith({ ...good, peek: { ...standard, cache } })
  // @ts-expect-error the method 'show' degrades in an outage: give its row a fallback
  Shop.layer({ ...good, show: { ...standard, cache } })
  // @ts-expect-error the method 'peek' degrades in an outage: give its row a fallback
  Shop.layer({ ...good, peek: { ...standard, cache: Cache.make({ fresh: 1, entriesMax: 10 }) } })
})

test("a cache for other payloads, and a write to a method that is not there", () => {
  const wrong = Cache.make({ fresh: 1, entriesMax: 10, tags: (payload: { readonly name: string }) => [payload.name] })
  // @ts-expect-error Property 'name' is missing
  Shop.layer({ ...good, show: { ...total, cache: wrong } })
  expect(Shop.layer).type.toBeCallableWith({
    ...good,
    charge: {
      ...standard,
      writes: ({ id }: { readonly id: string }) => [{ invalidate: "show", payload: { id } }]
    }
  })
  // @ts-expect-error is not assignable
  Shop.layer({ ...good, charge: { ...standard, writes: () => [{ invalidate: "shwo", payload: { id: "" } }] } })
})

test("the key of a keyed method", () => {
  const shape = {
    payload: Schema.String,
    success: Schema.Void,
    transient: Transient.Transient,
    permanent: Schema.Never,
    onOutage: "fail"
  } as const
  // @ts-expect-error 'idempotencyKey' is missing
  Contract.method({ ...shape, idempotency: "keyed" })
  // @ts-expect-error is not assignable to type 'never'
  Contract.method({ ...shape, idempotency: "safe", idempotencyKey: (id: string) => id })
})

declare const flag: boolean

test("a wider type never makes a row sounder than it is", () => {
  // @ts-expect-error is not assignable to type 'never'
  const bounded: Policy.Policy<never> = Policy.bulkhead()
  // @ts-expect-error is not assignable to type 'never'
  const total: Fallback.Fallback<number, unknown, never> = Fallback.stale({ maxAge: 1, entriesMax: 1 })
  void [bounded, total]
  const anything: Policy.Policy = Policy.standardOnce()
  // @ts-expect-error the method 'shout' is unsafe
  Shop.layer({ ...good, shout: { policy: anything } })
  // @ts-expect-error the stack of 'charge' has no time bound
  Shop.layer({ ...good, charge: { policy: anything } })
  const some: Fallback.Fallback<number> = Fallback.value(1)
  // @ts-expect-error the fallback of 'send' may have no answer
  Shop.layer({ ...good, send: { ...standard, fallback: some } })
})

test("either of two must be sound", () => {
  // @ts-expect-error the stack of 'charge' has no time bound
  Shop.layer({ ...good, charge: { policy: flag ? Policy.deadline(1) : Policy.bulkhead() } })
  const either = flag ? Fallback.value(0) : Fallback.stale({ maxAge: 1, entriesMax: 1 })
  // @ts-expect-error the fallback of 'show' may have no answer
  Shop.layer({ ...good, show: { ...standard, fallback: either } })
})

test("a row for a method that the contract does not have", () => {
  // @ts-expect-error the contract has no method 'chrage'
  Shop.layer({ ...good, chrage: standard })
})
