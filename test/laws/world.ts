/** Runs a case in virtual time, with seeded preemption, and writes down what happened. */
import { Call, ContractViolation, Policy, Signal, Transient } from "@failsoft/core"
import { Pump, Repeat } from "@failsoft/core/testing"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import { type Caller, rateWindowMillis, type Scenario, type Spec } from "./scenario.ts"
import { envelope, turnKnobs } from "./turns.ts"

/**
 * One attempt at the downstream. `end` is absent while it runs; `spoke` says that the downstream had its say;
 * `orphan` that its caller was gone before it ended.
 */
export interface AttemptTrace {
  readonly start: number
  end: number | undefined
  spoke: boolean
  orphan: boolean
  /** Whether it is among those of which there are no more at once than permits. */
  counted: boolean
  readonly does: string
}

/** One logical call. */
export interface CallTrace {
  readonly start: number
  settledAt: number | undefined
  result: string
  /** Whether an attempt of it began while the circuit was half-open. */
  probes: boolean
  readonly attempts: Array<AttemptTrace>
}

/** What happened: the calls, the most attempts at once, the signals, and the state at the end. */
export interface Trace {
  /** With the most of each knob that was in force at any time. */
  readonly scenario: Scenario
  readonly calls: ReadonlyArray<CallTrace>
  readonly inFlightMost: number
  readonly signals: ReadonlyArray<Signal.Signal>
  readonly state: Readonly<Record<string, number>>
  /** How the tenth healthy call ended after everything was over; a circuit that is not closed by then. */
  readonly afterwards: string
}

/** Makes the policy of a spec; a planted bug replaces some of them. */
export type Maker = (spec: Spec) => Policy.Policy

/** How long a probe may outlive its caller. */
export const probeMaxMillis = 1000

/** The policies as they are. */
export const sound: Maker = (spec) => {
  switch (spec.kind) {
    case "deadline":
      return Policy.deadline(spec.millis)
    case "timeout":
      return spec.adaptive
        ? Policy.adaptiveTimeout(spec.millis, { floor: 1, deadlineShare: 1, minimumCalls: 1 })
        : Policy.timeout(spec.millis)
    case "retry":
      return Policy.retry({ times: spec.times, base: 5, delayMax: 20 })
    case "circuitBreaker":
      return Policy.circuitBreaker({
        ...spec,
        failureRate: 0.5,
        openFor: spec.openMillis,
        openMax: 4 * spec.openMillis,
        window: "1 second",
        probeMax: probeMaxMillis
      })
    case "bulkhead":
      return Policy.bulkhead({ ...spec, waitMax: spec.waitMillis })
    case "adaptiveLimit":
      return Policy.adaptiveLimit({
        limitInitial: spec.permits,
        limitMax: spec.permits,
        limitMin: 1,
        queueMax: spec.queueMax,
        waitMax: spec.waitMillis
      })
    case "rateLimit":
      return Policy.rateLimit({ permits: spec.permits, window: rateWindowMillis, waitMax: spec.waitMillis })
    case "hedge":
      return Policy.hedge({
        delay: spec.delayMillis,
        hedgesMax: spec.hedgesMax,
        budgetRatio: 0,
        // A case is over before the ten seconds that the budget looks back.
        budgetPerSecond: spec.budget / 10
      })
  }
}

type Outcome = Call.Call<string, Transient.Transient, string | ContractViolation.ContractViolation>

const outcome = (does: string): Outcome => {
  switch (does) {
    case "answer":
      return Call.answer("answer")
    case "permanent":
      return Call.permanent("declined")
    case "violation":
      return Call.permanent(new ContractViolation.ContractViolation({ detail: "garbled" }))
    case "transient":
      return Call.transient(new Transient.Transient({ cause: "reset", applied: "unknown" }))
    case "die":
      return Effect.die("a defect")
    default:
      return Effect.never
  }
}

const wordOf = (exit: Exit.Exit<Effect.Success<Call.Call<unknown, unknown, unknown>>, unknown>): string => {
  if (Exit.isFailure(exit)) {
    const [reason] = exit.cause.reasons
    return reason?._tag === "Fail" ? "transient" : reason?._tag === "Die" ? "died" : "interrupted"
  }
  if (exit.value._tag === "Success") return "answered"
  const final: unknown = exit.value.failure
  return typeof final === "object" && final !== null && "reason" in final
    ? `refused:${String(final.reason)}`
    : "permanent"
}

const quietMillis = 5000

