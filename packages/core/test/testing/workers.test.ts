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
    let idleSince: number | undefined
    let idleMillis = 0
    const watching = Effect.gen(function* () {
      for (;;) {
        yield* Effect.sleep(1)
        const isIdle = workers.waiting() > 0 && workers.busy() < there(elapsed())
        if (!isIdle) idleSince = undefined
        else {
          idleSince ??= elapsed()
          idleMillis = Math.max(idleMillis, elapsed() - idleSince)
        }
      }
    })
    const watcher = yield* Effect.forkChild(watching)
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
    yield* Effect.sleep(10_000)
    yield* Fiber.interrupt(watcher)
    return { idleMillis, seen, tooMany, longest, left: workers.busy() + workers.waiting() }
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
  const { idleMillis, left, longest, seen, tooMany } = run(observed(options, there, asking, make), {
    seed,
    preemption: of.pick([0, 0.1])
  })
  const inOrder = asking
    .map(({ at }, nth) => ({ at, began: seen[nth]?.beganAt }))
    .filter(({ began }) => began !== undefined)
    .sort((one, other) => one.at - other.at)
  const problems: Array<string> = []
  // Who comes to look finds them within 20 ms.
  if (idleMillis > 21) problems.push("somebody waited beside a free worker")
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
    "nobody looks who has come back": (options, there) => {
      let known = options.count
      return Effect.map(
        Workers.make(options, () => known),
        (workers) => ({
          ...workers,
          work: (work) =>
            Effect.suspend(() => {
              known = there?.() ?? options.count
              return workers.work(work)
            })
        })
      )
    },
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

  it("come back for who has waited since before they went", () => {
    const there = (at: number) => (at >= 50 && at < 200 ? 1 : 2)
    const { seen } = run(
      observed({ count: 2, queueMax: 5 }, there, [
        { at: 0, millis: 5000, leavesAfter: undefined },
        { at: 1, millis: 100, leavesAfter: undefined },
        { at: 2, millis: 10, leavesAfter: undefined }
      ])
    )
    assert.closeTo(seen[2]?.beganAt ?? 0, 210, 11)
  })

  it("go through a long queue of short work", () => {
    const all = run(
      Effect.scoped(
        Effect.gen(function* () {
          const workers = yield* Workers.make({ count: 1, queueMax: 20_000 })
          const first = yield* Effect.forkChild(workers.work(Effect.sleep(1)))
          yield* Effect.sleep(0)
          const rest = Effect.forEach(Array.from({ length: 20_000 }), () => workers.work(Effect.void), {
            concurrency: "unbounded"
          })
          const done = yield* rest
          yield* Fiber.join(first)
          return done.length
        })
      )
    )
    assert.strictEqual(all, 20_000)
  })

  it("are a deadlock where nobody ever ends", () => {
    const ended = Pump.make().run(
      Effect.scoped(
        Effect.gen(function* () {
          const from = yield* now
          const clock = yield* Clock.Clock
          const workers = yield* Workers.make({ count: 2, queueMax: 5 }, () =>
            clock.currentTimeMillisUnsafe() - from < 100 ? 1 : 2
          )
          const never = workers.work(Effect.never)
          yield* Effect.all([never, never, never], { concurrency: "unbounded" })
        })
      )
    )
    assert.strictEqual(ended._tag, "Deadlock")
  })

  it.each([
    [0, 5],
    [-1, 5],
    [Number.NaN, 5],
    [1, -1]
  ])("are refused with a count of %s and a queue of %s", (count, queueMax) => {
    assert.throws(() => Workers.make({ count, queueMax }), /count of 1 or more/)
  })

  it("tell how long each piece of work took, and whether anybody waited for it", () => {
    const told: Array<readonly [number, boolean]> = []
    run(
      observed({ count: 1, queueMax: 5, onWorked: (millis, isWasted) => told.push([millis, isWasted]) }, () => 1, [
        { at: 0, millis: 100, leavesAfter: 10 },
        { at: 1, millis: 50, leavesAfter: undefined }
      ])
    )
    assert.deepStrictEqual(told, [
      [100, true],
      [50, false]
    ])
  })

  it("let go who waits when their scope ends, and take nobody then", () => {
    const seen = run(
      Effect.gen(function* () {
        const { late, waiting, workers } = yield* Effect.scoped(
          Effect.gen(function* () {
            const from = yield* now
            const clock = yield* Clock.Clock
            const workers = yield* Workers.make({ count: 2, queueMax: 1 }, () =>
              clock.currentTimeMillisUnsafe() - from < 100_000 ? 1 : 2
            )
            yield* Effect.forkDetach(workers.work(Effect.never))
            yield* Effect.sleep(1)
            const waiting = yield* Effect.forkDetach(workers.work(Effect.void))
            yield* Effect.sleep(1)
            return { waiting, workers, late: workers.work(Effect.succeed("worked")) }
          })
        )
        const exits = [yield* Fiber.await(waiting), yield* Effect.exit(late)]
        return { exits: exits.map((exit) => Exit.hasInterrupts<unknown, unknown>(exit)), waiting: workers.waiting() }
      })
    )
    assert.deepStrictEqual(seen, { exits: [true, true], waiting: 0 })
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
    ).employ(name, 8)()

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
    const tags = () => [1, 2].map((request) => player.enter("stock", "get", request).decision._tag)
    assert.deepStrictEqual(tags(), ["Serve", "Refuse"])
    player.employ("stock", 8)
    assert.deepStrictEqual(tags(), ["Serve", "Serve"])
  })

  it("closes the port behind what decides nothing about a call", () => {
    const during = { target: "stock", from: 0, until: 10 } as const
    const faults = [
      { kind: "slow", factor: 2, ...during },
      { kind: "capacity", concurrent: 1, ...during },
      { kind: "down", ...during }
    ] as const
    const player = Player.make({ faults }, { seed: 1, elapsedMillis: () => 5 })
    // Without workers the capacity wants to see the call.
    assert.isFalse(player.isDown("stock"))
    player.employ("stock", 8)
    assert.isTrue(player.isDown("stock"))
  })
})

