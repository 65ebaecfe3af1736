/** Random histories through the shedder and through a model that keeps one list of all requests. */
import { Gate, Shedder } from "@failsoft/core"
import { assert, describe, it } from "vitest"
import { attemptAt, type Choices, type LivingGate, livingGate, search } from "./history.ts"

type Knobs = {
  readonly limitMax: number
  readonly queueMax: number
  readonly defaultShare: number
  readonly sheddableShare: number
  readonly mode: "on" | "dark" | "off"
}

type Op =
  | {
      readonly does: "enter"
      readonly priority: Shedder.Priority
      readonly leftMillis: number
      readonly after: number
    }
  | { readonly does: "leave" | "abandon"; readonly nth: number; readonly after: number }
  | { readonly does: "turn"; readonly to: Partial<Knobs>; readonly after: number }

const initial: Knobs = { limitMax: 4, queueMax: 2, defaultShare: 0.9, sheddableShare: 0.6, mode: "on" }
const targetMillis = 5
const intervalMillis = 100

const history = (of: Choices): ReadonlyArray<Op> =>
  Array.from({ length: of.between(10, 80) }, (): Op => {
    const after = of.pick([0, 0, 1, 3, 20, 120])
    const roll = of.next()
    if (roll < 0.6) {
      const leftMillis = of.pick([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 2, 60])
      return { does: "enter", priority: of.pick(["critical", "default", "sheddable"]), leftMillis, after }
    }
    if (roll < 0.82) return { does: "leave", nth: of.between(0, 9), after }
    if (roll < 0.9) return { does: "abandon", nth: of.between(0, 9), after }
    return {
      does: "turn",
      after,
      to: of.pick<Partial<Knobs>>([
        { limitMax: of.between(1, 8) },
        { queueMax: of.between(0, 4) },
        { sheddableShare: of.pick([0.2, 0.5, 0.9]) },
        { mode: of.pick(["on", "on", "dark", "off"]) }
      ])
    }
  })

/** A request in the order of arrival: `free` passes without a place. */
interface Modelled {
  readonly rank: number
  readonly due: number
  is: "waiting" | "running" | "free" | "shed" | "gone"
}

/** What a list of all requests says. */
class Model {
  knobs = initial
  stoodFrom = 0
  readonly all: Array<Modelled> = []

  count = (is: Modelled["is"]) => this.all.filter((of) => of.is === is).length
  waiting = () => this.all.filter((of) => of.is === "waiting")

  places(rank: number): number {
    const { defaultShare, limitMax, sheddableShare } = this.knobs
    return Math.max(1, Math.floor(limitMax * ([1, defaultShare, sheddableShare][rank] ?? 0)))
  }

  arrives(rank: number, now: number, leftMillis: number): Modelled {
    const { mode, queueMax } = this.knobs
    const made = (is: Modelled["is"], due = 0) => {
      const request: Modelled = { rank, due, is }
      this.all.push(request)
      return request
    }
    if (mode === "off") return made("free")
    if (mode === "dark" || this.count("running") < this.places(rank)) return made("running")
    if (this.count("waiting") >= queueMax) {
      const least = Math.max(...this.waiting().map((of) => of.rank))
      const victim = this.waiting().find((of) => of.rank === least)
      if (victim === undefined || least <= rank) return made("shed")
      victim.is = "shed"
    }
    if (this.count("waiting") === 0) this.stoodFrom = now
    return made("waiting", Math.min(now + leftMillis, Math.max(now + targetMillis, this.stoodFrom + intervalMillis)))
  }

  serve(now: number): void {
    for (;;) {
      const first = Math.min(...this.waiting().map((of) => of.rank))
      const equals = this.waiting().filter((of) => of.rank === first)
      const next = now - this.stoodFrom > intervalMillis ? equals.at(-1) : equals[0]
      if (next === undefined) return
      if (this.knobs.mode === "on" && this.count("running") >= this.places(first)) return
      next.is = "running"
    }
  }
}

type Values = (of: Knobs) => Knobs
type Mutant = (gate: Gate.Gate) => Gate.Gate
type Mutation = { readonly values?: Values; readonly gate?: Mutant }

const living = ({ gate = (of) => of, values = (of) => of }: Mutation): LivingGate => {
  const real = livingGate(
    Shedder.policy({
      queueTarget: targetMillis,
      queueInterval: intervalMillis,
      limitInitial: 1,
      limitMin: 1,
      limitMax: 4
    })
  )
  real.instance.assign({ ...values(initial) })
  return { ...real, gate: gate(real.gate) }
}

