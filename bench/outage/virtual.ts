/**
 * The race in virtual time, for one policy around the essential downstream: no sockets
 * and no noise, the same in every run, a trace in a tenth of a second. The defaults are
 * tuned here; what it says is a hypothesis until the race over HTTP confirms it.
 */
import { Policy, Signal, Transient } from "@failsoft/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import { TestClock } from "effect/testing"
import { arrivals } from "./arrivals.ts"
import { exponential, randomFrom } from "./random.ts"
import { downstream, phases, weights } from "./settings.ts"
import { type Condition, conditionAt, type Region, type Trace } from "./traces.ts"
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

const stepMillis = 5

/** The station of `downstreams.ts`, with fibers for sockets. */
class Station {
  asked = 0
  workMillis = 0
  wastedMillis = 0
  private busy = 0
  private readonly queue: Array<(condition: Condition) => void> = []
  private readonly random: () => number
  private readonly trace: Trace
  private readonly region: Region
  private readonly fork: (effect: Effect.Effect<void>) => void

  constructor(trace: Trace, region: Region, seed: number, fork: (effect: Effect.Effect<void>) => void) {
    this.trace = trace
    this.region = region
    this.random = randomFrom(seed)
    this.fork = fork
  }

  readonly ask: Asked = Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const condition = conditionAt(this.trace, "essential", now, this.region)
    this.asked++
    if (condition.hangs) return Effect.never
    if (condition.refuses) return Effect.fail(new Transient.Transient({ cause: "connection_refused", applied: "no" }))
    if (condition.down) return this.unavailable
    if (condition.permanent !== undefined && this.random() < condition.permanent) {
      return Effect.succeed(Result.fail("gone" as const))
    }
    if (this.queue.length >= downstream.queueMax) return this.unavailable
    return Effect.callback<Result.Result<"fresh", "gone">, Transient.Transient>((resume) => {
      let gone = false
      this.queue.push((then) =>
        this.work(
          then,
          () => gone,
          (failed) => resume(failed ? this.unavailable : Effect.succeed(Result.succeed("fresh" as const)))
        )
      )
      this.next(condition)
      return Effect.sync(() => {
        gone = true
      })
    })
  })

  /** Workers that come back find the queue. */
  tick(now: number): void {
    this.next(conditionAt(this.trace, "essential", now, this.region))
  }

  private readonly unavailable = Effect.fail(
    new Transient.Transient({ cause: "http_response_status", applied: "unknown", status: 503 })
  )

  private next(condition: Condition): void {
    const all = this.region === "b" ? Math.ceil(downstream.workers / 2) : downstream.workers
    while (this.busy < Math.max(1, Math.round(all * (condition.workers ?? 1)))) {
      const begin = this.queue.shift()
      if (begin === undefined) return
      begin(condition)
    }
  }

  private work({ failing = 0, slow = 1 }: Condition, gone: () => boolean, done: (failed: boolean) => void): void {
    const millis = (downstream.fixedMillis + exponential(this.random, downstream.tailMillis)) * slow
    const failed = failing > 0 && this.random() < failing
    this.busy++
    this.fork(
      Effect.andThen(
        Effect.sleep(millis),
        Effect.map(Clock.currentTimeMillis, (now) => {
          this.busy--
          this.workMillis += millis
          if (gone()) this.wastedMillis += millis
          else done(failed)
          this.tick(now)
        })
      )
    )
  }
}

/** Runs a trace. */
/** Knobs of some policies, by their kind, that are turned before the first request. */
export type Turned = Readonly<Record<string, Policy.Facts>>

export const virtual = (trace: Trace, policy: Policy.Policy, seed: number, turned: Turned = {}): Promise<Worth> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<never>()
    const station = (region: Region) =>
      new Station(trace, region, seed, (effect) => void Effect.runForkWith(context)(effect))
    const stations = trace.regions ? [station("a"), station("b")] : [station("a")]
    const [first] = stations
    const row = { downstream: "essential", method: "get", bus: yield* Signal.Bus }
    const { intercept, parts } = yield* Policy.build(policy, row)
    for (const { instance, part } of parts) instance.assign(turned[part.kind] ?? {})
    const asked = arrivals(trace.load, phases.end, seed)
    const outcomes: Array<Worth["outcomes"][number]> = []
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
          Effect.flatMap((result) =>
            Effect.map(Clock.currentTimeMillis, (now) => {
              // A final "there is none" is the downstream's own word; a refusal is not.
              const full =
                Result.isSuccess(result) && (Result.isSuccess(result.success) || result.success.failure === "gone")
              outcomes.push({ at, millis: now - at, full })
            })
          )
        )
      )
    }
    for (let now = 0; now < phases.end + 4000; now += stepMillis) {
      yield* TestClock.adjust(stepMillis)
      for (const station of stations) station.tick(now)
    }
    const counted = outcomes.filter(({ at }) => at >= phases.countedFrom)
    const worth = counted.reduce((sum, { full }) => sum + (full ? weights.fresh : weights.stale), 0)
    const sum = (of: (station: Station) => number) => stations.reduce((total, station) => total + of(station), 0)
    return {
      goodput: worth / counted.length,
      amplification: sum((of) => of.asked) / asked.length,
      wasted:
        sum((of) => of.wastedMillis) /
        Math.max(
          1,
          sum((of) => of.workMillis)
        ),
      outcomes
    }
  }).pipe(Effect.scoped, Random.withSeed(`race ${seed}`), Effect.provide(TestClock.layer()), Effect.runPromise)
