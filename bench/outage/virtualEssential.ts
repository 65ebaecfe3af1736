/** The essential downstream in virtual time: what a worker does, and the plan of a trace around it. */
import { Contract, ContractViolation, Downstream, Transient } from "@failsoft/core"
import { Fault } from "@failsoft/core/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { workMillis } from "./downstreams.ts"
import { randomFrom } from "./random.ts"
import { downstream } from "./settings.ts"
import { type Region, type Trace, workersIn } from "./traces.ts"

export class Essential extends Downstream.Service<Essential>()(
  "@failsoft/bench/virtual/Essential",
  {
    get: Contract.method({
      payload: Schema.Struct({}),
      success: Schema.Literal("fresh"),
      transient: Transient.Transient,
      permanent: Schema.Never,
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

/** What is asked of a region, and done there. */
export interface Done {
  asked: number
  workMillis: number
  wastedMillis: number
}

/** One region, behind the plan of a trace, and what it has done. */
export const region = (trace: Trace, of: Region, seed: number) => {
  const random = randomFrom(seed)
  const done: Done = { asked: 0, workMillis: 0, wastedMillis: 0 }
  const faults = Fault.layer(Essential, trace.plan, {
    seed,
    region: of,
    workers: {
      count: workersIn(of),
      queueMax: downstream.queueMax,
      onWorked: (millis, isWasted) => {
        done.workMillis += millis
        if (isWasted) done.wastedMillis += millis
      }
    }
  })
  const counted = Layer.effect(
    Essential.Transport,
    Effect.map(Essential.Transport, ({ get }) => ({
      get: (payload: Record<never, never>) =>
        Effect.suspend(() => {
          done.asked++
          return get(payload)
        })
    }))
  )
  const works = Essential.transport({
    get: () => Effect.suspend(() => Effect.as(Effect.sleep(workMillis(random)), "fresh" as const))
  })
  return { done, layer: counted.pipe(Layer.provide(faults), Layer.provide(works)) }
}

/** A final "there is none" is the downstream's own word. */
export const isFinal = (error: unknown): boolean => ContractViolation.isContractViolation(error) && error.status === 422

/** A call of a region as policies see it. */
export const asked = (layer: ReturnType<typeof region>["layer"]) =>
  Effect.map(Layer.build(layer), (context) =>
    Effect.provideContext(
      Effect.flatMap(Essential.Transport, ({ get }) => get({})),
      context
    ).pipe(
      Effect.map(Result.succeed),
      Effect.catchTag("ContractViolation", (error) => Effect.succeed(Result.fail(error)))
    )
  )
