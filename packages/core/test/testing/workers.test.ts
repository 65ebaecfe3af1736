import { Fallback, Policy } from "@failsoft/core"
import { Draw, Fake, Fault, Player, Pump, Simulation, Traffic, Workers } from "@failsoft/core/testing"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import { assert, describe, it } from "vitest"
import { Stock } from "./shop.ts"

const run = <A, E>(effect: Effect.Effect<A, E>, options: Pump.Options = {}): A => {
  const ended = Pump.make(options).run(effect)
  if (ended._tag === "Ended" && Exit.isSuccess(ended.exit)) return ended.exit.value
  throw new Error(ended._tag === "Ended" ? String(ended.exit) : ended._tag)
}

const now = Clock.currentTimeMillis

/** Requests that come at their times, wait, work for their time, and may go away: when each began, and what it got. */
interface Asking {
  readonly at: number
  readonly millis: number
  readonly leavesAfter: number | undefined
}

interface Seen {
  beganAt: number | undefined
  endedAt: number | undefined
  got: "done" | "full" | "left" | undefined
}

const observed = (
  options: Workers.Options,
  there: (now: number) => number,
  asking: ReadonlyArray<Asking>,
  make: typeof Workers.make = Workers.make
) =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const from = clock.currentTimeMillisUnsafe()
    const elapsed = () => clock.currentTimeMillisUnsafe() - from
    const workers = yield* make(options, () => there(elapsed()))
    const seen = asking.map((): Seen => ({ beganAt: undefined, endedAt: undefined, got: undefined }))
    let tooMany = 0
    let longest = 0
    const ask = ({ at, leavesAfter, millis }: Asking, nth: number) =>
      Effect.gen(function* () {
        const own = seen[nth]
        if (own === undefined) return
        yield* Effect.sleep(at)
        const work = Effect.gen(function* () {
          own.beganAt = elapsed()
          tooMany = Math.max(tooMany, workers.busy() - there(elapsed()))
          yield* Effect.sleep(millis)
          own.endedAt = elapsed()
        })
        const waiting = yield* Effect.forkChild(
          workers.work(work).pipe(
            Effect.as("done" as const),
            Effect.catchTag("QueueFull", () => Effect.succeed("full" as const))
          )
        )
        longest = Math.max(longest, workers.waiting())
        if (leavesAfter !== undefined) yield* Effect.sleep(leavesAfter)
        own.got = leavesAfter === undefined || waiting.pollUnsafe() ? yield* Fiber.join(waiting) : "left"
        yield* Fiber.interrupt(waiting)
      })
    yield* Effect.forEach(asking, ask, { concurrency: "unbounded", discard: true })
    yield* Effect.sleep(60_000)
    return { seen, tooMany, longest, left: workers.busy() + workers.waiting() }
  }).pipe(Effect.scoped)

/** What workers are: a queue in its order, with an end; nobody works who is not there. */
const problemsOf = (seed: number, make?: typeof Workers.make): ReadonlyArray<string> => {
  const of = Draw.choices(seed)
  const options = { count: of.between(1, 4), queueMax: of.between(0, 5) }
  const away = { from: of.between(0, 300), until: of.between(300, 600), there: of.between(1, options.count) }
  const there = (at: number) => (at >= away.from && at < away.until ? away.there : options.count)
  const asking = Array.from({ length: 40 }, (_, nth) => ({
    // No two at the same moment, so that their order is plain.
    at: of.between(0, 60) * 10 + nth / 100,
    millis: of.between(1, 80),
    leavesAfter: of.chance(0.3) ? of.between(0, 50) : undefined
  }))
  const { left, longest, seen, tooMany } = run(observed(options, there, asking, make), {
    seed,
    preemption: of.pick([0, 0.1])
  })
  const inOrder = asking
    .map(({ at }, nth) => ({ at, began: seen[nth]?.beganAt }))
    .filter(({ began }) => began !== undefined)
    .sort((one, other) => one.at - other.at)
  const problems: Array<string> = []
  if (tooMany > 0) problems.push("somebody began without a worker")
  if (longest > options.queueMax) problems.push("the queue has an end")
  if (left > 0) problems.push("work was left over")
  for (const [nth, { began = 0 }] of inOrder.entries()) {
    if (began < (inOrder[nth - 1]?.began ?? 0)) problems.push("the queue has an order")
  }
  for (const { beganAt, endedAt, got } of seen) {
    if (got === "full" && beganAt !== undefined) problems.push("who was refused was worked for")
    if (got !== "full" && endedAt === undefined) problems.push("work was lost")
  }
  if (options.queueMax > 0 && !seen.some(({ got }) => got !== "full")) problems.push("all were refused")
  return problems
}

