/** What an adaptive limit does at its start, after an outage, and before a downstream that becomes slower by itself. */
import { assert, describe, it } from "vitest"
import { Concurrency, type ConcurrencyValues } from "../src/internal/concurrency.ts"
import { Permits } from "../src/internal/permits.ts"
import { exponential, rowWith, simulate, type World } from "./queueing.ts"

type Make = new (values: ConcurrencyValues) => Concurrency
type Told = Parameters<Concurrency["ended"]>

/** Its limit is never halved to measure the base anew. */
class WithoutMeasuring extends Concurrency {
  override ended(...told: Told): void {
    Reflect.set(this, "heldBack", 0)
    super.ended(...told)
  }
}

/** It takes its steps from where it is, at the start and after drops. */
class WithoutDoubling extends Concurrency {
  override ended(...told: Told): void {
    Reflect.set(this, "doubleTo", 0)
    super.ended(...told)
    Reflect.set(this, "doubleTo", 0)
  }
}

/** A drop leaves it where it was to double to. */
class WithoutThreshold extends Concurrency {
  override ended(...told: Told): void {
    Reflect.set(this, "doubleTo", 400)
    super.ended(...told)
  }
}

/** It grows as soon as half of it is in use, as those do that it was made after. */
class WithoutNeed extends Concurrency {
  override ended(...[verdict, now, startedAt, running]: Told): void {
    super.ended(verdict, now, startedAt, running * 2 >= this.permits ? Math.max(running, this.permits) : running)
  }
}

/** It doubles also where it was full for a moment only. */
class AtAnyMoment extends Concurrency {
  override ended(...told: Told): void {
    Reflect.set(this, "full", Number.POSITIVE_INFINITY)
    super.ended(...told)
  }
}

/** The limit before a downstream: its size every 100 ms, and the share that it refused in a stretch of time. */
const before = (
  Limit: Make,
  algorithm: string,
  world: Pick<World, "rate" | "workers" | "serviceMillis" | "untilMillis"> & Partial<World>
) => {
  const limit = new Limit({ algorithm, limitMin: 4, limitMax: 400, limitInitial: 20 })
  const permits = new Permits(
    {
      policy: "adaptiveLimit",
      full: "CONCURRENCY_LIMITED",
      late: "CONCURRENCY_LIMITED",
      permits: () => limit.permits,
      queueMax: () => 20,
      waitMillis: () => 50,
      order: () => "fifo",
      mode: () => "on"
    },
    1
  )
  const sizes: Array<readonly [at: number, limit: number]> = []
  const arrivals = simulate({
    seed: 1,
    row: rowWith([]),
    gate: {
      enter: (attempt) => permits.enter(attempt),
      leave: (_, token, verdict, now, startedAt) => {
        limit.ended(verdict, now, startedAt, permits.running)
        permits.leave(token)
      },
      abandon: (attempt, ticket) => permits.abandon(attempt, ticket)
    },
    look: { everyMillis: 100, at: (at) => sizes.push([at, limit.limit]) },
    ...world
  })
  const refused = (from: number, until: number) => {
    const here = arrivals.filter(({ at }) => at >= from && at < until)
    return here.filter(({ ended }) => ended === "refused").length / here.length
  }
  const most = Math.max(...sizes.map(([, of]) => of))
  const least = (from: number, until: number) =>
    Math.min(...sizes.filter(([at]) => at >= from && at < until).map(([, of]) => of))
  const overloaded = (from: number, until: number) =>
    arrivals.filter(({ at, ended }) => at >= from && at < until && ended === "overloaded").length
  return { refused, least, most, overloaded }
}

const service: World["serviceMillis"] = (random) => exponential(random, 50)

/** A new process before two hundred workers under 60 % of their load. */
const start = (Limit: Make, algorithm: string, seed: number) =>
  before(Limit, algorithm, {
    seed,
    rate: () => 2400,
    workers: () => 200,
    serviceMillis: service,
    untilMillis: 5000
  }).refused(0, 2000)

/** Nothing answers from 10 s to 20 s. */
const outage = (Limit: Make, algorithm: string) =>
  before(Limit, algorithm, {
    rate: () => 1200,
    workers: () => 100,
    timeoutMillis: 250,
    serviceMillis: (random, now) => (now > 10_000 && now < 20_000 ? 20_001 - now : service(random, now)),
    untilMillis: 25_000
  }).refused(21_000, 25_000)

/** How large it gets before fifty workers of whom about five are busy, now and then ten, and never twenty. */
const quiet = (Limit: Make, algorithm: string) =>
  before(Limit, algorithm, {
    rate: () => 100,
    workers: () => 50,
    serviceMillis: () => 50,
    untilMillis: 20_000
  }).most

/** How large it gets before eight workers under 80 % of their load, with ten more at once now and then. */
const busy = (Limit: Make, algorithm: string, seed: number) =>
  before(Limit, algorithm, {
    seed,
    rate: (now) => (now % 1400 < 25 ? 400 : 29),
    workers: () => 8,
    serviceMillis: (random) => 140 + exponential(random, 40),
    untilMillis: 20_000
  }).most

