/** A downstream with a method of each kind, for the tests of rings and fallbacks. */
import { Contract, ContractViolation, Downstream, Transient } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export class Declined extends Schema.TaggedError<Declined>()("Declined", {}) {}

const shape = {
  payload: Schema.Struct({ id: Schema.String, tags: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)) }),
  success: Schema.Finite,
  transient: Transient.Transient,
  permanent: Declined
}

export const info = {
  criticality: "essential",
  owner: "nobody",
  slo: { objective: 0.99, window: "30 days" },
  budget: "2 seconds",
  docs: "https://example.com"
} as const

export class Shop extends Downstream.Service<Shop>()(
  "@failsoft/core/test/Shop",
  {
    show: Contract.method({ ...shape, idempotency: "safe", onOutage: "degrade", scope: "public" }),
    peek: Contract.method({ ...shape, idempotency: "safe", onOutage: "degrade-or-fail", scope: "public" }),
    charge: Contract.method({ ...shape, idempotency: "keyed", idempotencyKey: ({ id }) => id, onOutage: "fail" })
  },
  info
) {}

/** A method of the transport, with everything that it may do. */
export type Raw = (payload: {
  readonly id: string
}) => Effect.Effect<number, Transient.Transient | Declined | ContractViolation.ContractViolation>

export const raw = {
  answers: (() => Effect.succeed(7)) satisfies Raw,
  declines: (() => Effect.fail(new Declined())) satisfies Raw,
  violates: (() => Effect.fail(new ContractViolation.ContractViolation({ detail: "wrong shape" }))) satisfies Raw,
  refuses: (() => Effect.fail(new Transient.Transient({ cause: "connection_refused", applied: "no" }))) satisfies Raw,
  resets: (() =>
    Effect.fail(new Transient.Transient({ cause: "connection_terminated", applied: "unknown" }))) satisfies Raw,
  hangs: (() => Effect.never) satisfies Raw
}

/** A method whose behaviour the test changes. */
export const switchable = () => {
  const control: { now: Raw; asked: number } = { now: raw.answers, asked: 0 }
  const call: Raw = (payload) =>
    Effect.suspend(() => {
      control.asked++
      return control.now(payload)
    })
  return { control, call }
}
