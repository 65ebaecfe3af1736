/**
 * The race in virtual time, for one policy around the essential downstream: no sockets
 * and no noise, the same in every run, a trace in a tenth of a second. The defaults are
 * tuned here; what it says is a hypothesis until the race over HTTP confirms it.
 */
import { Policy, Signal } from "@failsoft/core"
import { Pump } from "@failsoft/core/testing"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import { arrivals } from "./arrivals.ts"
import { phases, weights } from "./settings.ts"
import type { Trace } from "./traces.ts"
import { asked, type Done, isFinal, region } from "./virtualEssential.ts"
import { inRegions } from "./virtualRegions.ts"

/** What a trace was worth under a policy. */
export interface Worth {
  readonly goodput: number
  /** Requests to the downstream per arrival. */
  readonly amplification: number
  readonly wasted: number
  /** As in the race. */
  readonly outcomes: ReadonlyArray<{ readonly at: number; readonly millis: number; readonly full: boolean }>
}

/** Knobs of some policies, by their kind, that are turned before the first request. */
export type Turned = Readonly<Record<string, Policy.Facts>>

/** Runs a trace. */
export const virtual = (trace: Trace, policy: Policy.Policy, seed: number, turned: Turned = {}): Worth => {
  const pump = Pump.make({ seed })
  const program = Effect.gen(function* () {
    const first = region(trace, "a", seed)
    const regions = trace.regions ? [first, region(trace, "b", seed)] : [first]
    const row = { downstream: "essential", method: "get", bus: yield* Signal.Bus }
    const { intercept, parts } = yield* Policy.build(policy, row)
    for (const { instance, part } of parts) instance.assign(turned[part.kind] ?? {})
    const arrived = arrivals(trace.load, phases.end, seed)
    const outcomes: Array<Worth["outcomes"][number]> = []
    const [, second] = regions
    const call: Effect.Effect<Result.Result<unknown, unknown>, unknown> = second === undefined
      ? intercept(yield* asked(first.layer))
      : Effect.map(yield* inRegions(policy, first.layer, second.layer), Result.succeed)
    for (const { at } of arrived) {
      yield* Effect.forkChild(
        Effect.sleep(at).pipe(
          Effect.andThen(Effect.result(call)),
          Effect.flatMap((result) => {
            // A final "there is none" is the downstream's own word; a refusal is not.
            const full =
              Result.isSuccess(result) && (Result.isSuccess(result.success) || isFinal(result.success.failure))
            return Effect.sync(() => outcomes.push({ at, millis: pump.elapsedMillis() - at, full }))
          })
        )
      )
    }
    yield* Effect.sleep(phases.end + 4000)
    const counted = outcomes.filter(({ at }) => at >= phases.countedFrom)
    const worth = counted.reduce((sum, { full }) => sum + (full ? weights.fresh : weights.stale), 0)
    const sum = (of: keyof Done) => regions.reduce((all, { done }) => all + done[of], 0)
    return {
      goodput: worth / counted.length,
      amplification: sum("asked") / arrived.length,
      wasted: sum("wastedMillis") / Math.max(1, sum("workMillis")),
      outcomes
    }
  })
  const ended = pump.run(program.pipe(Effect.scoped, Random.withSeed(`race ${seed}`)))
  if (ended._tag !== "Ended") throw new Error(`nobody goes on at ${ended.atMillis} ms`)
  return Exit.match(ended.exit, {
    onSuccess: (worth) => worth,
    onFailure: (cause) => {
      throw new Error(Cause.pretty(cause))
    }
  })
}
