import { Pump } from "@failsoft/core/testing"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { assert, describe, it } from "vitest"

const valueOf = <A, E>(ended: Pump.Ended<A, E>): A => {
  if (ended._tag === "Ended" && Exit.isSuccess(ended.exit)) return ended.exit.value
  throw new Error(`it ended otherwise: ${JSON.stringify(ended)}`)
}

const runWith = <A, E>(effect: Effect.Effect<A, E>, options: Pump.Options = {}) =>
  valueOf(Pump.make(options).run(effect))

describe("the pump", () => {
  it("lets an hour pass in no time, at exactly the moments asked for", () => {
    const seen: Array<number> = []
    const pump = Pump.make({ startMillis: 0 })
    const note = Effect.map(Clock.currentTimeMillis, (now) => void seen.push(now))
    const times = [3_600_000, 5, 60_000, 5]
    pump.run(Effect.forEach(times, (millis) => Effect.delay(note, millis), { concurrency: "unbounded" }))
    assert.deepEqual(seen, [5, 5, 60_000, 3_600_000])
    assert.strictEqual(pump.elapsedMillis(), 3_600_000)
  })

  it("orders a thousand timers by their time, and forgets those that were cancelled", () => {
    const seen: Array<number> = []
    const pump = Pump.make({ startMillis: 0 })
    const ended = pump.run(
      Effect.gen(function* () {
        const fibers = yield* Effect.forEach(
          Array.from({ length: 1000 }, (_, nth) => (nth * 7919) % 1009),
          (millis) =>
            Effect.forkDetach(
              Effect.delay(
                Effect.sync(() => seen.push(millis)),
                millis
              )
            )
        )
        yield* Effect.sleep(100)
        for (const [nth, fiber] of fibers.entries()) if (nth % 3 === 0) yield* Fiber.interrupt(fiber)
        yield* Effect.sleep(2000)
      })
    )
    assert.strictEqual(ended._tag, "Ended")
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b)
    )
    assert.isBelow(seen.length, 750)
    assert.strictEqual(pump.timers(), 0)
  })

  it("reports a deadlock at once, with the fibers that wait", () => {
    const pump = Pump.make()
    const stuck = Effect.andThen(Effect.sleep(20), Effect.flatMap(Deferred.make<void>(), Deferred.await))
    const ended = pump.run(stuck)
    assert.deepEqual(ended, { _tag: "Deadlock", atMillis: 20, fibers: 1 })
  })

  it("counts the fibers and timers that are left", () => {
    const pump = Pump.make()
    pump.run(Effect.all([Effect.forkDetach(Effect.never), Effect.forkDetach(Effect.sleep("1 hour")), Effect.sleep(1)]))
    assert.strictEqual(pump.fibers(), 2)
    assert.strictEqual(pump.timers(), 1)
  })

  it("interleaves what happens at one moment in another order for another seed", () => {
    const order = (seed: number) => {
      const seen: Array<number> = []
      const at10 = (nth: number) =>
        Effect.delay(
          Effect.sync(() => seen.push(nth)),
          10
        )
      runWith(Effect.forEach([1, 2, 3, 4, 5], at10, { concurrency: "unbounded" }), { seed })
      return seen.join("")
    }
    const orders = new Set(Array.from({ length: 20 }, (_, seed) => order(seed)))
    assert.isAbove(orders.size, 5)
    assert.strictEqual(order(3), order(3))
  })

  it("finds a state change whose finalizer comes one step later, by preemption only", () => {
    // Correct as long as nobody goes away between the two steps.
    const leaks = (preemption: number) => {
      let held = 0
      const gap = Effect.andThen(
        Effect.sync(() => held++),
        Effect.ensuring(
          Effect.sleep(1),
          Effect.sync(() => held--)
        )
      )
      const program = Effect.gen(function* () {
        const fiber = yield* Effect.forkDetach(gap)
        for (let steps = 0; steps < 2; steps++) yield* Effect.yieldNow
        yield* Fiber.interrupt(fiber)
      })
      let found = 0
      for (let seed = 0; seed < 200; seed++) {
        held = 0
        runWith(program, { seed, preemption })
        if (held !== 0) found++
      }
      return found
    }
    assert.strictEqual(leaks(0), 0)
    assert.isAbove(leaks(0.1), 0)
  })

  it("sets the clock on the wall and leaves timers alone", () => {
    const pump = Pump.make({ startMillis: 0 })
    const told = valueOf(
      pump.run(
        Effect.gen(function* () {
          yield* Effect.sleep(10)
          pump.jumpClock(-5000)
          yield* Effect.sleep(10)
          return yield* Clock.currentTimeMillis
        })
      )
    )
    assert.strictEqual(told, -4980)
    assert.strictEqual(pump.elapsedMillis(), 20)
  })
})

describe("while the pump runs, real time and chance", () => {
  const reaching: ReadonlyArray<readonly [string, () => unknown]> = [
    ["Date", () => Date.now()],
    ["Date", () => new Date()],
    ["performance.now", () => performance.now()],
    ["Math.random", () => Math.random()],
    ["crypto.randomUUID", () => crypto.randomUUID()],
    ["setTimeout", () => setTimeout(() => {}, 1)],
    ["setInterval", () => setInterval(() => {}, 1)],
    ["setImmediate", () => setImmediate(() => {})]
  ]

  it.each(reaching)("throw with the place where one's own code reaches for %s", (name, reach) => {
    const pump = Pump.make()
    const ended = pump.run(Effect.sync(reach))
    assert.isTrue(ended._tag === "Ended" && Exit.isFailure(ended.exit))
    const [trapped] = pump.trapped()
    assert.strictEqual(trapped?.name, name)
    assert.include(trapped?.site, "pump.test.ts")
  })

  it.each(reaching)("are virtual, and the same for the same seed, where that is asked for: %s", (name, reach) => {
    const told = () => String(runWith(Effect.delay(Effect.sync(reach), 5), { traps: "virtual" }))
    assert.strictEqual(told(), told(), name)
  })

  it("are virtual for libraries", () => {
    // What a library does is told by the name of its file.
    const library = new Function("return Date.now()\n//# sourceURL=/node_modules/library/index.js")
    assert.strictEqual(
      runWith(
        Effect.sync(() => library()),
        { startMillis: 77 }
      ),
      77
    )
  })

  it("show the virtual moment, and virtual timers fire in it", () => {
    const program = Effect.callback<string>((resume) => {
      const every = setInterval(() => {
        if (Date.now() < 30) return
        clearInterval(every)
        setTimeout(() => resume(Effect.succeed(new Date().toISOString())), 1000)
      }, 10)
    })
    assert.strictEqual(runWith(program, { traps: "virtual", startMillis: 0 }), "1970-01-01T00:00:01.030Z")
  })

  it("are back afterwards, and dates stay dates", () => {
    const before = [Date, Math.random, performance.now, setTimeout, crypto.randomUUID]
    const made = runWith(Effect.sync(() => new Date(5) instanceof Date && new Date("2026-01-01").getTime() > 0))
    assert.isTrue(made)
    assert.deepEqual([Date, Math.random, performance.now, setTimeout, crypto.randomUUID], before)
    assert.isFalse(Object.hasOwn(performance, "now"))
  })
})
