import { Contract, Downstream, Fallback, Policy, Transient } from "@failsoft/core"
import * as Schema from "effect/Schema"
import { expect, test } from "tstyche"
import { Shop } from "./fixture.ts"

const shape = {
  payload: Schema.Struct({ id: Schema.String }),
  success: Schema.Finite,
  transient: Transient.Transient,
  permanent: Schema.Never,
  idempotency: "safe",
  onOutage: "degrade"
} as const

class Unsaid extends Downstream.Service<Unsaid>()(
  "@failsoft/core/types/Unsaid",
  { get: Contract.method(shape) },
  Shop.contract.info
) {}

class Said extends Downstream.Service<Said>()(
  "@failsoft/core/types/Said",
  { get: Contract.method({ ...shape, scope: "principal" }) },
  Shop.contract.info
) {}

const policy = Policy.standard()
const stale = Fallback.stale({ maxAge: "1 hour", entriesMax: 10 })
const kept = Fallback.chain(stale, Fallback.value(0))
const assumed = Fallback.chain(Fallback.optimistic({ assume: () => 1, holds: "1 hour" }), Fallback.value(0))

test("a scope is what the method says, and nothing where it says nothing", () => {
  expect<(typeof Said)["contract"]["methods"]["get"]["scope"]>().type.toBe<"principal">()
  const unsaid = Contract.method(shape)
  expect<(typeof unsaid)["scope"]>().type.toBe<undefined>()
  // In a table it may be anything, and counts as unsaid.
  expect<(typeof Unsaid)["contract"]["methods"]["get"]["scope"]>().type.toBeAssignableFrom<undefined>()
  // @ts-expect-error is not assignable to type
  Contract.method({ ...shape, scope: "user" })
})

test("nothing that keeps answers stands in the row of a method that does not say whose they are", () => {
  // @ts-expect-error the method 'get' does not say whose data it answers with, and its fallback keeps answers
  Unsaid.layer({ get: { policy, fallback: kept } })
  // @ts-expect-error the method 'get' does not say whose data it answers with, and its fallback keeps answers
  Unsaid.layer({ get: { policy, fallback: assumed } })
  const open = Fallback.when(stale, { reasons: ["CIRCUIT_OPEN"] })
  // @ts-expect-error the method 'get' does not say whose data it answers with, and its fallback keeps answers
  Unsaid.layer({ get: { policy, fallback: Fallback.chain(open, Fallback.value(0)) } })
  const anything: Fallback.Fallback<number, unknown, Exclude<Fallback.Mark, "partial" | "enqueues">> = Fallback.value(0)
  // @ts-expect-error the method 'get' does not say whose data it answers with, and its fallback keeps answers
  Unsaid.layer({ get: { policy, fallback: anything } })
  expect(Unsaid.layer).type.toBeCallableWith({ get: { policy, fallback: Fallback.value(0) } })
  expect(Said.layer).type.toBeCallableWith({ get: { policy, fallback: kept } })
  expect(Said.layer).type.toBeCallableWith({ get: { policy, fallback: assumed } })
})

test("a wider type of a fallback keeps as much as it may", () => {
  // @ts-expect-error is not assignable to type
  const harmless: Fallback.Fallback<number, unknown, "partial"> = stale
  void harmless
})
