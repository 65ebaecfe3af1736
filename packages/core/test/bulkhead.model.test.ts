/** Random histories through the bulkhead and through a model that keeps one list of all calls. */
import { Gate, Policy } from "@failsoft/core"
import { assert, describe, it } from "vitest"
import { attemptAt, type Choices, livingGate, search } from "./history.ts"

type Knobs = {
  readonly permits: number
  readonly queueMax: number
  readonly order: "fifo" | "lifo" | "adaptive"
  readonly mode: "on" | "dark" | "off"
}

type Op = { readonly does: "enter" | "leave" | "abandon"; readonly nth: number } | { readonly turn: Partial<Knobs> }

/** A call in the order of arrival: `free` passes without a permit. */
interface Modelled {
  is: "waiting" | "running" | "free" | "refused" | "gone"
}

const initial: Knobs = { permits: 2, queueMax: 2, order: "fifo", mode: "on" }

const history = (of: Choices): ReadonlyArray<Op> =>
  Array.from({ length: of.between(10, 60) }, (): Op => {
    const roll = of.next()
    if (roll < 0.5) return { does: "enter", nth: 0 }
    if (roll < 0.8) return { does: "leave", nth: of.between(0, 9) }
    if (roll < 0.9) return { does: "abandon", nth: of.between(0, 9) }
    return {
      turn: of.pick<Partial<Knobs>>([
        { permits: of.between(1, 4) },
        { queueMax: of.between(0, 5) },
        { order: of.pick(["fifo", "lifo", "adaptive"]) },
        { mode: of.pick(["on", "on", "dark", "off"]) }
      ])
    }
  })

/** What a list of all calls says: who runs follows from who came, who went, and the rules. */
const serve = (calls: ReadonlyArray<Modelled>, { mode, order, permits, queueMax }: Knobs): void => {
  for (;;) {
    const waiting = calls.filter(({ is }) => is === "waiting")
    const running = calls.filter(({ is }) => is === "running").length
    const latestFirst = order === "lifo" || (order === "adaptive" && waiting.length > queueMax / 2)
    const next = latestFirst ? waiting.at(-1) : waiting[0]
    if (next === undefined || (mode === "on" && running >= permits)) return
    next.is = "running"
  }
}

const arrives = (calls: ReadonlyArray<Modelled>, { mode, permits, queueMax }: Knobs): Modelled => {
  const count = (state: Modelled["is"]) => calls.filter(({ is }) => is === state).length
  if (mode === "off") return { is: "free" }
  if (mode === "dark" || count("running") < permits) return { is: "running" }
  return { is: count("waiting") < queueMax ? "waiting" : "refused" }
}

type Values = (of: Knobs) => Knobs
type Mutant = (gate: Gate.Gate) => Gate.Gate

const differs =
  (values: Values = (of) => of, mutant: Mutant = (gate) => gate) =>
  (ops: ReadonlyArray<Op>): string | undefined => {
    let knobs = initial
    const { gate: real, instance, row } = livingGate(Policy.bulkhead())
    const gate = mutant(real)
    instance.assign({ ...values(knobs) })
    const calls: Array<Modelled> = []
    const tokens = new Map<Modelled, number | Gate.Ticket>()
    for (const [at, op] of ops.entries()) {
      const attempt = attemptAt(row, at)
      if ("turn" in op) {
        knobs = { ...knobs, ...op.turn }
        instance.assign({ ...values(knobs) })
      } else if (op.does === "enter") {
        const call = arrives(calls, knobs)
        const admitted = gate.enter(attempt)
        const is = typeof admitted === "number" ? "passes" : admitted instanceof Gate.Ticket ? "waits" : "is refused"
        const expected = call.is === "waiting" ? "waits" : call.is === "refused" ? "is refused" : "passes"
        if (is !== expected) return `step ${at}: the call ${is}, but ${expected} in the model`
        calls.push(call)
        if (typeof admitted === "number" || admitted instanceof Gate.Ticket) tokens.set(call, admitted)
      } else {
        const wanted = op.does === "leave" ? ["running", "free"] : ["waiting"]
        const those = calls.filter(({ is }) => wanted.includes(is))
        const call = those[op.nth % Math.max(1, those.length)]
        const held = call === undefined ? undefined : tokens.get(call)
        if (call === undefined || held === undefined) continue
        call.is = "gone"
        if (op.does === "leave") gate.leave(attempt, typeof held === "number" ? held : held.token, "answered", at, at)
        else if (held instanceof Gate.Ticket) gate.abandon?.(attempt, held, at)
      }
      // Who left, and a knob that was turned, may let others go; who merely gave up its place lets nobody.
      if ("turn" in op || op.does === "leave") serve(calls, knobs)
      for (const [nth, call] of calls.entries()) {
        const held = tokens.get(call)
        if (call.is === "gone" || !(held instanceof Gate.Ticket)) continue
        const granted = held.token >= 0
        if (granted !== (call.is === "running"))
          return `step ${at}: call ${nth} is ${granted ? "let go" : "held"}, wrongly`
      }
      const { running, waiting } = instance.state()
      const counts = ["running", "waiting"].map((state) => calls.filter(({ is }) => is === state).length)
      if (`${String(running)},${String(waiting)}` !== counts.join()) {
        return `step ${at}: ${String(running)} run and ${String(waiting)} wait, in the model ${counts.join(" and ")}`
      }
    }
    return undefined
  }

describe("the bulkhead against its model", () => {
  it("agrees over 3000 random histories", () => {
    assert.isUndefined(search(3000, history, differs()))
  })

  const mutants: Readonly<Record<string, (ops: ReadonlyArray<Op>) => string | undefined>> = {
    "has one permit more": differs((of) => ({ ...of, permits: of.permits + 1 })),
    "has one place less": differs((of) => ({ ...of, queueMax: Math.max(0, of.queueMax - 1) })),
    "serves the latest first": differs((of) => ({ ...of, order: "lifo" })),
    "is fair when it should not be": differs((of) => ({ ...of, order: "fifo" })),
    "keeps the place of who gave up": differs(undefined, (gate) => {
      const { abandon: _, ...rest } = gate
      return rest
    }),
    "gives back twice": differs(undefined, (gate) => ({
      ...gate,
      leave: (...args) => {
        gate.leave(...args)
        gate.leave(...args)
      }
    }))
  }
  it.each(Object.entries(mutants))("finds a bulkhead that %s", (_bug, mutant) => {
    assert.isDefined(search(2000, history, mutant))
  })
})
