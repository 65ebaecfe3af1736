/**
 * Who sends a request. Fails closed: an outage is never an "allow", so no method
 * of it degrades.
 */
import { Contract, Downstream, Transient } from "@failsoft/core"
import * as Schema from "effect/Schema"

/** The token is nobody's. */
export class InvalidToken extends Schema.TaggedError<InvalidToken>()("InvalidToken", {}) {}

/** The identity service. */
export class Identity extends Downstream.Service<Identity>()(
  "@failsoft/examples/Identity",
  {
    verify: Contract.method({
      payload: Schema.Struct({ token: Schema.String }),
      success: Schema.Struct({ customerId: Schema.String }),
      transient: Transient.Transient,
      permanent: InvalidToken,
      idempotency: "safe",
      onOutage: "fail"
    })
  },
  {
    criticality: "essential",
    owner: "team-accounts",
    slo: { objective: 0.999, window: "30 days" },
    budget: "400 millis",
    docs: "https://runbooks.example/identity"
  }
) {}
