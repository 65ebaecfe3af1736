import { assert, describe, it } from "@effect/vitest"
import { Composition, Fallback, Policy } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CircuitBreaker } from "effect/persistence"
import { raw, Shop } from "./shop.ts"

const { bulkhead, circuitBreaker, deadline, retry, stack, timeout } = Policy
const one = bulkhead()

const unsound: ReadonlyArray<{
  readonly title: string
  readonly policy: Policy.Policy
  readonly says: ReadonlyArray<string>
}> = [
  {
    title: "an attempt as long as the deadline",
    policy: stack(deadline(100), timeout(100)),
    says: ["timeout.limitMillis (100 ms)", "deadline.limitMillis (100 ms)"]
  },
  {
    title: "retries that do not fit",
    policy: stack(deadline(1000), retry({ times: 3, base: 10, delayMax: 10 }), timeout(300)),
    says: ["retry.times (3)", "timeout.limitMillis (300 ms)", "may take 1230 ms", "deadline.limitMillis (1000 ms)"]
  },
  {
    title: "a window shorter than two attempts",
    policy: stack(circuitBreaker({ window: 150 }), timeout(100)),
    says: ["circuitBreaker.windowMillis (150 ms)", "timeout.limitMillis (100 ms)"]
  },
  {
    title: "a wait as long as the deadline",
    policy: stack(deadline(100), bulkhead({ waitMax: 100 })),
    says: ["bulkhead.waitMaxMillis (100 ms)", "deadline.limitMillis (100 ms)"]
  },
  {
    title: "a timeout that no breaker sees",
    policy: stack(timeout(100), circuitBreaker()),
    says: ["timeout stands outside circuitBreaker"]
  },
  {
    title: "a deadline that hides hanging calls from the breaker",
    policy: stack(deadline(1000), circuitBreaker()),
    says: ["deadline stands outside circuitBreaker and no timeout inside it"]
  },
  {
    title: "waits that do not fit",
    policy: stack(
      deadline(1000),
      retry({ times: 2, base: 10, delayMax: 10 }),
      bulkhead({ waitMax: 100 }),
      timeout(300)
    ),
    says: ["may take 1220 ms", "deadline.limitMillis (1000 ms)"]
  },
  { title: "a value twice", policy: stack(one, deadline(1000), one), says: ["bulkhead stands in the stack twice"] },
  {
    title: "no permits",
    policy: bulkhead({ permits: 0 }),
    says: ["bulkhead.permits must be a whole number of at least 1, but is 0"]
  },
  {
    title: "a share above one",
    policy: circuitBreaker({ failureRate: 50 }),
    says: ["circuitBreaker.failureRate must be a share above 0 and up to 1, but is 50"]
  },
  {
    title: "an endless timeout",
    policy: timeout(Number.POSITIVE_INFINITY),
    says: ["timeout.limitMillis must be a finite duration above zero"]
  },
  {
    title: "less than no retries",
    policy: retry({ times: -1 }),
    says: ["retry.times must be a whole number of at least 0 and at most 20"]
  },
  { title: "a name of one's own", policy: timeout(0, { name: "slowest" }), says: ["slowest.limitMillis must be"] }
]

describe("a stack that cannot work", () => {
  it.each(unsound)("$title", ({ policy, says }) => {
    const problems = Composition.problemsOf(policy).join("\n")
    for (const fragment of says) assert.include(problems, fragment)
  })

  it("the budget holds for all attempts and waits, not for one", () => {
    const budget = (policy: Policy.Policy) => Composition.problemsOfBudget(policy, 1000).join()
    assert.include(budget(stack(retry({ times: 2, base: 10, delayMax: 10 }), timeout(400))), "a call may take 1220 ms")
    assert.include(budget(stack(retry({ times: 1, base: 10, delayMax: 10 }), deadline(600))), "a call may take 1210 ms")
    assert.include(budget(stack(bulkhead({ waitMax: 300 }), timeout(800))), "a call may take 1100 ms")
    assert.isEmpty(budget(stack(deadline(1000), retry({ times: 5 }), timeout(400))))
  })

  it("a timeout outside a shorter deadline is no problem of that deadline", () => {
    assert.isEmpty(Composition.problemsOf(stack(timeout(1000), deadline(200))))
  })

  it("the standard stacks have no problem, at any deadline", () => {
    for (const deadline of [50, 250, 1000, 60_000]) {
      assert.isEmpty(Composition.problemsOf(Policy.standard({ deadline })))
      assert.isEmpty(Composition.problemsOf(Policy.standardOnce({ deadline })))
    }
  })

  it.effect("fails the ring's layer, naming the row", () =>
    Effect.gen(function* () {
      const good = deadline(1000)
      const shop = Shop.layer({
        show: { policy: stack(deadline(100), timeout(200)), fallback: Fallback.value(0) },
        peek: { policy: good, fallback: Fallback.stale({ maxAge: "1 second", entriesMax: 0 }) },
        charge: { policy: deadline("5 seconds") }
      }).pipe(Layer.provide(Shop.transport({ show: raw.answers, peek: raw.answers, charge: raw.answers })))
      const failure = yield* Effect.flip(Effect.scoped(Layer.build(shop)))
      assert.instanceOf(failure, Composition.InvalidComposition)
      assert.lengthOf(failure.problems, 3)
      assert.match(failure.message, /shop\/show: timeout\.limitMillis \(200 ms\)/)
      assert.match(failure.message, /shop\/peek: fallback\.stale\.entriesMax must be a whole number of at least 1/)
      assert.match(
        failure.message,
        /shop\/charge: deadline\.limitMillis \(5000 ms\): a call may take 5000 ms, which is longer than the contract's info\.budget \(2000 ms\)/
      )
    })
  )
})