const states = (token: number | Gate.Ticket | undefined, is: Modelled["is"]) =>
  token instanceof Gate.Ticket && is !== "gone"
    ? token.refusal !== undefined
      ? "shed"
      : token.token >= 0
        ? "running"
        : "waiting"
    : is

const differs =
  (mutation: Mutation = {}) =>
  (ops: ReadonlyArray<Op>): string | undefined => {
    const { gate, instance, row } = living(mutation)
    const model = new Model()
    const tokens = new Map<Modelled, { readonly got: number | Gate.Ticket; readonly attempt: Gate.Attempt }>()
    let now = 1_000_000
    const lateOnes = () => {
      for (const request of model.waiting().filter(({ due }) => due <= now)) {
        const of = tokens.get(request)
        if (of?.got instanceof Gate.Ticket && !of.got.settled)
          of.got.refuse(gate.abandon?.(of.attempt, of.got, now) ?? never())
        request.is = "shed"
      }
    }
    for (const [step, op] of ops.entries()) {
      now += op.after
      lateOnes()
      if (op.does === "enter") {
        const attempt = attemptAt(row, now, { key: op.priority, leftMillis: op.leftMillis })
        const foretold = gate.refuses?.(attempt) ?? false
        const got = gate.enter(attempt)
        const refused = typeof got !== "number" && !(got instanceof Gate.Ticket)
        if (foretold !== refused) return `step ${step}: ${foretold ? "a refusal" : "no refusal"} was foretold`
        const request = model.arrives(Shedder.priorities.indexOf(op.priority), now, op.leftMillis)
        const is = typeof got === "number" ? "passes" : got instanceof Gate.Ticket ? "waits" : "is shed"
        const expected = { waiting: "waits", shed: "is shed", running: "passes", free: "passes", gone: "" }[request.is]
        if (is !== expected) return `step ${step}: the request ${is}, but ${expected} in the model`
        if (got instanceof Gate.Ticket && got.waitMillis !== request.due - now) {
          return `step ${step}: the request may wait ${got.waitMillis} ms, but ${request.due - now} in the model`
        }
        if (typeof got === "number" || got instanceof Gate.Ticket) tokens.set(request, { got, attempt })
      } else if (op.does === "turn") {
        model.knobs = { ...model.knobs, ...op.to }
        instance.assign({ ...(mutation.values ?? ((of) => of))(model.knobs) })
        model.serve(now)
      } else {
        const candidates = model.all.filter(({ is }) =>
          op.does === "leave" ? is === "running" || is === "free" : is === "waiting"
        )
        const request = candidates[op.nth % Math.max(1, candidates.length)]
        const of = request && tokens.get(request)
        if (request === undefined || of === undefined) continue
        if (op.does === "abandon" && of.got instanceof Gate.Ticket) gate.abandon?.(of.attempt, of.got, now)
        else gate.leave(of.attempt, of.got instanceof Gate.Ticket ? of.got.token : of.got, "answered", now, now)
        const served = request.is === "running"
        request.is = "gone"
        if (served) model.serve(now)
      }
      for (const [request, { got }] of tokens) {
        const is = states(got, request.is)
        if (is !== request.is) return `step ${step}: a request is ${is}, but ${request.is} in the model`
      }
      const { running, waiting } = instance.state()
      if (running !== model.count("running") || waiting !== model.count("waiting")) {
        return `step ${step}: ${running} run and ${waiting} wait, but ${model.count("running")} and ${model.count("waiting")} in the model`
      }
    }
    return undefined
  }

const never = (): never => {
  throw new Error("the gate has no way to abandon")
}

const bugs: Readonly<Record<string, Mutation>> = {
  "a place too many": { values: (of) => ({ ...of, limitMax: of.limitMax + 1 }) },
  "a queue that is one longer": { values: (of) => ({ ...of, queueMax: of.queueMax + 1 }) },
  "sheddable work may fill what default work may": { values: (of) => ({ ...of, sheddableShare: of.defaultShare }) },
  "a wait that is longer than the caller's": {
    gate: (gate) => ({
      ...gate,
      enter: (attempt) => gate.enter({ ...attempt, key: () => attempt.key(), deadlineAt: Number.POSITIVE_INFINITY })
    })
  },
  "everybody is default": {
    gate: (gate) => ({ ...gate, enter: (attempt) => gate.enter({ ...attempt, key: () => "default" }) })
  },
  "a refusal that is not foretold": { gate: (gate) => ({ ...gate, refuses: () => false }) },
  "a refusal that is foretold to who is more important": {
    gate: (gate) => ({
      ...gate,
      refuses: (attempt) => gate.refuses?.({ ...attempt, key: () => "sheddable" }) ?? false
    })
  },
  "a place that does not come back": {
    gate: (gate) => {
      let left = 0
      return {
        ...gate,
        leave: (...of) => {
          if (++left % 5 !== 0) gate.leave(...of)
        }
      }
    }
  },
  "a client that went away goes on waiting": {
    gate: (gate) => ({ ...gate, abandon: (attempt) => Object(gate.enter(attempt)) })
  },
  "the dark sheds": { values: (of) => ({ ...of, mode: of.mode === "dark" ? "on" : of.mode }) }
}

