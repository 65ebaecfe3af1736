/**
 * Random histories through the adaptive limit and through a model that keeps one list
 * of all calls. Which limit it finds is the simulation's matter; that it gives exactly
 * as many permits as it says, and moves only by what may teach it, is this one's.
 */
import { Gate, Policy } from "@failsoft/core"
import { assert, describe, it } from "vitest"
import { attemptAt, type Choices, livingGate, search } from "./history.ts"

type Op =
  | { readonly does: "enter" | "abandon"; readonly nth: number }
  | { readonly does: "leave"; readonly nth: number; readonly verdict: Gate.Verdict }
  | { readonly does: "turn"; readonly limitMin: number; readonly limitMax: number }

const verdicts = [
  "answered",
  "answered",
  "answered",
  "permanent",
  "timedOut",
  "overloaded",
  "failed",
  "aborted",
  "refused",
  "died"
] as const
const teach: ReadonlySet<Gate.Verdict> = new Set(["answered", "permanent", "timedOut", "overloaded"])

const history = (of: Choices): ReadonlyArray<Op> => {
  // Quiet stretches teach nothing, others only good or bad.
  let among: ReadonlyArray<Gate.Verdict> = verdicts
  return Array.from({ length: of.between(20, 300) }, (): Op => {
    if (of.chance(0.02))
      among = of.pick<ReadonlyArray<Gate.Verdict>>([
        verdicts,
        ["answered"],
        ["timedOut"],
        ["failed", "aborted", "refused", "died"]
      ])
    const roll = of.next()
    if (roll < 0.5) return { does: "enter", nth: 0 }
    const nth = of.between(0, 9)
    if (roll < 0.92) return { does: "leave", nth, verdict: among[of.between(0, among.length - 1)] ?? "answered" }
    if (roll < 0.97) return { does: "abandon", nth }
    return { does: "turn", limitMin: of.between(1, 3), limitMax: of.between(4, 12) }
  })
}

interface Modelled {
  is: "waiting" | "running" | "refused" | "gone"
  readonly admitted: ReturnType<Gate.Gate["enter"]>
  readonly at: number
}

const queueMax = 3

const differs =
  (mutant: (gate: Gate.Gate) => Gate.Gate = (gate) => gate) =>
  (ops: ReadonlyArray<Op>): string | undefined => {
    const policy = Policy.adaptiveLimit({ limitInitial: 4, limitMin: 2, limitMax: 8, queueMax, order: "fifo" })
    const { gate: real, instance, row } = livingGate(policy)
    const gate = mutant(real)
    const limit = () => Number(instance.state()["limit"])
    const calls: Array<Modelled> = []
    const those = (is: Modelled["is"]) => calls.filter((call) => call.is === is)
    let bounds = { limitMin: 2, limitMax: 8 }
    for (const [step, op] of ops.entries()) {
      const now = step * 7
      const before = limit()
      let mayMove = false
      if (op.does === "turn") {
        const { limitMax, limitMin } = op
        bounds = { limitMin, limitMax }
        mayMove = true
        instance.assign({ ...instance.values, ...bounds, limitInitial: 4 })
      } else if (op.does === "enter") {
        const admitted = gate.enter(attemptAt(row, now))
        const full = those("running").length >= before
        const is = full ? (those("waiting").length < queueMax ? "waiting" : "refused") : "running"
        const was = typeof admitted === "number" ? "running" : admitted instanceof Gate.Ticket ? "waiting" : "refused"
        if (is !== was) return `step ${step}: the call is ${was}, in the model ${is}`
        calls.push({ is, admitted, at: now })
      } else {
        const among = those(op.does === "leave" ? "running" : "waiting")
        const call = among[op.nth % Math.max(1, among.length)]
        if (call === undefined) continue
        const { admitted } = call
        call.is = "gone"
        if (op.does === "leave") {
          mayMove = teach.has(op.verdict)
          const token = admitted instanceof Gate.Ticket ? admitted.token : Number(admitted)
          gate.leave(attemptAt(row, now), token, op.verdict, now, call.at)
        } else if (admitted instanceof Gate.Ticket) gate.abandon?.(attemptAt(row, now), admitted, now)
      }
      if (!mayMove && limit() !== before) return `step ${step}: ${JSON.stringify(op)} moved the limit`
      if (limit() < bounds.limitMin || limit() > bounds.limitMax) return `step ${step}: the limit is ${limit()}`
      // Only who leaves and a turned knob let others go.
      while (op.does !== "enter" && op.does !== "abandon" && those("running").length < limit()) {
        const [next] = those("waiting")
        if (next === undefined) break
        next.is = "running"
      }
      for (const { admitted, is } of calls) {
        if (is === "gone" || !(admitted instanceof Gate.Ticket)) continue
        if (admitted.token >= 0 !== (is === "running")) return `step ${step}: a waiter is let go or held, wrongly`
      }
      const { running, waiting } = instance.state()
      if (running !== those("running").length || waiting !== those("waiting").length) {
        return `step ${step}: ${String(running)} run and ${String(waiting)} wait, in the model ${those("running").length} and ${those("waiting").length}`
      }
    }
    return undefined
  }

/** A gate that is told another verdict than the true one. */
const telling =
  (verdictOf: (verdict: Gate.Verdict) => Gate.Verdict) =>
  (gate: Gate.Gate): Gate.Gate => ({
    ...gate,
    leave: (attempt, token, verdict, now, startedAt) => gate.leave(attempt, token, verdictOf(verdict), now, startedAt)
  })

describe("the adaptive limit against its model", () => {
  it("agrees over 700 random histories", () => {
    assert.isUndefined(search(700, history, differs()))
  })

  const mutants: Readonly<Record<string, (gate: Gate.Gate) => Gate.Gate>> = {
    "learns from aborted calls": telling((verdict) => (verdict === "aborted" ? "timedOut" : verdict)),
    "learns from fast failures": telling((verdict) => (verdict === "failed" ? "answered" : verdict)),
    "gives nothing back after a defect": (gate) => ({
      ...gate,
      leave: (attempt, token, verdict, now, startedAt) => {
        if (verdict !== "died") gate.leave(attempt, token, verdict, now, startedAt)
      }
    }),
    "keeps the place of who gave up": ({ abandon: _, ...gate }) => gate
  }
  it.each(Object.keys(mutants))("finds one that %s", (name) => {
    assert.isDefined(search(700, history, differs(mutants[name])))
  })
})