const story = (scenario: Scenario, maker: Maker): Effect.Effect<Trace, never, never> =>
  Effect.gen(function* () {
    const signals: Array<Signal.Signal> = []
    const bus = yield* Signal.make
    yield* bus.subscribe((signal) => signals.push(signal))
    const policies = scenario.stack.map(maker)
    const policy = Policy.stack(...policies)
    const built = yield* Policy.build(policy, { downstream: "d", method: "m", bus }, { fused: scenario.fused })
    yield* turnKnobs(scenario, policies, built.parts, bus)
    const clock = yield* Clock.Clock
    const now = () => clock.currentTimeMillisUnsafe()
    const hedged = scenario.stack.some(({ kind }) => kind === "hedge")
    let inFlight = 0
    let inFlightMost = 0

    const uncount = (attempt: AttemptTrace) => {
      if (attempt.counted) inFlight--
      attempt.counted = false
    }

    const orphan = (trace: CallTrace) => {
      for (const attempt of trace.attempts) {
        if (attempt.end !== undefined || attempt.orphan) continue
        attempt.orphan = true
        uncount(attempt)
      }
    }

    const attempt = (caller: Caller, trace: CallTrace): Outcome =>
      Effect.suspend(() => {
        let mine: AttemptTrace | undefined
        const body = Effect.suspend(() => {
          const step = caller.steps[Math.min(trace.attempts.length, caller.steps.length - 1)] ?? caller.steps[0]
          // Who asks again has given up the attempt before, and only a probe goes on without its caller; a hedge
          // asks beside it.
          if (!hedged) orphan(trace)
          // A probe holds no permit once a policy has given it up, which nobody can see from here.
          trace.probes ||= built.parts.some(({ instance }) => {
            const { circuit, notClosed } = instance.state()
            return circuit === "half-open" || (typeof notClosed === "number" && notClosed > 0)
          })
          const gone = trace.settledAt !== undefined
          const counted = !gone && !trace.probes
          mine = { start: now(), end: undefined, spoke: false, orphan: gone, counted, does: step.does }
          trace.attempts.push(mine)
          if (counted) inFlightMost = Math.max(inFlightMost, ++inFlight)
          return step.millis === 0 ? outcome(step.does) : Effect.delay(outcome(step.does), step.millis)
        })
        // The attempt begins inside the frame that notes its end: the witness must have no gap of its own.
        return Effect.onExit(body, (exit) =>
          Effect.sync(() => {
            if (mine === undefined) return
            mine.end = now()
            mine.spoke = Exit.isSuccess(exit) || !Cause.hasInterrupts(exit.cause)
            uncount(mine)
          })
        )
      })

    const call = (caller: Caller) =>
      Effect.gen(function* () {
        yield* Effect.sleep(caller.at)
        const trace: CallTrace = { start: now(), settledAt: undefined, result: "", probes: false, attempts: [] }
        calls.push(trace)
        const fiber = yield* Effect.forkChild(built.intercept(attempt(caller, trace)))
        // Who settles is known at the very step at which the call ends.
        fiber.addObserver((exit) => {
          trace.settledAt = now()
          trace.result = wordOf(exit)
          orphan(trace)
        })
        if (caller.abortAfter === undefined) yield* Fiber.await(fiber)
        else {
          // Who goes away at once does so between any two steps of the call.
          for (let left = -caller.abortAfter; left > 0; left--) yield* Effect.yieldNow
          if (caller.abortAfter > 0) yield* Effect.race(Fiber.await(fiber), Effect.sleep(caller.abortAfter))
          yield* Fiber.interrupt(fiber)
        }
      })

    const calls: Array<CallTrace> = []
    const all = yield* Effect.forkChild(
      Effect.forEach(scenario.callers, call, { concurrency: "unbounded", discard: true })
    )
    yield* Effect.sleep(quietMillis)
    // What still hangs hangs because no policy bounds it: its caller goes away.
    yield* Fiber.interrupt(all)
    yield* Effect.sleep(probeMaxMillis)
    const state: Record<string, number> = {}
    for (const { instance } of built.parts) {
      for (const [name, value] of Object.entries(instance.state())) {
        // Of two policies that count the same, neither hides what the other still holds.
        if (typeof value === "number") state[name] = (state[name] ?? 0) + value
      }
    }

    // Ten healthy calls, one a second: enough for the longest open time, the probes, and a ramp.
    let afterwards = ""
    for (let i = 0; i < 10; i++) {
      yield* Effect.sleep(1000)
      const fiber = yield* Effect.forkChild(built.intercept(Call.answer("well")))
      yield* Effect.sleep(1)
      afterwards = wordOf(yield* Fiber.await(fiber))
    }
    const circuits = built.parts.flatMap(({ instance }) => instance.state()["circuit"] ?? [])
    if (circuits.some((circuit) => circuit !== "closed")) afterwards = `the circuit is ${circuits.join(", ")}`
    return { scenario: envelope(scenario), calls, inFlightMost, signals, state, afterwards }
  }).pipe(Effect.scoped, Random.withSeed(`laws ${scenario.seed}`))

/** Runs a case; a yield may come at any operation, as on a busy machine. */
export const run = (scenario: Scenario, maker: Maker = sound): Trace => {
  const { seed, preemption } = scenario
  const exit = Repeat.checked(() => Pump.run(story(scenario, maker), { seed, preemption, startMillis: 0 }))
  if (Exit.isFailure(exit)) throw new Error(`seed ${scenario.seed} did not end: ${Cause.pretty(exit.cause)}`)
  return exit.value
}
