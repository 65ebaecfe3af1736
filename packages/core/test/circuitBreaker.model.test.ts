/** Random histories through the breaker and through a model that keeps everything and counts nothing. */
import { Gate, type Knob, Policy } from "@failsoft/core"
import { assert, describe, it } from "vitest"
import { CircuitModel, type Knobs } from "./circuitModel.ts"
import { attemptAt, type Choices, livingGate, search } from "./history.ts"

type Op =
  | { readonly enter: number }
  | { readonly leave: number; readonly verdict: Gate.Verdict; readonly reached: boolean }
  | { readonly pass: number }
  | { readonly turn: Readonly<Record<string, Knob.Value>> }
  | { readonly hand: string }

const knobs: Knobs & { readonly probeWaitMillis: number } = {
  probeWaitMillis: 0,
  mode: "on",
  failureRate: 0.5,
  slowRate: 0,
  slowMillis: 0,
  minimumCalls: 3,
  consecutiveFailures: 0,
  consecutiveTimeouts: 0,
  windowMillis: 1000,
  windowCalls: 0,
  openMillis: 100,
  openMaxMillis: 350,
  jitter: 0.2,
  stableMillis: 400,
  probes: 2,
  probeMaxMillis: 250,
  ramp: true
}

const turned = (of: Choices): Readonly<Record<string, Knob.Value>> =>
  of.pick<Readonly<Record<string, Knob.Value>>>([
    { failureRate: of.pick([0.25, 0.5, 1]) },
    { slowMillis: of.pick([0, 20, 50]), slowRate: of.pick([0, 0.5]) },
    { minimumCalls: of.between(1, 5) },
    { consecutiveFailures: of.between(0, 3) },
    { consecutiveTimeouts: of.between(0, 3) },
    { openMillis: of.pick([50, 100]) },
    { probes: of.between(1, 4) },
    { ramp: of.chance(0.5) },
    { mode: of.pick(["on", "on", "on", "dark", "off", "forced-open", "forced-closed"]) }
  ])

const verdicts = [
  "answered",
  "answered",
  "answered",
  "permanent",
  "failed",
  "failed",
  "overloaded",
  "timedOut",
  "violated",
  "refused",
  "aborted",
  "died"
] as const

const history = (of: Choices): ReadonlyArray<Op> => {
  const windowCalls = of.pick([0, 0, 4, 8])
  // Some histories are mostly failures, some mostly answers: both ends of the machine are reached.
  const health = of.next()
  // Some have many timeouts, and runs of them that open it.
  const hanging = of.chance(0.3) ? 0.5 : 0
  const op = (): Op => {
    const roll = of.next()
    if (roll < 0.42) return { enter: of.next() }
    if (roll < 0.8) {
      const verdict = of.chance(hanging) ? "timedOut" : of.chance(health) ? "answered" : of.pick(verdicts)
      return { leave: of.between(0, 7), verdict, reached: of.chance(0.95) }
    }
    if (roll < 0.95) return { pass: of.pick([1, 5, 20, 60, 100, 300]) }
    return of.chance(0.8) ? { turn: turned(of) } : { hand: of.pick(["open", "close", "reset", "healthy"]) }
  }
  return [
    { turn: { windowCalls, jitter: of.pick([0, 0.2]), probeWaitMillis: of.pick([0, 50]) } },
    ...(hanging > 0
      ? [{ turn: { consecutiveTimeouts: of.between(1, 3), consecutiveFailures: of.between(0, 3) } }]
      : []),
    ...Array.from({ length: of.between(20, 90) }, op)
  ]
}

/** Plants a bug into the gate, or into the values that it reads. */
type Mutant = (gate: Gate.Gate) => Gate.Gate
const sound: Mutant = (gate) => gate

/** What was reached, so that the test can show that it tests something. */
const seen = new Map<string, number>()
let woken = 0

