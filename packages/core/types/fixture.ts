/** One downstream with a method of each kind, for the type tests. */
import { Contract, Downstream, Transient } from "@failsoft/core"
import * as Schema from "effect/Schema"

export class Declined extends Schema.TaggedError<Declined>()("Declined", {}) {}
export class Undeclared extends Schema.TaggedError<Undeclared>()("Undeclared", {}) {}

const shape = {
  payload: Schema.Struct({ id: Schema.String }),
  success: Schema.Finite,
  transient: Transient.Transient,
  permanent: Declined
}

export class Shop extends Downstream.Service<Shop>()(
  "@failsoft/core/types/Shop",
  {
    show: Contract.method({ ...shape, idempotency: "safe", onOutage: "degrade", scope: "public" }),
    peek: Contract.method({ ...shape, idempotency: "safe", onOutage: "degrade-or-fail", scope: "principal" }),
    ask: Contract.method({ ...shape, idempotency: "safe", onOutage: "fail", scope: "public" }),
    charge: Contract.method({ ...shape, idempotency: "keyed", idempotencyKey: ({ id }) => id, onOutage: "fail" }),
    send: Contract.method({
      ...shape,
      idempotency: "keyed",
      idempotencyKey: ({ id }) => id,
      onOutage: "degrade",
      scope: "principal"
    }),
    shout: Contract.method({ ...shape, idempotency: "unsafe", onOutage: "fail" })
  },
  {
    criticality: "essential",
    owner: "nobody",
    slo: { objective: 0.99, window: "30 days" },
    budget: "2 seconds",
    docs: "https://example.com"
  }
) {}
