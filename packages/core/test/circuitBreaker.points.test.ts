/** The decided points of the circuit breaker, each by name, at its gate. */
import { assert, describe, it } from "@effect/vitest"
import { Call, Gate, Policy, Refused, Signal } from "@failsoft/core"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { attemptAt, livingGate } from "./history.ts"
import { bad, ending, good, living } from "./kit.ts"

/** A breaker driven by hand: a time, a key, and calls that enter and leave. */
const driven = (options: Policy.CircuitBreakerOptions) => {
  const changes: Array<Extract<Signal.Signal, { _tag: "CircuitChanged" }>> = []
  const refusals: Array<string> = []
  const bus: Signal.SignalBus = {
    active: true,
    failed: 0,
    emit: (signal) => {
      if (signal._tag === "CircuitChanged") changes.push(signal)
      if (signal._tag === "CallRefused") refusals.push(signal.dark ? "dark" : "refused")
    },
    subscribe: () => Effect.void
  }
  const defaults: Policy.CircuitBreakerOptions = {
    failureRate: 0.5,
    minimumCalls: 2,
    window: "10 seconds",
    openFor: "1 second",
    openMax: "8 seconds",
    jitter: 0,
    probes: 2,
    ramp: false
  }
  const { gate, instance, row } = livingGate(Policy.circuitBreaker({ ...defaults, ...options }), bus)
  let now = 1_000_000
  const enter = (key = "") => gate.enter(attemptAt(row, now, { key }))
  const leave = (token: number, verdict: Gate.Verdict = "answered", key = "", startedAt = now) =>
    gate.leave(attemptAt(row, now, { key }), token, verdict, now, startedAt)
  const ask = (verdict: Gate.Verdict, key = "") => {
    const admitted = enter(key)
    if (typeof admitted === "number") leave(admitted, verdict, key)
    return typeof admitted === "number" ? "passed" : admitted instanceof Gate.Ticket ? "waits" : "refused"
  }
  /** Enters and must pass. */
  const token = (key = "") => {
    const admitted = enter(key)
    if (typeof admitted !== "number") throw new Error("refused")
    return admitted
  }
  return {
    enter,
    leave,
    ask,
    token,
    changes,
    refusals,
    row,
    instance,
    pass: (millis: number) => {
      now += millis
    },
    turn: (values: Policy.Facts) => instance.assign(values),
    hand: (act: "open" | "close" | "reset" | "healthy") => instance.controls[act]?.(row, now),
    state: () => instance.state()["circuit"],
    trip: (key = "") => {
      ask("failed", key)
      ask("failed", key)
    },
    probe: (key = "") => gate.enter(attemptAt(row, now, { key }))
  }
}

