import { assert, describe, it } from "@effect/vitest"
import { Attempt, Call, Composition, Deadline, Policy, Refused, Region } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { bad, declined, ending, good, living, script } from "./kit.ts"
import { logNormal, quantile, randomFrom } from "./queueing.ts"

/** A hedge after 50 ms whose budget is no matter. */
const eager = (options: Policy.HedgeOptions = {}) =>
  Policy.hedge({ delay: "50 millis", budgetPerSecond: 1000, ...options })

/** An attempt that ends so after a while, and tells when it begins and ends. */
const attempts = () => {
  const log: Array<string> = []
  const after = <A, T, P>(name: string, millis: number, call: Call.Call<A, T, P>) =>
    Effect.gen(function* () {
      log.push(`${name} begins`)
      yield* Effect.sleep(millis)
      return yield* call
    }).pipe(Effect.onInterrupt(() => Effect.sync(() => void log.push(`${name} interrupted`))))
  return { after, log }
}

/** Runs it and says how and after how many milliseconds it ended. */
const timed = <A, T, P>(call: Call.Call<A, T, P>, most = 10_000) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(ending(call))
    yield* Effect.yieldNow
    for (let millis = 0; millis <= most; millis += 5) {
      if (fiber.pollUnsafe() !== undefined) return `${yield* Fiber.join(fiber)} after ${millis}`
      yield* TestClock.adjust("5 millis")
    }
    yield* Fiber.interrupt(fiber)
    return "no end"
  })

