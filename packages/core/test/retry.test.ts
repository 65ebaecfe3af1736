import { assert, describe, it } from "@effect/vitest"
import { Attempt, Call, Deadline, Policy, RetryBudget, Signal, TimedOut } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { TestClock } from "effect/testing"
import { bad, declined, ending, good, living, script, transient } from "./kit.ts"

const delays = (signals: ReadonlyArray<Signal.Signal>) =>
  signals.flatMap((signal) => (signal._tag === "RetryScheduled" ? [signal.delayMillis] : []))

/** Runs the call to its end in virtual time. */
const ended = <A, T, P>(call: Call.Call<A, T, P>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(ending(call))
    yield* TestClock.adjust("10 minutes")
    return yield* Fiber.join(fiber)
  })

describe("retry", () => {
  it.effect("shows how often it asked again, and how often it did not", () =>
    Effect.gen(function* () {
      const { intercept, state } = yield* living(
        Policy.retry({ times: 3, budget: RetryBudget.make({ ratio: 0, perSecond: 0.1 }) })
      )
      for (let nth = 0; nth < 2; nth++) yield* ended(intercept(script(bad).call))
      // One in ten seconds is granted: the first call's second retry is not, and ten minutes later one is again.
      assert.deepEqual(state(), { retried: 2, denied: 2 })
    })
  )

  it.effect("asks again after a transient error, and no more often than it may", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(Policy.retry({ times: 3 }))
      const healed = script(bad, bad, bad, good)
      assert.strictEqual(yield* ended(intercept(healed.call)), "answered")
      assert.strictEqual(healed.asked(), 4)
      const broken = script(bad)
      assert.strictEqual(yield* ended(intercept(broken.call)), "Transient")
      assert.strictEqual(broken.asked(), 4)
    })
  )

  it.effect("never repeats a permanent outcome, a refusal or a defect", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(Policy.retry())
      const permanent = script(declined)
      assert.strictEqual(yield* ended(intercept(permanent.call)), "permanent")
      assert.strictEqual(permanent.asked(), 1)
      const dying = script(Effect.die("bug"))
      yield* Effect.exit(intercept(dying.call))
      assert.strictEqual(dying.asked(), 1)
    })
  )

  it.effect("spreads its delays over the whole of 0 to base · 2ⁿ, capped", () =>
    Effect.gen(function* () {
      const { intercept, signals } = yield* living(
        Policy.retry({ times: 5, base: "100 millis", delayMax: "400 millis" })
      )
      for (let i = 0; i < 200; i++) yield* ended(intercept(bad))
      const all = delays(signals)
      const ceilings = [100, 200, 400, 400, 400]
      for (const [nth, ceiling] of ceilings.entries()) {
        const here = all.filter((_, i) => i % 5 === nth)
        assert.isBelow(Math.min(...here), ceiling * 0.1, `the low end of delay ${nth}`)
        assert.isAbove(Math.max(...here), ceiling * 0.9, `the high end of delay ${nth}`)
        assert.isAtMost(Math.max(...here), ceiling)
      }
    }).pipe(Random.withSeed("full jitter"))
  )

  it.effect("waits as long as the downstream asks, up to its cap", () =>
    Effect.gen(function* () {
      const options = { times: 1, base: "1 millis", delayMax: "2 seconds" } as const
      const { intercept, signals } = yield* living(Policy.retry(options))
      yield* ended(intercept(Call.transient(transient({ retryAfterMillis: 1500 }))))
      yield* ended(intercept(Call.transient(transient({ retryAfterMillis: 86_400_000 }))))
      assert.deepEqual(delays(signals), [1500, 2000])
    })
  )

  it.effect("waits no shorter than its floor", () =>
    Effect.gen(function* () {
      const { intercept, signals } = yield* living(Policy.retry({ times: 1, base: "1 millis", delayMin: "100 millis" }))
      yield* ended(intercept(bad))
      yield* ended(intercept(Call.transient(transient({ retryAfterMillis: 10 }))))
      assert.deepEqual(delays(signals), [100, 100])
    })
  )

  it.effect("obeys a downstream that says do not retry, and one that has too much to do unless it says when", () =>
    Effect.gen(function* () {
      const { intercept, told } = yield* living(Policy.retry({ times: 1 }))
      const asks = (error: ReturnType<typeof transient>) => {
        const { call, asked } = script(Call.transient(error))
        return Effect.map(ended(intercept(call)), asked)
      }
      assert.strictEqual(yield* asks(transient({ pushback: "do-not-retry", retryAfterMillis: 1 })), 1)
      assert.strictEqual(yield* asks(transient({ pushback: "overloaded" })), 1)
      assert.strictEqual(yield* asks(transient({ pushback: "overloaded", retryAfterMillis: 1 })), 2)
      assert.deepEqual(
        told("RetryDenied").map((signal) => signal._tag === "RetryDenied" && signal.reason),
        ["callee", "callee"]
      )
    })
  )

  it.effect("shares a budget between policies with the same value, apart for each downstream", () =>
    Effect.gen(function* () {
      const budget = RetryBudget.make({ ratio: 0, perSecond: 0.1 })
      const read = Policy.retry({ times: 1, base: "1 millis", budget })
      const write = Policy.retry({ times: 1, base: "1 millis", budget })
      const bus = yield* Signal.make
      const memo = Layer.makeMemoMapUnsafe()
      const of = (policy: Policy.Policy, downstream: string) =>
        Effect.provideService(Policy.build(policy, { downstream, method: "m", bus }), Layer.CurrentMemoMap, memo)
      const [a, b, c] = [yield* of(read, "one"), yield* of(write, "one"), yield* of(write, "two")]
      const asks = Effect.fnUntraced(function* ({ intercept }: Policy.Built) {
        const { call, asked } = script(bad)
        const fiber = yield* Effect.forkChild(ending(intercept(call)))
        yield* TestClock.adjust("100 millis")
        yield* Fiber.join(fiber)
        return asked()
      })
      assert.strictEqual(yield* asks(a), 2, "one retry in ten seconds")
      assert.strictEqual(yield* asks(b), 1, "is what both have")
      assert.strictEqual(yield* asks(c), 2, "another downstream has its own")
    })
  )

  it.effect("a shared budget can be turned in one row, whichever was built first", () =>
    Effect.gen(function* () {
      const budget = RetryBudget.make({ ratio: 1, perSecond: 1 })
      const bus = yield* Signal.make
      const memo = Layer.makeMemoMapUnsafe()
      const of = () =>
        Effect.provideService(
          Policy.build(Policy.retry({ times: 1, base: "1 millis", budget }), { downstream: "one", method: "m", bus }),
          Layer.CurrentMemoMap,
          memo
        )
      const [first, second] = [yield* of(), yield* of()]
      const asks = Effect.fnUntraced(function* ({ intercept }: Policy.Built) {
        const { call, asked } = script(bad)
        const fiber = yield* Effect.forkChild(ending(intercept(call)))
        yield* TestClock.adjust("100 millis")
        yield* Fiber.join(fiber)
        return asked()
      })
      second.parts[0]?.instance.assign({ budgetRatio: 0, budgetPerSecond: 0 })
      assert.strictEqual(yield* asks(second), 1, "stopped by hand")
      assert.strictEqual(yield* asks(first), 2, "and the other row keeps its tokens")
    })
  )

  it.effect("limited to what was not sent asks again only where nothing can have been applied", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(Policy.retryUnsent({ times: 1, base: "1 millis" }))
      const asks = <A, T, P>(step: Call.Call<A, T, P>) => {
        const { call, asked } = script(step)
        return Effect.map(ended(intercept(call)), asked)
      }
      assert.strictEqual(yield* asks(Call.transient(transient({ applied: "no" }))), 2)
      assert.strictEqual(yield* asks(Call.transient(transient({ applied: "unknown" }))), 1)
      assert.strictEqual(yield* asks(Call.transient("an error that says nothing")), 1)
      assert.strictEqual(yield* asks(Call.transient(TimedOut.make({ policy: "timeout", limitMillis: 1 }))), 1)
    })
  )

  it.effect("does not begin a wait that reaches the deadline", () =>
    Effect.gen(function* () {
      const { intercept, signals } = yield* living(Policy.retry({ times: 1, delayMax: "10 seconds" }))
      const { call, asked } = script(Call.transient(transient({ retryAfterMillis: 1000 })))
      const at = (millis: number) => Effect.provideService(ending(intercept(call)), Deadline.Deadline, millis)
      assert.strictEqual(yield* at(1000), "Transient")
      assert.strictEqual(asked(), 1)
      assert.deepEqual(
        signals.map((signal) => (signal._tag === "RetryDenied" ? signal.reason : signal._tag)),
        ["deadline"]
      )
    })
  )

  it.effect("ends early when a schedule of one's own does", () =>
    Effect.gen(function* () {
      const { intercept, told } = yield* living(Policy.retry({ times: 10, schedule: Schedule.recurs(2) }))
      const { call, asked } = script(bad)
      yield* ended(intercept(call))
      assert.strictEqual(asked(), 3)
      const [denied] = told("RetryDenied")
      assert.strictEqual(denied?._tag === "RetryDenied" ? denied.reason : undefined, "schedule")
    })
  )

  it.effect("numbers its attempts from 0", () =>
    Effect.gen(function* () {
      const { intercept } = yield* living(Policy.retry({ times: 2 }))
      const seen: Array<number> = []
      yield* ended(
        intercept(
          Effect.flatMap(Effect.service(Attempt.Attempt), (attempt) => {
            seen.push(attempt)
            return bad
          })
        )
      )
      assert.deepEqual(seen, [0, 1, 2])
    })
  )
})
