/** Known faults of peers, each shown in the peer as it is installed here, and shown to be absent in ours. */
import { Call, Leaf, Policy, Transient } from "@failsoft/core"
import {
  bulkhead,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleAll,
  TimeoutStrategy,
  timeout,
  wrap
} from "cockatiel"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import OpossumBreaker from "opossum"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout", "setInterval", "clearInterval"] })
})
afterEach(() => {
  vi.useRealTimers()
})

const settle = async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** A function that runs for as long as the test wants, whatever it is told; it counts how many run at once. */
const stubborn = () => {
  const running: Array<() => void> = []
  let most = 0
  return {
    run: () =>
      new Promise<string>((resolve) => {
        running.push(() => resolve("done"))
        most = Math.max(most, running.length)
      }),
    most: () => most,
    release: () => {
      for (const end of running.splice(0)) end()
    }
  }
}

const silent = { active: false, failed: 0, emit: () => {}, subscribe: () => Effect.void }

/** Our stack, asked with promises. */
const ours = (policy: Policy.Policy) => {
  const scope = Effect.runSync(Scope.make())
  const { intercept, parts } = Effect.runSync(
    Effect.provideService(Policy.build(policy, { downstream: "d", method: "m", bus: silent }), Scope.Scope, scope)
  )
  return {
    ask: (call: Call.Call<unknown, unknown, unknown>) => Effect.runPromiseExit(intercept(call)),
    state: () => Object.assign({}, ...parts.map(({ instance }) => instance.state()))
  }
}

const failure = Call.transient(new Transient.Transient({ cause: "reset", applied: "unknown" }))
const leaf = (run: () => Promise<string>) => Leaf.call(run, () => "failed")
const quiet = (promise: Promise<unknown>) => void promise.catch(() => {})
const declined = new Error("the card is declined")

describe("a bulkhead that is full", () => {
  it("opens the circuit of cockatiel", async () => {
    const breaker = circuitBreaker(handleAll, { halfOpenAfter: 1000, breaker: new ConsecutiveBreaker(3) })
    const stack = wrap(breaker, bulkhead(1, 0))
    const { release, run } = stubborn()
    quiet(stack.execute(run))
    for (let call = 0; call < 3; call++) quiet(stack.execute(run))
    await settle()
    assert.strictEqual(breaker.state, CircuitState.Open)
    release()
  })

  it("opens the circuit of opossum", async () => {
    const { release, run } = stubborn()
    const breaker = new OpossumBreaker(run, { capacity: 1, timeout: false, volumeThreshold: 3 })
    for (let call = 0; call < 4; call++) quiet(breaker.fire())
    await settle()
    assert.isTrue(breaker.opened)
    release()
    breaker.shutdown()
  })

  it("does not open ours", async () => {
    const policy = Policy.stack(
      Policy.circuitBreaker({ minimumCalls: 3, consecutiveFailures: 3 }),
      Policy.bulkhead({ permits: 1, queueMax: 0 })
    )
    const { ask, state } = ours(policy)
    const { release, run } = stubborn()
    quiet(ask(leaf(run)))
    for (let call = 0; call < 20; call++) await ask(leaf(run))
    assert.deepEqual(state(), { circuit: "closed", probing: 0, running: 1, waiting: 0 })
    release()
  })
})

describe("a call that timed out and still runs", () => {
  it("frees its place in cockatiel", async () => {
    const stack = wrap(bulkhead(1, 0), timeout(100, TimeoutStrategy.Aggressive))
    const { most, release, run } = stubborn()
    for (let call = 0; call < 3; call++) {
      quiet(stack.execute(run))
      await settle()
      vi.advanceTimersByTime(100)
      await settle()
    }
    assert.strictEqual(most(), 3, "three run where one may")
    release()
  })

  it("frees its place in opossum", async () => {
    const { most, release, run } = stubborn()
    const breaker = new OpossumBreaker(run, { capacity: 1, timeout: 100, volumeThreshold: 100 })
    for (let call = 0; call < 3; call++) {
      quiet(breaker.fire())
      await settle()
      vi.advanceTimersByTime(100)
      await settle()
    }
    assert.strictEqual(most(), 3, "three run where one may")
    release()
    breaker.shutdown()
  })

  it("keeps its place in ours until it has ended", async () => {
    const { ask, state } = ours(Policy.stack(Policy.bulkhead({ permits: 1, queueMax: 0 }), Policy.timeout(100)))
    const { most, release, run } = stubborn()
    const first = ask(leaf(run))
    for (let call = 0; call < 3; call++) {
      await settle()
      vi.advanceTimersByTime(100)
      await settle()
      await ask(leaf(run))
    }
    assert.strictEqual((await first)._tag, "Failure", "its caller was told in time")
    assert.strictEqual(most(), 1)
    release()
    await settle()
    assert.strictEqual(state().running, 0)
  })
})

describe("the first failure of a quiet service", () => {
  it("opens the circuit of opossum", async () => {
    const breaker = new OpossumBreaker(() => Promise.reject(new Error("a hiccup")))
    quiet(breaker.fire())
    await settle()
    assert.isTrue(breaker.opened)
    breaker.shutdown()
  })

  it("does not open ours", async () => {
    const { ask, state } = ours(Policy.circuitBreaker())
    await ask(failure)
    assert.strictEqual(state().circuit, "closed")
  })
})

describe("a permanent error", () => {
  it("counts in cockatiel", async () => {
    const breaker = circuitBreaker(handleAll, { halfOpenAfter: 1000, breaker: new ConsecutiveBreaker(3) })
    for (let call = 0; call < 3; call++) quiet(breaker.execute(() => Promise.reject(declined)))
    await settle()
    assert.strictEqual(breaker.state, CircuitState.Open)
  })

  it("counts in opossum", async () => {
    const breaker = new OpossumBreaker(() => Promise.reject(declined), { volumeThreshold: 3 })
    for (let call = 0; call < 3; call++) quiet(breaker.fire())
    await settle()
    assert.isTrue(breaker.opened)
    breaker.shutdown()
  })

  it("does not count in ours", async () => {
    const { ask, state } = ours(Policy.circuitBreaker({ minimumCalls: 3, consecutiveFailures: 3 }))
    for (let call = 0; call < 100; call++) await ask(Call.permanent(declined))
    assert.strictEqual(state().circuit, "closed")
  })
})