describe("hedge", () => {
  it.effect("asks a second time after its delay, takes the first answer, and interrupts the other", () =>
    Effect.gen(function* () {
      const { intercept, signals, state } = yield* living(eager())
      const { after, log } = attempts()
      const { call } = script(after("first", 1000, good), after("second", 20, good))
      assert.strictEqual(yield* timed(intercept(call)), "answered after 70")
      assert.deepEqual(log, ["first begins", "second begins", "first interrupted"])
      assert.deepEqual(
        signals.map(({ _tag, at }) => `${_tag} at ${at}`),
        ["Hedged at 50", "HedgeWon at 70"]
      )
      assert.deepEqual(state(), { hedged: 1, won: 1, denied: 0 })
    })
  )

  it.effect("leaves alone what is fast, and takes the first where it wins after all", () =>
    Effect.gen(function* () {
      const { intercept, told } = yield* living(eager())
      const { after, log } = attempts()
      assert.strictEqual(yield* timed(intercept(after("fast", 45, good))), "answered after 45")
      assert.isEmpty(told("Hedged"))
      const { call } = script(after("first", 80, good), after("second", 1000, good))
      assert.strictEqual(yield* timed(intercept(call)), "answered after 80")
      assert.deepEqual(log.slice(-1), ["second interrupted"])
      assert.isEmpty(told("HedgeWon"))
    })
  )

  it.effect("waits for the finalizers of who lost before it answers", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(eager())
      const slow = Effect.onInterrupt(Effect.delay(good, "1 second"), () => Effect.sleep("30 millis"))
      assert.strictEqual(yield* timed(intercept(script(slow, good).call)), "answered after 80")
    })
  )

  it.effect("ends with a permanent outcome, whichever attempt says it, and asks no third time", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(eager({ hedgesMax: 5 }))
      const { after } = attempts()
      const { asked, call } = script(after("first", 1000, good), after("second", 20, declined), good)
      assert.strictEqual(yield* timed(intercept(call)), "permanent after 70")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(asked(), 2)
    })
  )

  it.effect("does not let a transient error win while the other attempt still runs", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(eager())
      const { after } = attempts()
      const failsFirst = script(after("first", 60, bad), after("second", 100, good))
      assert.strictEqual(yield* timed(intercept(failsFirst.call)), "answered after 150")
      const failsSecond = script(after("first", 200, good), after("second", 10, bad))
      assert.strictEqual(yield* timed(intercept(failsSecond.call)), "answered after 200")
    })
  )

  it.effect("returns the last error where all fail", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(eager())
      const { after } = attempts()
      const fails = (tag: string) => Call.transient({ _tag: tag })
      const firstLast = script(after("first", 100, fails("First")), after("second", 10, fails("Second")))
      assert.strictEqual(yield* timed(intercept(firstLast.call)), "First after 100")
      const secondLast = script(after("first", 60, fails("First")), after("second", 100, fails("Second")))
      assert.strictEqual(yield* timed(intercept(secondLast.call)), "Second after 150")
    })
  )

  it.effect("hedges what is slow, not what fails: an error before the delay is returned at once", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(eager({ hedgesMax: 3 }))
      const { after } = attempts()
      const early = script(after("first", 20, bad), good)
      assert.strictEqual(yield* timed(intercept(early.call)), "Transient after 20")
      assert.strictEqual(early.asked(), 1)
      const later = script(after("first", 1000, good), after("second", 10, bad), good)
      assert.strictEqual(yield* timed(intercept(later.call)), "answered after 1000")
      assert.strictEqual(later.asked(), 2)
    })
  )

  it.effect("takes a refused extra attempt for one that was never sent", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(eager())
      const { after } = attempts()
      const refused = Call.permanent(Refused.make({ policy: "circuitBreaker", reason: "CIRCUIT_OPEN" }))
      assert.strictEqual(yield* timed(intercept(script(after("first", 100, good), refused).call)), "answered after 100")
      assert.strictEqual(yield* timed(intercept(script(after("first", 100, bad), refused).call)), "Transient after 100")
      const late = script(after("first", 60, bad), after("second", 100, refused))
      assert.strictEqual(yield* timed(intercept(late.call)), "Transient after 150")
      assert.strictEqual(yield* timed(intercept(script(refused).call)), "CIRCUIT_OPEN after 0")
      const full = Call.permanent(Refused.make({ policy: "bulkhead", reason: "BULKHEAD_WAIT_EXCEEDED" }))
      const both = script(after("first", 100, full), refused)
      assert.strictEqual(yield* timed(intercept(both.call)), "BULKHEAD_WAIT_EXCEEDED after 100")
    })
  )

  it.effect("hands on a defect and stops the other attempt", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(eager())
      const { after, log } = attempts()
      const { call } = script(after("first", 1000, good), after("second", 10, Effect.die("bug")))
      const fiber = yield* Effect.forkChild(Effect.exit(intercept(call)))
      yield* TestClock.adjust("60 millis")
      assert.isTrue(Exit.hasDies(yield* Fiber.join(fiber)))
      assert.deepEqual(log.slice(-1), ["first interrupted"])
    })
  )

  it.effect("stops all attempts with its caller, and begins none afterwards", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(eager({ hedgesMax: 3 }))
      const { after, log } = attempts()
      const fiber = yield* Effect.forkChild(intercept(after("one", 1000, good)))
      yield* TestClock.adjust("60 millis")
      yield* Fiber.interrupt(fiber)
      assert.deepEqual(log, ["one begins", "one begins", "one interrupted", "one interrupted"])
      yield* TestClock.adjust("1 second")
      assert.lengthOf(log, 4)
    })
  )

  it.effect("sends as many as it may, one delay after the other", () =>
    Effect.gen(function* () {
      const { intercept, told } = yield* living(eager({ hedgesMax: 2 }))
      const { asked, call } = script(Effect.delay(good, "300 millis"))
      assert.strictEqual(yield* timed(intercept(call)), "answered after 300")
      assert.strictEqual(asked(), 3)
      assert.deepEqual(
        told("Hedged").map(({ at }) => at),
        [50, 100]
      )
    })
  )

  it.effect("switched off, asks once", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(eager({ hedgesMax: 0 }))
      const { asked, call } = script(Effect.delay(good, "300 millis"))
      assert.strictEqual(yield* timed(intercept(call)), "answered after 300")
      assert.strictEqual(asked(), 1)
    })
  )

  it.effect("begins nothing that reaches the deadline", () =>
    Effect.gen(function* () {
      const { intercept, told } = yield* living(eager())
      const { asked, call } = script(Effect.delay(good, "60 millis"))
      yield* timed(Effect.provideService(intercept(call), Deadline.Deadline, 50))
      assert.strictEqual(asked(), 1)
      assert.isEmpty(told("HedgeDenied"))
      const stack = yield* living(Policy.stack(Policy.deadline("50 millis"), eager()))
      const hanging = script(Effect.never)
      assert.strictEqual(yield* timed(stack.intercept(hanging.call)), "DEADLINE_EXCEEDED after 50")
      assert.strictEqual(hanging.asked(), 1)
    })
  )

  it.effect("at the deadline stops both attempts and refuses", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(
        Policy.stack(Policy.deadline("100 millis"), eager(), Policy.timeout("90 millis"))
      )
      const { after, log } = attempts()
      const { call } = script(after("first", 85, bad), after("second", 500, good))
      assert.strictEqual(yield* timed(intercept(call)), "DEADLINE_EXCEEDED after 100")
      assert.deepEqual(log.slice(-1), ["second interrupted"])
    })
  )

  it.effect("numbers its attempts on from the one that it doubles, and says where they should go", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(
        Policy.stack(Policy.retry({ times: 1, base: "1 millis" }), eager({ region: "us" }))
      )
      const seen: Array<string> = []
      const call = Effect.gen(function* () {
        seen.push(`${yield* Attempt.Attempt} ${yield* Region.Region}`)
        yield* Effect.sleep("80 millis")
        return yield* bad
      })
      yield* timed(intercept(call))
      assert.deepEqual(seen, ["0 ", "1 us", "1 ", "2 us"])
    })
  )

  it.effect("takes a permit for each attempt, and gives both back", () =>
    Effect.gen(function* () {
      const { intercept, state } = yield* living(Policy.stack(eager(), Policy.bulkhead({ permits: 2, queueMax: 0 })))
      const fiber = yield* Effect.forkChild(intercept(script(Effect.never, Effect.delay(good, "20 millis")).call))
      yield* TestClock.adjust("50 millis")
      assert.strictEqual(state().running, 2)
      yield* TestClock.adjust("20 millis")
      yield* Fiber.join(fiber)
      assert.strictEqual(state().running, 0)
    })
  )
})