const differs =
  (mutant: Mutant, values: (of: Knobs) => Readonly<Record<string, Knob.Value>> = (of) => ({ ...of })) =>
  (ops: ReadonlyArray<Op>): string | undefined => {
    let now = 0
    let current = knobs
    const { gate: real, instance, row } = livingGate(Policy.circuitBreaker())
    const gate = mutant(real)
    instance.assign(values(current))
    const model = new CircuitModel(() => current)
    const flying: Array<{
      readonly token: number
      readonly at: number
      readonly expected: ReturnType<typeof model.enter>
    }> = []
    const waiting: Array<Gate.Ticket> = []
    const enters = (random: number): string | undefined => {
      const admitted = gate.enter(attemptAt(row, now, { random }))
      const expected = model.enter(now, random)
      const waits = expected === "refused" && current.mode === "on" && current.probeWaitMillis > 0 && model.probing
      const wanted = waits ? "waits" : expected === "refused" ? "is refused" : "passes"
      const got = typeof admitted === "number" ? "passes" : admitted instanceof Gate.Ticket ? "waits" : "is refused"
      if (got !== wanted) return `a call ${got}, but ${wanted} in the model`
      if (typeof admitted === "number") flying.push({ token: admitted, at: now, expected })
      else if (admitted instanceof Gate.Ticket) waiting.push(admitted)
      return undefined
    }
    /** Whoever was woken asks again; nobody waits where no probe is running. */
    const wakes = (): string | undefined => {
      for (const ticket of waiting.splice(0)) {
        if (!ticket.again) waiting.push(ticket)
        else {
          woken++
          const wrong = enters(0.5)
          if (wrong !== undefined) return wrong
        }
      }
      return waiting.length > 0 && !model.probing ? "a call waits for no probe" : undefined
    }
    for (const [nth, op] of ops.entries()) {
      if ("pass" in op) now += op.pass
      else if ("turn" in op) {
        current = { ...current, ...op.turn }
        instance.assign(values(current))
      } else if ("hand" in op) {
        instance.controls[op.hand]?.(row, now)
        model.byHand(op.hand, now)
      } else if ("enter" in op) {
        const wrong = enters(op.enter)
        if (wrong !== undefined) return `step ${nth}: ${wrong}`
      } else {
        const [flight] = flying.splice(op.leave % Math.max(1, flying.length), 1)
        if (flight === undefined) continue
        const startedAt = op.reached ? flight.at : -1
        gate.leave(attemptAt(row, now), flight.token, op.verdict, now, startedAt)
        if (typeof flight.expected === "object") model.leave(flight.expected, op.verdict, now, startedAt, 0.5)
      }
      const wrong = wakes()
      if (wrong !== undefined) return `step ${nth}: ${wrong}`
      const { circuit } = instance.state()
      if (circuit !== model.state) return `step ${nth}: it is ${String(circuit)}, not ${model.state}`
      seen.set(model.state, (seen.get(model.state) ?? 0) + 1)
    }
    return undefined
  }

describe("the circuit breaker against its model", () => {
  it("agrees over 3000 random histories, which reach every state", () => {
    seen.clear()
    assert.isUndefined(search(3000, history, differs(sound)))
    assert.isAbove(woken, 500)
    for (const state of ["closed", "open", "half-open", "ramp"]) assert.isAbove(seen.get(state) ?? 0, 2000, state)
  })

  const mutants: Readonly<Record<string, (ops: ReadonlyArray<Op>) => string | undefined>> = {
    "trips above the threshold only": differs(sound, (of) => ({
      ...of,
      failureRate: Math.min(1, of.failureRate + 1e-6)
    })),
    "lets one probe more in": differs(sound, (of) => ({ ...of, probes: of.probes + 1 })),
    "counts a caller's abort as a failure": differs((gate) => ({
      ...gate,
      leave: (attempt, token, verdict, now, startedAt) =>
        gate.leave(attempt, token, verdict === "aborted" ? "failed" : verdict, now, startedAt)
    })),
    "counts a permanent outcome as a failure": differs((gate) => ({
      ...gate,
      leave: (attempt, token, verdict, now, startedAt) =>
        gate.leave(attempt, token, verdict === "permanent" ? "failed" : verdict, now, startedAt)
    })),
    "counts late results": differs((gate) => {
      let latest = 0
      return {
        ...gate,
        enter: (attempt) => {
          const admitted = gate.enter(attempt)
          if (typeof admitted === "number") latest = admitted
          return admitted
        },
        leave: (attempt, _token, verdict, now, startedAt) => gate.leave(attempt, latest, verdict, now, startedAt)
      }
    }),
    "opens its end a millisecond late": differs((gate) => ({
      ...gate,
      enter: (attempt) => gate.enter({ ...attempt, now: attempt.now - 1 })
    })),
    "forgets to back off": differs(sound, (of) => ({ ...of, openMaxMillis: of.openMillis })),
    "does not look at timeouts in a row": differs(sound, (of) => ({ ...of, consecutiveTimeouts: 0 })),
    "takes a timeout for any failure": differs((gate) => ({
      ...gate,
      leave: (attempt, token, verdict, now, startedAt) =>
        gate.leave(attempt, token, verdict === "timedOut" ? "failed" : verdict, now, startedAt)
    })),
    "takes a run of timeouts for one, whatever else is heard": differs((gate) => ({
      ...gate,
      // Without a wait its second half has no time in which something could be heard.
      leave: (attempt, token, verdict, now, startedAt) =>
        gate.leave(attempt, token, verdict, now, verdict === "timedOut" && startedAt >= 0 ? now : startedAt)
    })),
    "takes a slow answer for a good one": differs(sound, (of) => ({ ...of, slowMillis: 0 }))
  }
  it.each(Object.entries(mutants))("finds a breaker that %s", (_bug, mutant) => {
    assert.isDefined(search(2000, history, mutant))
  })
})
