/**
 * The downstreams of one build: the kit's servers that fail by a plan, with a number of
 * workers and a queue with an end. A worker finishes what it has begun, whether its
 * caller is still there or not, as most servers do: what nobody waits for any more is
 * wasted work.
 */
import { Player } from "@failsoft/core/testing/faults"
import { FaultServer } from "@failsoft/http/testing"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { exponential, randomFrom } from "./random.ts"
import { downstream, type Name, names, type Origins, type Reply } from "./settings.ts"
import { placeOf, type Region, type Trace, workersIn } from "./traces.ts"

/** A plan that has begun. */
interface Begun {
  readonly trace: Trace
  /** By the clock on the wall, which all processes share. */
  readonly startAt: number
}

const regionsOf = (name: Name): ReadonlyArray<Region> => (name === "essential" ? ["a", "b"] : ["a"])

/** What a worker is busy for, in milliseconds, when nothing is wrong. */
export const workMillis = (random: () => number): number =>
  downstream.fixedMillis + exponential(random, downstream.tailMillis)

const replyTo = (url = ""): FaultServer.Reply => {
  const sku = url.slice(url.lastIndexOf("/") + 1)
  const reply: Reply = { sku, value: sku.length }
  return { status: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(reply) }
}

/** One region of a downstream. */
const station = (name: Name, region: Region) =>
  Effect.gen(function* () {
    let random = randomFrom(1)
    const server = yield* FaultServer.make({
      downstream: placeOf(name, region),
      workers: { count: workersIn(region), queueMax: downstream.queueMax },
      answer: ({ request }) =>
        Effect.suspend(() => Effect.delay(Effect.succeed(replyTo(request.url)), workMillis(random)))
    })
    let before = server.done()
    const idle = Effect.repeat(
      Effect.sync(() => server.load()),
      { until: ({ busy, waiting }) => busy + waiting === 0, schedule: Schedule.spaced("50 millis") }
    )
    return {
      name,
      url: server.url,
      begin: (player: Player.Player | undefined, seed: number) =>
        Effect.suspend(() => {
          random = randomFrom(seed)
          before = server.done()
          return server.play(player)
        }),
      /** What it has done since it began, once nothing is left to do. */
      counts: Effect.map(idle, (): FaultServer.Done => {
        const { received, wastedMillis, workMillis } = server.done()
        return {
          received: received - before.received,
          workMillis: workMillis - before.workMillis,
          wastedMillis: wastedMillis - before.wastedMillis
        }
      })
    }
  })

/** All downstreams of one build; they end with the process. */
export const listen = async () => {
  const stations = await Effect.runPromise(
    Effect.forEach(names, (name) => Effect.forEach(regionsOf(name), (region) => station(name, region))).pipe(
      Effect.map((of) => of.flat()),
      Scope.provide(Scope.makeUnsafe())
    )
  )
  const urlsOf = (name: Name) => stations.filter((of) => of.name === name).map(({ url }) => url)
  const origins: Origins = {
    essential: urlsOf("essential"),
    degradable: urlsOf("degradable"),
    optional: urlsOf("optional")
  }
  return {
    origins,
    /** Begins a trace, or ends the last one: then nothing is wrong. */
    begin: (begun: Begun | undefined, seed: number): Promise<unknown> =>
      Effect.runPromise(
        Effect.gen(function* () {
          const player = begun && (yield* Player.start(begun.trace.plan, { seed, startedAt: begun.startAt }))
          yield* Effect.forEach(stations, (of, nth) => of.begin(player, seed + nth))
        })
      ),
    counts: (name: Name): Promise<FaultServer.Done> =>
      Effect.runPromise(
        Effect.map(
          Effect.forEach(
            stations.filter((of) => of.name === name),
            ({ counts }) => counts
          ),
          (all) =>
            all.reduce((sum, of) => ({
              received: sum.received + of.received,
              workMillis: sum.workMillis + of.workMillis,
              wastedMillis: sum.wastedMillis + of.wastedMillis
            }))
        )
      )
  }
}
