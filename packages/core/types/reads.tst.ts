import { Contract, Transient } from "@failsoft/core"
import * as Schema from "effect/Schema"
import { expect, test } from "tstyche"

const shape = {
  payload: Schema.Struct({ id: Schema.String }),
  success: Schema.Finite,
  transient: Transient.Transient,
  permanent: Schema.Never,
  onOutage: "degrade-or-fail",
  scope: "public"
} as const
const key = ({ id }: { readonly id: string }) => id

test("a safe method may promise monotonic reads, in an outage that it bears or not", () => {
  const safe = Contract.method({ ...shape, idempotency: "safe", reads: "monotonic" })
  expect<(typeof safe)["reads"]>().type.toBe<"monotonic" | undefined>()
  expect(
    Contract.method({ ...shape, idempotency: "safe", onOutage: "fail", reads: "monotonic" })
  ).type.toBeAssignableTo<Contract.Method>()
  expect(Contract.method({ ...shape, idempotency: "safe" })).type.toBeAssignableTo<Contract.Method>()
})

test("a write has nothing to read monotonically", () => {
  // @ts-expect-error only a safe method has monotonic reads
  Contract.method({ ...shape, idempotency: "unsafe", reads: "monotonic" })
  // @ts-expect-error only a safe method has monotonic reads
  Contract.method({ ...shape, idempotency: "keyed", idempotencyKey: key, reads: "monotonic" })
})

test("there is no other promise", () => {
  // @ts-expect-error is not assignable to type
  Contract.method({ ...shape, idempotency: "safe", reads: "linearizable" })
})
