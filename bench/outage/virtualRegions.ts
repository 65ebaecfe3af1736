/** The essential downstream in regions, in virtual time: the ring and the failover of our build of the race. */
import { Contract, Downstream, type Policy, Transient, Transport, type Unavailable } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { knobs } from "./settings.ts"

/** What a station says to a request. */
export type Asked = Effect.Effect<Result.Result<"fresh", "gone">, Transient.Transient>

class Gone extends Schema.TaggedError<Gone>()("Gone", {}) {}

class Essential extends Downstream.Service<Essential>()(
  "@failsoft/bench/virtual/Essential",
  {
    get: Contract.method({
      payload: Schema.Struct({}),
      success: Schema.Literal("fresh"),
      transient: Transient.Transient,
      permanent: Gone,
      idempotency: "safe",
      onOutage: "fail"
    })
  },
  {
    criticality: "essential",
    owner: "bench",
    slo: { objective: 0.99, window: "30 days" },
    budget: "2 seconds",
    docs: "https://example.com"
  }
) {}

const transport = (ask: Asked) =>
  Essential.transport({
    get: () =>
      Effect.flatMap(ask, (result) => (Result.isSuccess(result) ? Effect.succeed("fresh" as const) : new Gone()))
  })

const asked = Essential.use((essential) => Effect.result(essential.get({}))).pipe(
  Effect.flatMap((result): Effect.Effect<Result.Result<"fresh", "gone">, Unavailable.Unavailable> => {
    if (Result.isSuccess(result)) return Effect.succeed(Result.succeed("fresh"))
    return result.failure instanceof Gone ? Effect.succeed(Result.fail("gone")) : Effect.fail(result.failure)
  })
)

/** A call of the ring with this policy, before the stations of two regions. */
export const inRegions = (policy: Policy.Policy, [a = Effect.never, b = Effect.never]: ReadonlyArray<Asked>) => {
  const regions = Transport.failover(
    Essential,
    { a: transport(a), b: transport(b) },
    // Four fifths of an attempt, as the page on regions advises.
    { attempt: (knobs.attemptMillis * 4) / 5 }
  )
  // A read may be repeated, whatever the policy does; only its type does not say so here.
  const ring = Essential.layer({ get: { policy: policy as Policy.Policy<"replays"> } })
  return Effect.map(Layer.build(Layer.provide(ring, regions)), (context) => Effect.provideContext(asked, context))
}
