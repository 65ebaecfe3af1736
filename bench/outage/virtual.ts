/**
 * The race in virtual time, for one policy around the essential downstream: no sockets
 * and no noise, the same in every run, a trace in a tenth of a second. The defaults are
 * tuned here; what it says is a hypothesis until the race over HTTP confirms it.
 */
import { Policy, Signal, Transient } from "@failsoft/core"
import { Player, Pump, Workers } from "@failsoft/core/testing"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import { arrivals } from "./arrivals.ts"
import { workMillis } from "./downstreams.ts"
import { randomFrom } from "./random.ts"
import { downstream, phases, weights } from "./settings.ts"
import { placeOf, type Region, type Trace, workersIn } from "./traces.ts"
import { type Asked, inRegions } from "./virtualRegions.ts"

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

const fresh = Result.succeed("fresh" as const)

const failed = (of: ConstructorParameters<typeof Transient.Transient>[0]) => Effect.fail(new Transient.Transient(of))
const unavailable = failed({ cause: "destination_unavailable", applied: "no", status: 503 })

/** The station of `downstreams.ts`, without sockets. */
const makeStation = (player: Player.Player, region: Region, seed: number) =>
  Effect.gen(function* () {
    const random = randomFrom(seed)
    const place = placeOf("essential", region)
    const count = workersIn(region)
    const workers = yield* Workers.make({ count, queueMax: downstream.queueMax }, () => player.workers(place, count))
    const done = { asked: 0, workMillis: 0, wastedMillis: 0 }

    const work = (met: Player.Met, gone: () => boolean) =>
      Effect.suspend(() => {
        const from = player.elapsedMillis()
        return Effect.map(Player.slowed(Effect.sleep(workMillis(random)), met, player.elapsedMillis), () => {
          const millis = player.elapsedMillis() - from
          done.workMillis += millis
          if (gone()) done.wastedMillis += millis
        })
      })

    const answer = (met: Player.Met, gone: () => boolean): Asked => {
      const worked = Effect.catchTag(workers.work(work(met, gone)), "QueueFull", () => unavailable)
      const { decision } = met
      switch (decision._tag) {
        case "Serve":
          return Effect.as(worked, fresh)
        case "FailAfter":
          return Effect.andThen(worked, failed({ cause: "destination_unavailable", applied: "unknown", status: 502 }))
        case "Refuse":
          return decision.status === 422 ? Effect.succeed(Result.fail("gone" as const)) : unavailable
        case "Unreachable":
          return failed({ cause: "connection_refused", applied: "no" })
        default:
          return Effect.never
      }
    }

    const ask: Asked = Effect.suspend(() => {
      let isGone = false
      done.asked++
      return Effect.onExit(
        answer(player.enter(place, "", -1, true), () => isGone),
        () =>
          Effect.sync(() => {
            isGone = true
            player.leave(place)
          })
      )
    })
    return { ask, done }
  })

/** Runs a trace. */
export const virtual = (trace: Trace, policy: Policy.Policy, seed: number, turned: Turned = {}): Worth => {
  const pump = Pump.make({ seed })
  const program = Effect.gen(function* () {
    const player = Player.make(trace.plan, { seed, elapsedMillis: pump.elapsedMillis })
    const regions: ReadonlyArray<Region> = trace.regions ? ["a", "b"] : ["a"]
    const stations = yield* Effect.forEach(regions, (region) => makeStation(player, region, seed))
    const row = { downstream: "essential", method: "get", bus: yield* Signal.Bus }
    const { intercept, parts } = yield* Policy.build(policy, row)
    for (const { instance, part } of parts) instance.assign(turned[part.kind] ?? {})
    const asked = arrivals(trace.load, phases.end, seed)
    const outcomes: Array<Worth["outcomes"][number]> = []
    const [first] = stations
    const call: Effect.Effect<Result.Result<unknown, unknown>, unknown> = trace.regions
      ? yield* inRegions(
          policy,
          stations.map(({ ask }) => ask)
        )
      : intercept(first?.ask ?? Effect.never)
    for (const { at } of asked) {
      yield* Effect.forkChild(
        Effect.sleep(at).pipe(
          Effect.andThen(Effect.result(call)),
          Effect.flatMap((result) => {
            // A final "there is none" is the downstream's own word; a refusal is not.
            const full =
              Result.isSuccess(result) && (Result.isSuccess(result.success) || result.success.failure === "gone")
            return Effect.sync(() => outcomes.push({ at, millis: pump.elapsedMillis() - at, full }))
          })
        )
      )
    }
    yield* Effect.sleep(phases.end + 4000)
    const counted = outcomes.filter(({ at }) => at >= phases.countedFrom)
    const worth = counted.reduce((sum, { full }) => sum + (full ? weights.fresh : weights.stale), 0)
    const sum = (of: keyof (typeof stations)[number]["done"]) => stations.reduce((all, { done }) => all + done[of], 0)
    return {
      goodput: worth / counted.length,
      amplification: sum("asked") / asked.length,
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