describe("half-open", () => {
  it("takes an ignored outcome for neither, and frees its probe", () => {
    const of = driven({ probes: 1 })
    of.trip()
    of.pass(1000)
    for (const verdict of ["refused", "aborted", "died"] as const) {
      assert.strictEqual(of.ask(verdict), "passed", verdict)
      assert.strictEqual(of.state(), "half-open", verdict)
    }
    assert.strictEqual(of.ask("answered"), "passed")
    assert.strictEqual(of.state(), "closed")
  })

  it("keeps the place of a probe for probeMax from its own beginning, not from that of half-open", () => {
    const of = driven({ probes: 2, probeMax: "10 seconds" })
    of.trip()
    of.pass(1000)
    assert.strictEqual(of.ask("answered"), "passed")
    of.pass(9900)
    const probe = of.token()
    of.pass(200)
    assert.strictEqual(of.ask("answered"), "refused", "the second probe has had 200 ms")
    of.leave(probe)
    assert.strictEqual(of.state(), "closed", "and its answer counts")
  })

  it("begins anew when its probes were lost, so that it is never stuck", () => {
    const of = driven({ probes: 2, probeMax: "10 seconds" })
    of.trip()
    of.pass(1000)
    const lost = [of.token(), of.token()]
    of.pass(9999)
    assert.strictEqual(of.ask("answered"), "refused")
    of.pass(1)
    assert.strictEqual(of.ask("answered"), "passed")
    assert.strictEqual(of.changes.at(-1)?.reason, "probes-lost")
    for (const token of lost) of.leave(token, "failed")
    assert.strictEqual(of.state(), "half-open", "what the lost ones say is late")
    of.ask("answered")
    assert.strictEqual(of.state(), "closed")
  })

  it("judges probes by the breaker's own rate: of three at 0.9, all must fail, and one good answer is enough", () => {
    const dead = driven({ failureRate: 0.9, probes: 3 })
    dead.trip()
    dead.pass(1000)
    dead.ask("failed")
    dead.ask("failed")
    assert.strictEqual(dead.state(), "half-open")
    dead.ask("failed")
    assert.strictEqual(dead.state(), "open")
    const limping = driven({ failureRate: 0.9, probes: 3 })
    limping.trip()
    limping.pass(1000)
    limping.ask("failed")
    limping.ask("answered")
    assert.strictEqual(limping.state(), "closed", "2 of 3 is below 0.9, whatever the third says")
  })

  it.effect("is not stuck under sparse traffic whose callers all give up: their probes go on and decide", () =>
    Effect.gen(function* () {
      const policy = Policy.circuitBreaker({ minimumCalls: 2, openFor: "1 second", jitter: 0, probes: 2, ramp: false })
      const { intercept, state } = yield* living(policy)
      yield* ending(intercept(bad))
      yield* ending(intercept(bad))
      for (let call = 0; call < 2; call++) {
        yield* TestClock.adjust("20 seconds")
        const impatient = yield* Effect.forkChild(ending(intercept(Effect.delay(good, "500 millis"))))
        yield* TestClock.adjust("10 millis")
        yield* Fiber.interrupt(impatient)
      }
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(state().circuit, "closed")
    })
  )

  it.effect("lets others wait for the outcome of a probe where it is told to, and refuses them afterwards", () =>
    Effect.gen(function* () {
      const policy = Policy.circuitBreaker({
        minimumCalls: 2,
        openFor: "1 second",
        jitter: 0,
        probes: 1,
        probeWait: "50 millis",
        ramp: false
      })
      const { intercept } = yield* living(policy)
      yield* ending(intercept(bad))
      yield* ending(intercept(bad))
      yield* TestClock.adjust("1 second")
      const answer = yield* Deferred.make<void>()
      const probe = yield* Effect.forkChild(ending(intercept(Effect.andThen(Deferred.await(answer), good))))
      yield* Effect.yieldNow
      const impatient = yield* Effect.forkChild(ending(intercept(good)))
      yield* TestClock.adjust("50 millis")
      assert.strictEqual(yield* Fiber.join(impatient), "CIRCUIT_OPEN")
      const patient = yield* Effect.forkChild(ending(intercept(good)))
      yield* TestClock.adjust("20 millis")
      yield* Deferred.succeed(answer, undefined)
      assert.strictEqual(yield* Fiber.join(probe), "answered")
      assert.strictEqual(yield* Fiber.join(patient), "answered")
    })
  )

  it.effect("lets nobody wait for longer than it is told, however many probes end meanwhile", () =>
    Effect.gen(function* () {
      const policy = Policy.circuitBreaker({
        minimumCalls: 2,
        openFor: "1 second",
        jitter: 0,
        probes: 3,
        probeWait: "50 millis",
        ramp: false
      })
      const { intercept } = yield* living(policy)
      yield* ending(intercept(bad))
      yield* ending(intercept(bad))
      yield* TestClock.adjust("1 second")
      for (const millis of [40, 80, 120]) yield* Effect.forkChild(ending(intercept(Effect.delay(good, millis))))
      yield* Effect.yieldNow
      const waiting = yield* Effect.forkChild(ending(intercept(good)))
      yield* Effect.yieldNow
      yield* TestClock.adjust("49 millis")
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.isDefined(waiting.pollUnsafe(), "it has waited for 50 ms")
      assert.strictEqual(yield* Fiber.join(waiting), "CIRCUIT_OPEN")
    })
  )
})