const seeds = Array.from({ length: 200 }, (_, nth) => nth + 1)

describe("workers", () => {
  it("work in the order of their queue, never more than are there, and lose nothing", () => {
    for (const seed of seeds) assert.deepStrictEqual(problemsOf(seed), [], `seed ${seed}`)
  })

  const planted: Readonly<Record<string, typeof Workers.make>> = {
    "nobody is ever away": (options) => Workers.make(options),
    "a queue without an end": (options, there) => Workers.make({ ...options, queueMax: 1000 }, there),
    "work that ends with its caller": (options, there) =>
      Effect.map(Workers.make(options, there), (workers) => ({
        ...workers,
        work: (work) =>
          Effect.suspend(() => {
            let gone = false
            const waits = workers.work(Effect.suspend(() => (gone ? Effect.interrupt : work)))
            return Effect.onInterrupt(waits, () =>
              Effect.sync(() => {
                gone = true
              })
            )
          })
      })),
    "the last comes first": (options, there) =>
      Effect.map(Workers.make({ ...options, queueMax: 0 }, there), (workers) => {
        const waiting: Array<Latch.Latch> = []
        const next = () => Effect.suspend(() => waiting.pop()?.open ?? Effect.void)
        const work: Workers.Workers["work"] = (work) =>
          Effect.suspend(() => {
            if (workers.busy() < (there?.() ?? options.count)) return Effect.ensuring(workers.work(work), next())
            if (waiting.length >= options.queueMax) return Effect.fail(new Workers.QueueFull())
            const latch = Latch.makeUnsafe()
            waiting.push(latch)
            return Effect.andThen(latch.await, Effect.ensuring(workers.work(work), next()))
          })
        return { ...workers, waiting: () => waiting.length, work }
      })
  }
  it.each(Object.keys(planted))("a planted bug is found: %s", (name) => {
    assert.isTrue(seeds.some((seed) => problemsOf(seed, planted[name]).length > 0))
  })

  it("refuse exactly whom the queue has no room for", () => {
    const at = (nth: number) => ({ at: nth, millis: 100, leavesAfter: undefined })
    const { seen } = run(observed({ count: 2, queueMax: 1 }, () => 2, [0, 1, 2, 3, 101, 102].map(at)))
    assert.deepStrictEqual(
      seen.map(({ beganAt, got }) => [got, beganAt]),
      [
        ["done", 0],
        ["done", 1],
        ["done", 100],
        ["full", undefined],
        ["done", 101],
        ["done", 200]
      ]
    )
  })

  it("go on when their caller goes away, and so does what waits", () => {
    const { seen } = run(
      observed({ count: 1, queueMax: 5 }, () => 1, [
        { at: 0, millis: 100, leavesAfter: 10 },
        { at: 1, millis: 100, leavesAfter: 10 },
        { at: 2, millis: 100, leavesAfter: undefined }
      ])
    )
    assert.deepStrictEqual(
      seen.map(({ endedAt, got }) => [got, endedAt]),
      [
        ["left", 100],
        ["left", 200],
        ["done", 300]
      ]
    )
  })

  it("who waits begins when workers come back, without anybody else asking", () => {
    const there = (at: number) => (at < 50 ? 1 : 2)
    const { seen } = run(
      observed({ count: 2, queueMax: 5 }, there, [
        { at: 0, millis: 500, leavesAfter: undefined },
        { at: 1, millis: 10, leavesAfter: undefined }
      ])
    )
    assert.closeTo(seen[1]?.beganAt ?? 0, 60, 11)
  })

  it("end with their scope", () => {
    const left = run(
      Effect.gen(function* () {
        const scoped = Effect.gen(function* () {
          const workers = yield* Workers.make({ count: 1, queueMax: 1 })
          const one = yield* Effect.forkDetach(workers.work(Effect.never))
          yield* Effect.sleep(1)
          return { one, workers }
        })
        const { one, workers } = yield* Effect.scoped(scoped)
        yield* Effect.sleep(1)
        return { busy: workers.busy(), ended: one.pollUnsafe() !== undefined }
      })
    )
    assert.deepStrictEqual(left, { busy: 0, ended: true })
  })
})