/** What a downstream for eighty that says "too much" at once gets beyond that, per second. */
const tooMuch = (Limit: Make, algorithm: string) =>
  before(Limit, algorithm, {
    rate: () => 3000,
    workers: () => 80,
    overloadedMillis: 2,
    serviceMillis: service,
    untilMillis: 20_000
  }).overloaded(5000, 20_000) / 15

/** From 10 s on each call takes three times as long, and there are workers enough. */
const slower = (Limit: Make, algorithm: string) => {
  const { least, refused } = before(Limit, algorithm, {
    rate: () => 400,
    workers: () => 200,
    serviceMillis: (random, now) => (now > 10_000 ? 150 : 50) * (0.8 + 0.4 * random()),
    untilMillis: 40_000
  })
  return { least: least(10_000, 40_000), refused: refused(20_000, 40_000) }
}

describe("the two ways", () => {
  it("are two: where times grow fourfold the gradient takes a tenth of the limit at a time, vegas a step", () => {
    const falls = (algorithm: string) => {
      const limit = new Concurrency({ algorithm, limitMin: 4, limitMax: 400, limitInitial: 100 })
      let now = 0
      const window = (millis: number) => {
        now += 1000
        for (let nth = 0; nth < 64; nth++) limit.ended("answered", now, now - millis, limit.permits)
        return limit.permits
      }
      for (let nth = 0; nth < 3; nth++) window(50)
      return Array.from({ length: 6 }, () => window(200))
    }
    assert.deepStrictEqual(falls("vegas"), [397, 394, 392, 389, 387, 384])
    assert.deepStrictEqual(falls("gradient"), [372, 339, 308, 281, 256, 234])
  })
})