describe("what works and is not wise", () => {
  it("a circuit that is open for less than an attempt", () => {
    const [warning, ...others] = Composition.warningsOf(stack(circuitBreaker({ openFor: 100 }), timeout(250)))
    assert.lengthOf(others, 0)
    assert.include(warning, "circuitBreaker.openMillis (100 ms) is shorter than timeout.limitMillis (250 ms)")
    assert.deepEqual(Composition.warningsOf(stack(circuitBreaker({ openFor: 250 }), timeout(250))), [])
    // A single probe follows a run of timeouts.
    assert.deepEqual(
      Composition.warningsOf(stack(circuitBreaker({ openFor: 100, consecutiveTimeouts: 5 }), timeout(250))),
      []
    )
    for (const deadline of [200, 1000, 2000, 40_000]) {
      assert.deepEqual(Composition.warningsOf(Policy.standard({ deadline })), [])
      assert.deepEqual(Composition.warningsOf(Policy.standardOnce({ deadline })), [])
    }
  })
})

describe("a circuit for each of many keys", () => {
  it("has a bound on what all of them remember", () => {
    const problems = (windowCalls: number, keysMax: number) =>
      Composition.problemsOf(circuitBreaker({ windowCalls, keysMax }))
    assert.deepEqual(problems(100, 100_000), [])
    assert.match(problems(101, 100_000)[0] ?? "", /windowCalls \(101\) times keysMax \(100000\) must be at most/)
  })
})

describe("the composition of limits and shared breakers", () => {
  it("counts the waits of a rate limit and of a store into the worst latency", () => {
    const store = CircuitBreaker.layerStoreMemory()
    const waits = Policy.rateLimit({ permits: 1, waitMax: "300 millis" })
    const shared = Policy.sharedCircuitBreaker({ circuit: "c", store, storeLimit: "20 millis" })
    const both = Policy.stack(shared, waits, Policy.timeout("100 millis"))
    assert.strictEqual(Composition.worstLatencyMillis(both), 440)
  })

  it("refuses a wait for a turn that is as long as the deadline, and a shared breaker that sees no timeout", () => {
    const waits = Policy.stack(Policy.deadline("1 second"), Policy.rateLimit({ permits: 1, waitMax: "1 second" }))
    assert.match(Composition.problemsOf(waits)[0] ?? "", /rateLimit.waitMaxMillis .* must be shorter than deadline/)
    const store = CircuitBreaker.layerStoreMemory()
    const blind = Policy.stack(Policy.timeout("1 second"), Policy.sharedCircuitBreaker({ circuit: "c", store }))
    assert.match(Composition.problemsOf(blind)[0] ?? "", /timeout stands outside sharedCircuitBreaker/)
  })

  it("refuses options that cannot work, by name", () => {
    const store = CircuitBreaker.layerStoreMemory()
    const problem = (policy: Policy.Policy) => Composition.problemsOf(policy)[0] ?? ""
    assert.include(problem(Policy.rateLimit({ permits: 0 })), "rateLimit.permits must be a whole number of at least 1")
    assert.include(
      problem(Policy.rateLimit({ permits: 1, window: 0 })),
      "rateLimit.windowMillis must be a finite duration"
    )
    assert.include(problem(Policy.sharedCircuitBreaker({ circuit: "", store })), "circuit must be a name")
    assert.include(
      problem(Policy.sharedCircuitBreaker({ circuit: "c", store, windowCalls: 5 })),
      "windowCalls (5) must be at least minimumCalls (20)"
    )
  })
})