describe("a plan and the workers of a downstream", () => {
  const of = (fault: Fault.Fault & Partial<Fault.PlannedFault>, at: number, name = "stock") =>
    Player.make(
      { faults: [{ target: "stock", from: 1000, until: 2000, ...fault }] },
      { seed: 1, elapsedMillis: () => at }
    ).workers(name, 8)

  it.each([
    [
      "are all there before and after",
      { kind: "capacity", concurrent: 2 },
      [
        [999, 8],
        [1000, 2],
        [1999, 2],
        [2000, 8]
      ]
    ],
    ["are never more than there are", { kind: "capacity", concurrent: 20 }, [[1500, 8]]],
    [
      "come back one by one",
      { kind: "capacity", concurrent: 2, recoverMillis: 600 },
      [
        [2000, 2],
        [2099, 2],
        [2100, 3],
        [2599, 7],
        [2600, 8]
      ]
    ],
    [
      "warm up",
      { kind: "coldStart", millis: 1000 },
      [
        [1000, 1],
        [1500, 4],
        [1999, 8]
      ]
    ],
    ["are all there where one method is meant", { kind: "capacity", concurrent: 2, target: "stock/get" }, [[1500, 8]]],
    ["are all there where the first calls are meant", { kind: "capacity", concurrent: 2, first: 3 }, [[1500, 8]]],
    ["are all there under another fault", { kind: "hang" }, [[1500, 8]]]
  ] as const)("%s", (_, fault, expected) => {
    for (const [at, workers] of expected) assert.strictEqual(of(fault, at), workers, `at ${at}`)
  })

  it("is for a region by its name, and by that of all", () => {
    assert.strictEqual(of({ kind: "capacity", concurrent: 2 }, 1500, "stock.eu"), 2)
    assert.strictEqual(of({ kind: "capacity", concurrent: 2, target: "stock.us" }, 1500, "stock.eu"), 8)
  })

  it("refuses nobody by capacity where there are workers, and else does", () => {
    const player = Player.make(
      { faults: [{ kind: "capacity", concurrent: 1, target: "stock", from: 0, until: 10 }] },
      { seed: 1, elapsedMillis: () => 5 }
    )
    const tags = [false, true].map((hasWorkers) =>
      [1, 2].map((request) => {
        const { decision } = player.enter("stock", "get", request, hasWorkers)
        return decision._tag
      })
    )
    assert.deepStrictEqual(tags, [
      ["Serve", "Refuse"],
      ["Serve", "Serve"]
    ])
  })
})

