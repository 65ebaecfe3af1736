/** What else the customer may like: nice to have, and the first to go. */
import { Contract, Downstream, Transient } from "@failsoft/core"
import * as Schema from "effect/Schema"

/** A sku with the name to show. */
export const Recommended = Schema.Struct({ sku: Schema.String, name: Schema.String })

/** The recommendations service. */
export class Recommendations extends Downstream.Service<Recommendations>()(
  "@failsoft/examples/Recommendations",
  {
    forUser: Contract.method({
      payload: Schema.Struct({ userId: Schema.String }),
      success: Schema.Array(Recommended),
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "safe",
      onOutage: "degrade",
      scope: "principal"
    })
  },
  {
    criticality: "optional",
    owner: "team-discovery",
    slo: { objective: 0.95, window: "30 days" },
    budget: "300 millis",
    docs: "https://runbooks.example/recommendations"
  }
) {}