describe.each(["gradient", "vegas"])("the %s limit", (algorithm) => {
  it.each([1, 2, 3, 4, 5])("finds the size for a new process within a second or so (seed %i)", (seed) => {
    assert.isBelow(start(Concurrency, algorithm, seed), 0.1)
    // The planted bug.
    assert.isAbove(start(WithoutDoubling, algorithm, seed), 0.4)
  })

  it("is back within a second after an outage", () => {
    assert.isBelow(outage(Concurrency, algorithm), 0.02)
    // The planted bug.
    assert.isAbove(outage(WithoutDoubling, algorithm), 0.2)
  })

  it("does not grow where it holds nobody back: a burst would find no limit", () => {
    assert.strictEqual(quiet(Concurrency, algorithm), 20)
    // The planted bug.
    assert.isAbove(quiet(WithoutNeed, algorithm), 25)
  })

  it("does not double for a burst, which fills it for a moment only", () => {
    const seeds = [1, 2, 3, 4, 5, 6, 7, 8]
    const sum = (Limit: Make) => seeds.reduce((total, seed) => total + busy(Limit, algorithm, seed), 0) / seeds.length
    assert.isBelow(sum(Concurrency), 25)
    // The planted bug.
    assert.isAbove(sum(AtAnyMoment), 35)
  })

  it("stays near what a downstream bears that refuses the rest at once, in short times", () => {
    assert.isBelow(tooMuch(Concurrency, algorithm), 150)
    // The planted bug.
    assert.isAbove(tooMuch(WithoutThreshold, algorithm), 400)
  })

  it("stays above its floor before a downstream that has become slower by itself, and follows it", () => {
    const found = slower(Concurrency, algorithm)
    assert.isAbove(found.least, 20)
    assert.isBelow(found.refused, 0.01)
    // The planted bug.
    const blind = slower(WithoutMeasuring, algorithm)
    assert.isBelow(blind.least, 10)
    assert.isAbove(blind.refused, 0.5)
  })

  it.each([
    ["the size that it began with: three quarters of it are back at once", [20], 10, 15],
    ["a size that it has doubled to: half of it was enough", [20, 40, 80], 40, 40]
  ] as const)("takes a drop at %s", (_, sizes, left, back) => {
    const limit = new Concurrency({ algorithm, limitMin: 4, limitMax: 400, limitInitial: 20 })
    let now = 0
    /** It is full, and all calls end so, until it has moved. */
    const moved = (verdict: "answered" | "timedOut") => {
      const before = limit.permits
      for (let nth = 0; nth < 10 && limit.permits === before; nth++) {
        now += 100
        for (let running = before; running > 0 && limit.permits === before; running--) {
          limit.ended(verdict, now, now - 100, before)
        }
      }
      return limit.permits
    }
    const [, ...doublings] = sizes
    for (const size of doublings) assert.strictEqual(moved("answered"), size)
    assert.strictEqual(moved("timedOut"), left)
    const after = moved("answered")
    assert.isAtLeast(after, back)
    // From there it takes steps.
    assert.isBelow(after, back + 4)
  })

  it("does not double for what fills it for a moment in every other window, however often", () => {
    const limit = new Concurrency({ algorithm, limitMin: 4, limitMax: 400, limitInitial: 20 })
    /** Of the answers of a window, a few in its middle came while it was full. */
    const window = (at: number, full: number) => {
      for (let nth = 0; nth < 64; nth++) {
        const running = nth >= 20 && nth < 20 + full ? limit.permits : 1
        limit.ended("answered", at + nth, at + nth - 50, running)
      }
    }
    let jump = 0
    for (let nth = 0; nth < 40; nth++) {
      const before = limit.permits
      window(nth * 500, nth % 2 === 0 ? 3 : 0)
      jump = Math.max(jump, limit.permits - before)
    }
    assert.isBelow(jump, 5)
  })

  it("has back at once what drops took, where it is full for a moment only", () => {
    const limit = new Concurrency({ algorithm, limitMin: 4, limitMax: 400, limitInitial: 20 })
    for (let running = 40; running > 0; running--) limit.ended("timedOut", 100, 0, running)
    const left = limit.permits
    assert.isAtMost(left, 10)
    for (let nth = 0; nth < 90; nth++) limit.ended("answered", 200 + nth, 150 + nth, nth === 25 ? left : 1)
    assert.isAtLeast(limit.permits, left * 1.5)
  })

  it("doubles where it was full in two windows in a row, for a moment in each", () => {
    const limit = new Concurrency({ algorithm, limitMin: 4, limitMax: 400, limitInitial: 20 })
    for (let nth = 0; nth < 400; nth++)
      limit.ended("answered", nth * 5, nth * 5 - 50, nth % 8 === 0 ? limit.permits : 1)
    assert.isAtLeast(limit.permits, 80)
  })

  it("is full for all who come back together with the one that saw it", () => {
    const limit = new Concurrency({ algorithm, limitMin: 4, limitMax: 400, limitInitial: 20 })
    // A window of twenty at once, twice, of whom only the first sees all of them running.
    for (let nth = 0; nth < 2; nth++) {
      for (let running = 20; running > 0; running--) limit.ended("answered", 1000, 950, running)
    }
    assert.strictEqual(limit.permits, 40)
  })

  it("is not doubled by any touch where calls take less than a millisecond", () => {
    const limit = new Concurrency({ algorithm, limitMin: 4, limitMax: 400, limitInitial: 20 })
    for (let nth = 0; nth < 20_000; nth++) limit.ended("answered", nth, nth, nth % 500 === 250 ? limit.permits : 1)
    assert.isBelow(limit.permits, 100)
  })

  it("does not double for bursts an hour apart", () => {
    const limit = new Concurrency({ algorithm, limitMin: 4, limitMax: 400, limitInitial: 20 })
    let jump = 0
    for (let hour = 0; hour < 10; hour++) {
      const before = limit.permits
      for (let nth = 0; nth < 120; nth++) {
        const at = hour * 3_600_000 + nth * 5
        limit.ended("answered", at, at - 50, nth >= 60 && nth < 63 ? limit.permits : 1)
      }
      jump = Math.max(jump, limit.permits - before)
    }
    assert.isBelow(jump, 8)
  })

  it("is full since it was full again, where the clock was set back", () => {
    const limit = new Concurrency({ algorithm, limitMin: 4, limitMax: 400, limitInitial: 20 })
    const full = (from: number) => {
      for (let nth = 0; nth < 400; nth++)
        limit.ended("answered", from + nth * 5, from + nth * 5 - 50, nth % 8 === 0 ? limit.permits : 1)
    }
    for (let nth = 0; nth < 10; nth++) limit.ended("answered", 10_000_000 + nth, 10_000_000 + nth - 50, limit.permits)
    full(1000)
    assert.isAtLeast(limit.permits, 80)
  })

  it("learns from the last of two calls that overlapped, though it ended alone", () => {
    const limit = new Concurrency({ algorithm, limitMin: 4, limitMax: 400, limitInitial: 20 })
    for (let nth = 0; nth < 100; nth++) {
      limit.ended("timedOut", nth * 500 + 250, nth * 500, 2)
      limit.ended("timedOut", nth * 500 + 300, nth * 500 + 50, 1)
    }
    const both = limit.permits
    assert.strictEqual(both, 4)
    const answered = new Concurrency({ algorithm, limitMin: 4, limitMax: 400, limitInitial: 20 })
    for (let nth = 0; nth < 100; nth++) {
      answered.ended("aborted", nth * 500 + 250, nth * 500, 2)
      answered.ended("timedOut", nth * 500 + 300, nth * 500 + 50, 1)
    }
    assert.strictEqual(answered.permits, 4)
  })

  it("learns nothing from the timeout of a call that was alone, and much from those of two", () => {
    const after = (atOnce: number) => {
      const limit = new Concurrency({ algorithm, limitMin: 4, limitMax: 400, limitInitial: 20 })
      for (let nth = 0; nth < 100; nth++) {
        const now = (nth + 1) * 250
        for (let running = atOnce; running > 0; running--) limit.ended("timedOut", now, now - 250, running)
      }
      return limit.permits
    }
    assert.strictEqual(after(1), 20)
    assert.strictEqual(after(2), 4)
  })
})