describe("a fake with workers", () => {
  const fake = Fake.make(
    Stock,
    { get: () => 7 },
    { latency: { from: 100, to: 100 }, workers: { count: 2, queueMax: 1 } }
  )

  /** Four at once: how long each takes. */
  const four = (plan?: Fault.Plan) =>
    run(
      Effect.gen(function* () {
        const { layer } = yield* Fake.started(fake)
        const around =
          plan === undefined
            ? layer
            : Layer.provide(
                Fault.layer(Stock, plan, { workers: { count: 2, queueMax: 1 } }),
                yield* Effect.map(
                  Fake.started(Fake.make(Stock, { get: () => 7 }, { latency: { from: 100, to: 100 } })),
                  (of) => of.layer
                )
              )
        const once = Effect.gen(function* () {
          const { get } = yield* Stock.Transport
          const from = yield* now
          const got = yield* Effect.match(get({ sku: "a" }), {
            onSuccess: String,
            onFailure: (error) => ("cause" in error ? String(error.cause) : error._tag)
          })
          return `${got} ${(yield* now) - from}`
        })
        return yield* Effect.provide(Effect.all([once, once, once, once], { concurrency: "unbounded" }), around)
      })
    )

  it("answers two at once, lets one wait, and refuses the next", () => {
    assert.deepStrictEqual(four(), ["7 100", "7 100", "7 200", "destination_unavailable 0"])
  })

  it.each([
    [
      "less capacity",
      { kind: "capacity", concurrent: 1 },
      ["7 100", "7 200", "destination_unavailable 0", "destination_unavailable 0"]
    ],
    ["slowness", { kind: "slow", factor: 10 }, ["7 1000", "7 1000", "7 2000", "destination_unavailable 0"]]
  ] as const)("%s is its workers'", (_, fault, expected) => {
    assert.deepStrictEqual(four({ faults: [{ ...fault, target: "stock", from: 0, until: 10_000 }] }), [...expected])
  })

  it("goes on at its usual pace when the slowness is over", () => {
    const until = { kind: "slow", factor: 10, target: "stock", from: 0, until: 900 } as const
    // Nine tenths are done by then, and the last takes as long as ever.
    assert.deepStrictEqual(four({ faults: [until] }), ["7 910", "7 910", "7 1010", "destination_unavailable 0"])
  })

  it.each([
    ["nothing is slow", [], 0, 100],
    ["it ends before the slowness does", [{ factor: 3, until: 1000 }], 0, 300],
    ["the slowness ends first", [{ factor: 10, until: 500 }], 0, 550],
    ["the slowness is over", [{ factor: 10, until: 500 }], 500, 100],
    // 10 in the first 60 (6 times), 45 in the next 90 (twice), 45 more.
    [
      "one of two ends first",
      [
        { factor: 3, until: 60 },
        { factor: 2, until: 150 }
      ],
      0,
      195
    ]
  ] as const)("work takes its time where %s", (_, slow, at, millis) => {
    const met = { ...Player.well, slow }
    const took = run(
      Effect.gen(function* () {
        const start = yield* now
        yield* Effect.sleep(at)
        const elapsed = yield* Effect.clockWith((clock) =>
          Effect.succeed(() => clock.currentTimeMillisUnsafe() - start)
        )
        yield* Player.slowed(Effect.sleep(100), met, elapsed)
        return elapsed() - at
      })
    )
    assert.strictEqual(took, millis)
  })
})

describe("an outage that outlives its cause", { timeout: 60_000 }, () => {
  // Twenty workers, a tenth of a second each: 200 requests a second at most, asked for 130.
  const busy = Fake.make(
    Stock,
    { get: () => 7 },
    { latency: { from: 80, to: 120 }, workers: { count: 20, queueMax: 400 } }
  )
  const search = (policy: Policy.Policy<"replays">) =>
    Simulation.search({
      name: "metastable",
      layer: Stock.layer({ get: { policy, fallback: Fallback.value(0) } }),
      fakes: [busy],
      traffic: [Traffic.make("GET /stock", () => Stock.use((stock) => stock.get({ sku: "a" })), { perSecond: 130 })],
      deadline: "1 second",
      recovery: "5 seconds",
      faultsWithin: "4 seconds",
      runs: 5,
      shrinkRuns: 0
    })

  it("is found with retries without a budget, which feed it", () => {
    const storm = Policy.stack(Policy.deadline("1 second"), Policy.retry({ times: 2 }), Policy.timeout("250 millis"))
    const { found } = search(storm)
    assert.strictEqual(found?.judged.violation?.rule, "full quality is back in time")
    assert.strictEqual(found?.stage, "matrix")
  })

  it("is none with the standard policy", () => {
    const { found } = search(Policy.standard())
    assert.isUndefined(found?.judged.violation?.detail)
  })
})
