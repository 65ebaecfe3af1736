/**
 * Who sends a request. What somebody may do fails closed: an outage is never an "allow",
 * so `verify` does not degrade. The keys that identity signs with change seldom and may
 * be a little old, for those who only read what is theirs.
 */
import { Contract, Downstream, Transient } from "@failsoft/core"
import * as Schema from "effect/Schema"
import { JwkSet } from "./JwkSet.ts"

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
    }),
    keys: Contract.method({
      payload: Schema.Struct({}),
      success: JwkSet,
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "safe",
      // There is no stand-in for a key: keys that were never seen, or too long ago, are an outage.
      onOutage: "degrade-or-fail",
      scope: "public"
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