describe("the budget of a hedge", () => {
  it.effect("is a twentieth of the calls when everybody is slow, and what it denies is told", () =>
    Effect.gen(function* () {
      const { intercept, told } = yield* living(Policy.hedge({ delay: "50 millis" }))
      const { asked, call } = script(Effect.delay(good, "400 millis"))
      const calls = 1000
      const all = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: calls }, (_, nth) => nth),
          (nth) => Effect.delay(intercept(call), nth * 10),
          { concurrency: "unbounded", discard: true }
        )
      )
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(all)
      const extra = asked() - calls
      assert.isAtLeast(extra, calls * 0.03)
      // And one in ten seconds, at any rate.
      assert.isAtMost(extra, calls * 0.05 + 2)
      assert.lengthOf(told("Hedged"), extra)
      assert.lengthOf(told("HedgeDenied"), calls - extra)
    })
  )
})

describe("the delay of a hedge", () => {
  /** Calls one after the other, each as long as drawn, in so many whole milliseconds. */
  const traffic = Effect.fnUntraced(function* (
    intercept: Policy.Interceptor,
    draw: () => number,
    calls: number,
    most = 1000
  ) {
    for (let nth = 0; nth < calls; nth++) {
      const fiber = yield* Effect.forkChild(intercept(Effect.suspend(() => Effect.delay(good, Math.ceil(draw())))))
      yield* TestClock.adjust(most)
      yield* Fiber.join(fiber)
    }
  })

  it.effect("is not known before there are enough calls", () =>
    Effect.gen(function* () {
      const { intercept, told } = yield* living(
        Policy.hedge({ minimumCalls: 20, window: "1 hour", budgetPerSecond: 10 })
      )
      yield* traffic(intercept, () => 20, 20)
      yield* traffic(intercept, () => 500, 1)
      assert.lengthOf(told("Hedged"), 1)
      const fresh = yield* living(Policy.hedge({ minimumCalls: 20, window: "1 hour", budgetPerSecond: 10 }))
      yield* traffic(fresh.intercept, () => 20, 18)
      yield* traffic(fresh.intercept, () => 500, 1)
      assert.isEmpty(fresh.told("Hedged"))
    })
  )

  it.effect("is the 95 % quantile, and does not fall by what its own hedges cut short", () =>
    Effect.gen(function* () {
      const { intercept, told } = yield* living(
        Policy.hedge({ window: "30 minutes", budgetRatio: 1, budgetPerSecond: 1000 })
      )
      const random = randomFrom(5)
      const draw = () => Math.min(900, logNormal(random, 50, 0.8))
      const expected = quantile(
        Array.from({ length: 20_000 }, () => Math.ceil(draw())),
        0.95
      )
      yield* traffic(intercept, draw, 3000)
      const delays = told("Hedged").flatMap((signal) => (signal._tag === "Hedged" ? [signal.delayMillis] : []))
      const late = delays.slice(-60)
      assert.isAbove(Math.min(...late), expected * 0.75)
      assert.isBelow(Math.max(...late), expected * 1.3)
      // One call in twenty is slower than that.
      assert.isBelow(delays.length, 3000 * 0.07)
    })
  )

  it.effect("stays within its bounds", () =>
    Effect.gen(function* () {
      const options = { minimumCalls: 10, window: "1 hour", budgetPerSecond: 1000 } as const
      const long = yield* living(Policy.hedge({ ...options, delayMin: "200 millis" }))
      yield* traffic(long.intercept, () => 5, 20)
      yield* traffic(long.intercept, () => 500, 1)
      const short = yield* living(Policy.hedge({ ...options, delayMax: "10 millis" }))
      yield* traffic(short.intercept, () => 100, 20)
      const delays = (of: typeof long) =>
        of.told("Hedged").map((signal) => signal._tag === "Hedged" && signal.delayMillis)
      assert.deepEqual(delays(long), [200])
      assert.include(delays(short), 10)
    })
  )
})