describe("work that goes slower for a time", () => {
  const of = (factor: number, from: number, until: number) => ({ factor, from, until })

  it.each([
    ["nothing is slow", [], 0, 100],
    ["it ends before the slowness does", [of(3, 0, 1000)], 0, 300],
    ["the slowness ends first", [of(10, 0, 500)], 0, 550],
    ["the slowness is over", [of(10, 0, 500)], 500, 100],
    ["the slowness is to come", [of(10, 200, 500)], 0, 100],
    ["the slowness comes meanwhile", [of(10, 50, 10_000)], 0, 550],
    // 20 in the first 60 (3 times), 15 in the next 90 (6 times), 32.5 in 65 (twice), the rest as ever.
    ["two overlap", [of(3, 0, 150), of(2, 60, 215)], 0, 247.5]
  ] as const)("takes its time where %s", (_, slow, at, millis) => {
    assert.closeTo(Player.workMillis({ ...Player.well, slow }, 100, at), millis, 1e-9)
  })

  /** The same, a hundredth of a millisecond after the other. */
  const stepwise = (millis: number, from: number, slow: ReadonlyArray<Player.Slowness>): number => {
    const step = 0.01
    let at = from
    for (let left = millis; left > 0; at += step) {
      left -= step / slow.reduce((all, one) => (one.from <= at && at < one.until ? all * one.factor : all), 1)
    }
    return at - from
  }

  it("is what its pace sums up to, at any times", () => {
    for (const seed of seeds) {
      const draws = Draw.choices(seed)
      const slow = Array.from({ length: draws.between(0, 3) }, () => {
        const from = draws.between(0, 100) * 0.7
        return of(draws.pick([2, 3, 5]), from, from + draws.between(1, 100) * 0.9)
      })
      const at = draws.next() * 100
      const took = Player.workMillis({ ...Player.well, slow }, 20, at)
      assert.closeTo(took, stepwise(20, at, slow), 0.2, `seed ${seed}`)
    }
  })

  it("is exact where a slowness ends between two numbers that a machine can tell", () => {
    const slow = [of(5, 0, 1000), of(3, 0, 2000)]
    assert.closeTo(Player.workMillis({ ...Player.well, slow }, 100, 4.0822244530068446), 1096.7342, 1e-3)
  })

  it.each([
    ["comes while it lasts", 1500, 1000],
    ["came before it, and waited", 900, 1000],
    ["comes after it", 2000, 100]
  ] as const)("is the plan's for a call that %s", (_, at, millis) => {
    const faults = [{ kind: "slow", factor: 10, target: "stock", from: 1000, until: 5000 }] as const
    const late = [{ ...faults[0], until: 2000 }] as const
    const player = Player.make({ faults: at === 2000 ? late : faults }, { seed: 1, elapsedMillis: () => at })
    const met = player.enter("stock", "get", 1)
    assert.strictEqual(Player.workMillis(met, 100, Math.max(at, 1000)), millis)
    assert.deepStrictEqual(met.kinds, at === 1500 ? ["slow"] : [])
  })

  it("is that of the first calls only, and fades, where the plan says so", () => {
    let now = 0
    const slowOf = (fault: Partial<Fault.PlannedFault>) => {
      const player = Player.make(
        {
          faults: [{ kind: "slow", factor: 10, target: "stock", from: 100, until: 200, ...fault } as Fault.PlannedFault]
        },
        { seed: 1, elapsedMillis: () => now }
      )
      return (at: number, request: number) => {
        now = at
        return player.enter("stock", "get", request).slow.length
      }
    }
    const first = slowOf({ first: 1 })
    assert.deepStrictEqual([first(50, 1), first(100, 2), first(101, 3)], [0, 1, 0])
    const fading = slowOf({ recoverMillis: 1000 })
    const share = (at: number) => seeds.filter((request) => fading(at, request) > 0).length / seeds.length
    assert.isAbove(share(300), 0.8)
    assert.isBelow(share(1100), 0.2)
    assert.strictEqual(share(1200), 0)
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

  it("keeps its workers busy while they are slow: who comes later waits", () => {
    const plan = { faults: [{ kind: "slow", factor: 10, target: "stock", from: 0, until: 10_000 }] } as const
    const one = { workers: { count: 1, queueMax: 10 } }
    const took = run(
      Effect.gen(function* () {
        const { layer } = yield* Fake.started(Fake.make(Stock, { get: () => 7 }, { latency: { from: 100, to: 100 } }))
        const ask = (at: number) =>
          Effect.gen(function* () {
            const { get } = yield* Stock.Transport
            yield* Effect.sleep(at)
            const from = yield* now
            yield* get({ sku: "a" })
            return (yield* now) - from
          })
        return yield* Effect.provide(
          Effect.all([0, 100, 200].map(ask), { concurrency: "unbounded" }),
          Layer.provide(Fault.layer(Stock, plan, one), layer)
        )
      })
    )
    assert.deepStrictEqual(took, [1000, 1900, 2800])
  })

  it.each(["failAfter", "resetAfter", "partial", "garbled", "drip", "latency"] as const)(
    "who finds the queue full is refused, and not worked for, under %s too",
    (kind) => {
      const during = { target: "stock", from: 0, until: 10_000 } as const
      const fault: Fault.PlannedFault =
        kind === "failAfter"
          ? { kind, percent: 100, ...during }
          : kind === "latency"
            ? { kind, millis: 1, ...during }
            : { kind, ...during }
      const [, , , last] = four({ faults: [fault] })
      assert.match(last ?? "", /^destination_unavailable [01]$/)
    }
  )

  it("is the same for all who are given its layer", () => {
    const two = run(
      Effect.gen(function* () {
        const { layer } = yield* Fake.started(
          Fake.make(Stock, { get: () => 7 }, { workers: { count: 1, queueMax: 0 } })
        )
        const once = Effect.flatMap(Stock.Transport, ({ get }) => get({ sku: "a" })).pipe(
          Effect.match({ onSuccess: () => "answered", onFailure: () => "refused" }),
          Effect.provide(layer, { local: true })
        )
        return yield* Effect.all([once, once], { concurrency: "unbounded" })
      })
    )
    assert.deepStrictEqual(two, ["answered", "refused"])
  })

  it("does not blame the service for what the downstream has still to do", () => {
    const slow = Fake.make(
      Stock,
      { get: () => 7 },
      { latency: { from: 100, to: 100 }, workers: { count: 1, queueMax: 400 } }
    )
    const impatient = Policy.stack(Policy.deadline("1 second"), Policy.timeout("250 millis"))
    const { found } = Simulation.search({
      name: "impatient",
      layer: Stock.layer({ get: { policy: impatient, fallback: Fallback.value(0) } }),
      fakes: [slow],
      traffic: [Traffic.make("GET /stock", () => Stock.use((stock) => stock.get({ sku: "a" })), { perSecond: 50 })],
      deadline: "1 second",
      recovery: "1 second",
      faultsWithin: "2 seconds",
      runs: 1,
      shrinkRuns: 0,
      matrix: false
    })
    assert.isUndefined(found?.judged.violation?.detail)
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