describe("the ramp", () => {
  const ramping = (options: Policy.CircuitBreakerOptions = {}) => {
    const of = driven({ probes: 2, ramp: true, minimumCalls: 100, ...options })
    of.hand("open")
    of.pass(1000)
    of.ask("answered")
    of.ask("answered")
    assert.strictEqual(of.state(), "ramp")
    return of
  }
  /** As many as are let in at once. */
  const wave = (of: ReturnType<typeof driven>) => {
    const tokens: Array<number> = []
    for (let admitted = of.enter(); typeof admitted === "number"; admitted = of.enter()) tokens.push(admitted)
    return tokens
  }

  it("doubles with each round of good answers", () => {
    const of = ramping()
    const sizes: Array<number> = []
    for (let round = 0; round < 5; round++) {
      const tokens = wave(of)
      sizes.push(tokens.length)
      for (const token of tokens) of.leave(token)
    }
    assert.deepEqual(sizes, [2, 4, 8, 16, 32])
  })

  it("falls back at the first relapse, and answers that were on their way do not lift it again", () => {
    const of = ramping()
    for (let round = 0; round < 3; round++) for (const token of wave(of)) of.leave(token)
    const [first, ...others] = wave(of)
    assert.lengthOf(others, 15)
    of.leave(first ?? 0, "failed")
    for (const token of others) of.leave(token)
    assert.strictEqual(of.state(), "ramp", "nor do they close it")
    assert.lengthOf(wave(of), 2)
  })

  it("closes after a round in which nobody was refused", () => {
    const of = ramping()
    assert.strictEqual(of.ask("answered"), "passed")
    assert.strictEqual(of.state(), "ramp")
    of.ask("answered")
    assert.strictEqual(of.state(), "closed")
    assert.strictEqual(of.changes.at(-1)?.reason, "ramp-complete")
  })

  it("opens again only where even its few calls fail one after another", () => {
    const of = ramping()
    for (const token of wave(of)) of.leave(token)
    const [first, ...others] = wave(of)
    of.leave(first ?? 0, "failed")
    for (const token of others) of.leave(token, "failed")
    assert.strictEqual(of.state(), "ramp", "four at once were too many; that says nothing of two")
    of.ask("failed")
    assert.strictEqual(of.state(), "ramp")
    of.ask("failed")
    assert.strictEqual(of.state(), "open")
    assert.strictEqual(of.changes.at(-1)?.reason, "relapse")
  })

  it("does not last longer than the stable period: what fails a little then, the closed state judges", () => {
    const of = ramping({ failureRate: 0.9, stableFor: "30 seconds" })
    for (let at = 0; at < 30; at++) {
      assert.strictEqual(of.state(), "ramp")
      const tokens = wave(of)
      for (const [nth, token] of tokens.entries()) of.leave(token, nth === 0 ? "failed" : "answered")
      of.pass(1000)
    }
    of.ask("answered")
    assert.strictEqual(of.state(), "closed")
  })

  it("is not stuck by calls whose end nobody sees", () => {
    const of = ramping({ probeMax: "5 seconds" })
    assert.lengthOf(wave(of), 2)
    of.pass(5000)
    assert.strictEqual(of.ask("answered"), "passed")
    assert.strictEqual(of.state(), "half-open")
  })

  it("takes slowness for a relapse only where slow calls count", () => {
    for (const slowRate of [0, 1]) {
      const of = ramping({ slow: "100 millis", slowRate })
      const tokens = wave(of)
      of.pass(100)
      for (const token of tokens) of.leave(token, "answered", "", 0)
      assert.strictEqual(of.state(), slowRate === 0 ? "ramp" : "open")
      assert.strictEqual(wave(of).length, slowRate === 0 ? 4 : 0)
    }
  })
})