describe("the shedder and its model", () => {
  it("agree on every history", () => {
    assert.isUndefined(search(1500, history, differs()))
  })

  it.each(Object.entries(bugs))("differ with a planted bug: %s", (_, bug) => {
    assert.isDefined(search(1500, history, differs(bug)))
  })
})

/** The state after a history, asked what one more request of this priority would get. */
const lastOne = (mutation: Mutation, ops: ReadonlyArray<Op>, priority: Shedder.Priority, delay = 0) => {
  const { gate, instance, row } = living(mutation)
  const inside: Array<{ readonly got: number | Gate.Ticket; readonly attempt: Gate.Attempt }> = []
  let now = 1_000_000
  for (const op of ops) {
    now += op.after
    if (op.does === "turn") instance.assign({ ...(mutation.values ?? ((of) => of))({ ...initial, ...op.to }) })
    else if (op.does === "enter") {
      const attempt = attemptAt(row, now, { key: op.priority })
      const got = gate.enter(attempt)
      if (typeof got === "number" || got instanceof Gate.Ticket) inside.push({ got, attempt })
    } else {
      const [one] = inside.splice(op.nth % Math.max(1, inside.length), 1)
      if (one === undefined) continue
      out(gate, one, now)
    }
  }
  const last = gate.enter(attemptAt(row, now + delay, { key: priority }))
  if (typeof last === "number") gate.leave(attemptAt(row, now, { key: priority }), last, "answered", now, now)
  if (last instanceof Gate.Ticket) gate.abandon?.(attemptAt(row, now), last, now)
  for (const one of inside) out(gate, one, now)
  return { admitted: typeof last === "number", state: instance.state(), gate, row, now }
}

const out = (
  gate: Gate.Gate,
  { attempt, got }: { readonly got: number | Gate.Ticket; readonly attempt: Gate.Attempt },
  now: number
) => {
  if (typeof got === "number") gate.leave(attempt, got, "aborted", now, now)
  else if (got.token >= 0) gate.leave(attempt, got.token, "aborted", now, now)
  else if (!got.settled) gate.abandon?.(attempt, got, now)
}

const laws: Readonly<Record<string, (mutation: Mutation) => (ops: ReadonlyArray<Op>) => string | undefined>> = {
  "nobody is kept out where somebody less important would be let in": (mutation) => (ops) => {
    const [critical, normal, sheddable] = Shedder.priorities.map((of) => lastOne(mutation, ops, of).admitted)
    if (normal === true && critical === false) return "default is let in, critical is not"
    return sheddable === true && normal === false ? "sheddable is let in, default is not" : undefined
  },
  "after a storm of requests and aborts nobody runs and nobody waits": (mutation) => (ops) => {
    const { running, waiting } = lastOne(mutation, ops, "default").state
    return running === 0 && waiting === 0 ? undefined : `${running} run and ${waiting} wait`
  },
  "after a storm everybody is let in again": (mutation) => (ops) => {
    const { gate, now, row } = lastOne(mutation, ops, "default")
    const kept = Shedder.priorities.filter((key) => {
      const attempt = attemptAt(row, now, { key })
      const got = gate.enter(attempt)
      if (typeof got !== "number") return true
      gate.leave(attempt, got, "answered", now, now)
      return false
    })
    return kept.length === 0 ? undefined : `${kept.join(", ")} kept out`
  }
}

const planted: Readonly<Record<keyof typeof laws, Mutation>> = {
  "nobody is kept out where somebody less important would be let in": {
    gate: (gate) => ({
      ...gate,
      enter: (attempt) =>
        gate.enter({ ...attempt, key: () => (attempt.key() === "critical" ? "sheddable" : attempt.key()) })
    })
  },
  "after a storm of requests and aborts nobody runs and nobody waits":
    bugs["a client that went away goes on waiting"] ?? {},
  "after a storm everybody is let in again": bugs["a place that does not come back"] ?? {}
}

describe("laws of shedding", () => {
  it.each(Object.entries(laws))("%s", (name, law) => {
    assert.isUndefined(search(600, history, law({})))
    assert.isDefined(search(600, history, law(planted[name] ?? {})), "its planted bug is found")
  })
})