describe("a hedge in a stack", () => {
  const { adaptiveLimit, bulkhead, circuitBreaker, deadline, hedge, retry, stack, timeout } = Policy
  const says = (policy: Policy.Policy) => Composition.problemsOf(policy).join("\n")

  it("stands inside the retry and outside of what counts attempts", () => {
    const sound = stack(
      deadline(1000),
      retry({ times: 1, base: 10, delayMax: 10 }),
      hedge({ delay: 50 }),
      circuitBreaker(),
      adaptiveLimit({ waitMax: 10 }),
      timeout(200)
    )
    assert.isEmpty(says(sound))
    assert.include(says(stack(hedge(), retry())), "hedge stands outside retry")
    for (const outer of [bulkhead(), circuitBreaker(), adaptiveLimit()]) {
      assert.match(says(stack(outer, hedge(), timeout(100))), /stands outside hedge: it would see two attempts as one/)
    }
  })

  it("has a delay that comes before what would end the call", () => {
    assert.include(
      says(stack(hedge({ delay: 200 }), timeout(200))),
      "hedge.delayMillis (200 ms) must be shorter than timeout.limitMillis (200 ms)"
    )
    assert.include(
      says(stack(deadline(100), hedge({ delayMin: 100 }))),
      "hedge.delayMinMillis (100 ms) must be shorter than deadline.limitMillis (100 ms)"
    )
    assert.include(says(hedge({ delayMin: 20, delayMax: 10 })), "delayMinMillis (20 ms) must not be longer than")
  })

  it("makes a call as long and as heavy as its knobs allow", () => {
    assert.strictEqual(Composition.worstLatencyMillis(stack(hedge({ delay: 50, hedgesMax: 2 }), timeout(200))), 300)
    assert.strictEqual(Composition.worstLatencyMillis(stack(hedge({ delayMax: 1000 }), timeout(200))), 400)
    assert.strictEqual(Composition.worstLoad(hedge()), 1.05)
    assert.strictEqual(Composition.worstLoad(hedge({ hedgesMax: 0 })), 1)
    assert.strictEqual(Composition.worstLoad(stack(retry({ times: 1 }), hedge({ budgetRatio: 0.5 }))), 3)
  })
})