describe("the open time", () => {
  const opened = (of: ReturnType<typeof driven>) => of.changes.flatMap(({ openMillis }) => openMillis ?? [])

  it("doubles with each relapse up to its maximum, and is short again after a stable period", () => {
    const of = driven({ probes: 1, stableFor: "30 seconds" })
    of.trip()
    for (const wait of [1000, 2000, 4000, 8000, 8000]) {
      of.pass(wait)
      of.ask("failed")
    }
    assert.deepEqual(opened(of), [1000, 2000, 4000, 8000, 8000, 8000])
    of.pass(8000)
    of.ask("answered")
    of.pass(29_999)
    of.trip()
    assert.strictEqual(opened(of).at(-1), 8000, "closed for a moment too short")
    of.pass(8000)
    of.ask("answered")
    of.pass(30_000)
    of.trip()
    assert.strictEqual(opened(of).at(-1), 1000)
  })

  it("is spread by its jitter to either side", () => {
    const lengths = [0, 0.5, 1].map((random) => {
      const { gate, instance, row } = livingGate(Policy.circuitBreaker({ minimumCalls: 1, openFor: 1000, jitter: 0.2 }))
      const attempt = attemptAt(row, 5000, { random })
      const token = gate.enter(attempt)
      if (typeof token === "number") gate.leave(attempt, token, "failed", 5000, 5000)
      assert.strictEqual(instance.state()["circuit"], "open")
      const refused = gate.enter(attempt)
      return refused instanceof Refused.Refused ? refused.retryAfterMillis : undefined
    })
    assert.deepEqual(lengths, [800, 1000, 1200])
  })

  it("does not grow by what an operator did by hand", () => {
    const of = driven({ probes: 1 })
    of.hand("open")
    of.hand("open")
    of.hand("close")
    of.trip()
    assert.deepEqual(opened(of), [1000, 1000, 1000])
  })

  it("ends early when the downstream says that it is healthy", () => {
    const of = driven({ probes: 1 })
    of.trip()
    of.pass(10)
    assert.strictEqual(of.ask("answered"), "refused")
    of.hand("healthy")
    assert.strictEqual(of.ask("answered"), "passed")
    assert.strictEqual(of.state(), "closed")
    assert.deepEqual(
      of.changes.map(({ reason }) => reason),
      ["failure-rate", "reported-healthy", "probes-answered"]
    )
  })
})

describe("a transition", () => {
  it("carries its reason, the rates that it was judged by, and the time to the next step", () => {
    const of = driven({ slow: "100 millis", slowRate: 0.9 })
    const slow = of.token()
    of.pass(100)
    of.leave(slow, "answered", "", 0)
    of.ask("failed")
    const { from, to, reason, calls, failures, slow: slows, openMillis, at } = of.changes[0] ?? {}
    assert.deepEqual(
      { from, to, reason, calls, failures, slows, openMillis, at },
      {
        from: "closed",
        to: "open",
        reason: "failure-rate",
        calls: 2,
        failures: 1,
        slows: 1,
        openMillis: 1000,
        at: 1_000_100
      }
    )
  })

  it("leaves in every refusal what it was opened by", () => {
    const of = driven({ window: "1 second", probes: 1 })
    of.trip()
    of.pass(1000)
    of.token()
    const refused = of.enter()
    assert.deepEqual(refused instanceof Refused.Refused ? refused.state : undefined, {
      circuit: "half-open",
      calls: 2,
      failures: 2,
      slow: 0,
      probing: 1
    })
  })
})

