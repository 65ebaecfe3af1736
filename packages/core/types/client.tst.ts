import { type Answer, type Contract, Fallback, Policy, type Unavailable } from "@failsoft/core"
import type * as Effect from "effect/Effect"
import { expect, test } from "tstyche"
import type { Declined, Shop } from "./fixture.ts"

type Client = Contract.Client<(typeof Shop)["contract"]["methods"]>

test("a fail method may break the page, and its type says so", () => {
  expect<ReturnType<Client["charge"]>>().type.toBe<Effect.Effect<number, Declined | Unavailable.Unavailable>>()
})

test("a degrade method never fails with Unavailable", () => {
  expect<ReturnType<Client["show"]>>().type.toBe<Effect.Effect<Answer.Answer<number>, Declined>>()
})

test("a degrade-or-fail method answers with its quality or fails", () => {
  expect<ReturnType<Client["peek"]>>().type.toBe<
    Effect.Effect<Answer.Answer<number>, Declined | Unavailable.Unavailable>
  >()
})

test("a stack has the marks of all its policies", () => {
  expect(Policy.stack(Policy.deadline(2), Policy.retry(), Policy.bulkhead())).type.toBe<Policy.Policy<"replays">>()
  expect(Policy.stack(Policy.stack(Policy.retry()), Policy.circuitBreaker())).type.toBe<
    Policy.Policy<"replays" | "unbounded">
  >()
  expect(Policy.standardOnce()).type.toBe<Policy.Policy<never>>()
})

test("a chain is total where its last fallback is", () => {
  const stale = Fallback.stale({ maxAge: 1, entriesMax: 1 })
  expect(Fallback.chain(stale, Fallback.value(1))).type.toBe<Fallback.Fallback<number, unknown, "keeps">>()
  expect(Fallback.chain(Fallback.value(1), stale)).type.toBe<Fallback.Fallback<number, unknown, "partial" | "keeps">>()
})
