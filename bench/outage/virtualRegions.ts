/** The essential downstream in regions, in virtual time: the ring and the failover of our build of the race. */
import { type Policy, Transport } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { knobs } from "./settings.ts"
import { Essential, type region } from "./virtualEssential.ts"

type Region = ReturnType<typeof region>["layer"]

/** A call of the ring with this policy, before two regions. */
export const inRegions = (policy: Policy.Policy, a: Region, b: Region) => {
  const regions = Transport.failover(
    Essential,
    { a, b },
    // Four fifths of an attempt, as the page on regions advises.
    { attempt: (knobs.attemptMillis * 4) / 5 }
  )
  // A read may be repeated, whatever the policy does; only its type does not say so here.
  const ring = Essential.layer({ get: { policy: policy as Policy.Policy<"replays"> } })
  return Effect.map(Layer.build(Layer.provide(ring, regions)), (context) =>
    Effect.provideContext(
      Essential.use((essential) => essential.get({})),
      context
    )
  )
}