describe("modes", () => {
  it("in the dark runs its whole state machine, refuses nobody, and lets no probe outlive its caller", () => {
    const of = driven({ mode: "dark", probes: 1 })
    of.trip()
    assert.strictEqual(of.state(), "open")
    assert.strictEqual(of.ask("failed"), "passed")
    assert.deepEqual(of.refusals, ["dark"])
    of.pass(1000)
    const attempt = attemptAt(of.row, 1_001_000)
    const { form } = of.instance
    if (form._tag !== "Gate") throw new Error("not a gate")
    const token = form.gate.enter(attempt)
    assert.strictEqual(attempt.outlives, 0)
    assert.strictEqual(of.state(), "half-open")
    assert.strictEqual(of.ask("failed"), "passed", "it would have been refused, so it does not count")
    assert.strictEqual(of.state(), "half-open")
    if (typeof token === "number") form.gate.leave(attempt, token, "answered", 1_001_000, 1_001_000)
    assert.strictEqual(of.state(), "closed")
  })

  it("forced closed counts on, so that `on` judges by what was seen", () => {
    const of = driven({ mode: "forced-closed", minimumCalls: 4 })
    for (let call = 0; call < 6; call++) assert.strictEqual(of.ask("failed"), "passed")
    assert.strictEqual(of.state(), "closed")
    of.turn({ mode: "on" })
    of.ask("failed")
    assert.strictEqual(of.state(), "open")
  })

  it("forced open refuses without a hint, and on again goes on from where it was", () => {
    const of = driven({})
    of.turn({ mode: "forced-open" })
    const refused = of.enter()
    assert.instanceOf(refused, Refused.Refused)
    assert.isUndefined(refused instanceof Refused.Refused ? refused.retryAfterMillis : 0)
    of.turn({ mode: "on" })
    assert.strictEqual(of.ask("answered"), "passed")
  })

  it("off does not count, not even what began before", () => {
    const of = driven({})
    const tokens = [of.token(), of.token()]
    of.turn({ mode: "off" })
    for (const token of tokens) of.leave(token, "failed")
    assert.strictEqual(of.state(), "closed")
  })
})

describe("knobs that are turned", () => {
  it("keep what a window by count holds when it becomes one by time, and the other way round", () => {
    const counted = driven({ windowCalls: 10, minimumCalls: 4 })
    counted.ask("failed")
    counted.ask("answered")
    counted.ask("failed")
    counted.turn({ windowCalls: 0 })
    counted.ask("failed")
    assert.strictEqual(counted.state(), "open")
    const timed = driven({ minimumCalls: 4 })
    timed.ask("failed")
    timed.pass(3000)
    timed.ask("failed")
    timed.ask("failed")
    timed.turn({ windowCalls: 10 })
    timed.ask("failed")
    assert.strictEqual(timed.state(), "open")
    assert.strictEqual(timed.changes[0]?.calls, 4)
  })

  it("keep the rates when a large window becomes a small one by count", () => {
    const of = driven({ minimumCalls: 4 })
    of.turn({ mode: "forced-closed" })
    for (let call = 0; call < 400; call++) of.ask(call % 4 === 0 ? "failed" : "answered")
    of.turn({ windowCalls: 8, mode: "on" })
    of.ask("failed")
    assert.strictEqual(of.state(), "closed", "2 of 8, then 3 of 8 at most")
    of.ask("failed")
    of.ask("failed")
    of.ask("failed")
    assert.strictEqual(of.state(), "open")
  })

  it("are refused where a window by count could never reach its minimum", () => {
    const [part] = Policy.circuitBreaker({ windowCalls: 10 }).parts
    const values = { ...livingGate(Policy.circuitBreaker({ windowCalls: 10 })).instance.values, minimumCalls: 11 }
    assert.deepEqual(part?.problems(values), [
      "windowCalls (10) must be at least minimumCalls (11): it would never open"
    ])
  })

  it("send those who wait for a probe to the gate again", () => {
    const of = driven({ probes: 1, probeWait: "1 second" })
    of.trip()
    of.pass(1000)
    of.token()
    const ticket = of.enter()
    assert.instanceOf(ticket, Gate.Ticket)
    of.turn({ mode: "off" })
    assert.isTrue(ticket instanceof Gate.Ticket && ticket.again)
  })
})

describe("a circuit per key", () => {
  it("opens for its key alone", () => {
    const of = driven({ keysMax: 10 })
    of.trip("eu")
    assert.strictEqual(of.ask("answered", "eu"), "refused")
    assert.strictEqual(of.ask("answered", "us"), "passed")
    assert.deepEqual(of.instance.state(), { keys: 2, notClosed: 1 })
    assert.strictEqual(of.changes[0]?.key, "eu")
  })

  it("never forgets an open one while a closed one is there", () => {
    const of = driven({ keysMax: 40, openFor: "1 hour", openMax: "1 hour" })
    for (let key = 0; key < 39; key++) of.trip(`open ${key}`)
    for (let key = 0; key < 500; key++) of.ask("answered", `closed ${key}`)
    assert.deepEqual(of.instance.state(), { keys: 40, notClosed: 39 })
    for (let key = 0; key < 39; key++) assert.strictEqual(of.ask("answered", `open ${key}`), "refused")
  })

  it("forgets the longest unused of the open ones where all are open", () => {
    const of = driven({ keysMax: 3 })
    for (const key of ["a", "b", "c"]) of.trip(key)
    of.ask("answered", "a")
    of.trip("d")
    assert.strictEqual(of.instance.state()["keys"], 3)
    assert.strictEqual(of.ask("answered", "a"), "refused")
    assert.strictEqual(of.ask("answered", "b"), "passed", "b was forgotten")
  })

  it("takes the result of a call whose circuit was forgotten meanwhile for a late one", () => {
    const of = driven({ keysMax: 1, minimumCalls: 1 })
    const token = of.token("a")
    of.ask("answered", "b")
    of.ask("answered", "a")
    of.leave(token, "failed", "a")
    assert.strictEqual(of.ask("answered", "a"), "passed")
  })

  it("gives back its probes when keys are turned off while they run", () => {
    const of = driven({ keysMax: 2, probes: 1 })
    of.trip("a")
    of.pass(1000)
    const probe = of.token("a")
    of.turn({ keysMax: 0 })
    of.leave(probe, "aborted", "a")
    of.turn({ keysMax: 2 })
    assert.strictEqual(of.ask("answered", "a"), "passed")
  })
})

describe("a clock that jumps", () => {
  it("back keeps nothing open or half-open for longer", () => {
    const of = driven({ probes: 1 })
    of.trip()
    of.pass(-500_000)
    const probe = of.token()
    of.pass(-100_000)
    assert.strictEqual(of.ask("answered"), "passed", "the probe is lost")
    of.leave(probe, "failed")
    assert.strictEqual(of.state(), "closed")
  })

  it("forward ends the open time, and forgets what the window held", () => {
    const of = driven({ minimumCalls: 3 })
    of.trip()
    of.pass(86_400_000)
    of.ask("failed")
    assert.strictEqual(of.state(), "closed")
  })
})

describe("what counts", () => {
  it.effect("a bulkhead within that is full does not open it", () =>
    Effect.gen(function* () {
      const policy = Policy.stack(
        Policy.circuitBreaker({ minimumCalls: 2 }),
        Policy.bulkhead({ permits: 1, queueMax: 0 })
      )
      const { intercept, state } = yield* living(policy)
      const busy = yield* Effect.forkChild(ending(intercept(Effect.never)))
      yield* Effect.yieldNow
      for (let call = 0; call < 50; call++) assert.strictEqual(yield* ending(intercept(good)), "BULKHEAD_FULL")
      assert.strictEqual(state().circuit, "closed")
      yield* Fiber.interrupt(busy)
    })
  )

  it.effect("a refusal is a value, so that a probe of an inner refusal stays neutral", () =>
    Effect.gen(function* () {
      const { intercept, state } = yield* living(Policy.circuitBreaker({ minimumCalls: 1, probes: 1, ramp: false }))
      yield* ending(intercept(bad))
      yield* TestClock.adjust("2 seconds")
      const full = Call.permanent(Refused.make({ policy: "bulkhead", reason: "BULKHEAD_FULL" }))
      yield* ending(intercept(full))
      assert.deepEqual(state(), { circuit: "half-open", probing: 0 })
    })
  )
})
