/** Random histories through the time limit and through a model that keeps every attempt and sorts. */
import type { Gate } from "@failsoft/core"
import { assert, describe, it } from "vitest"
import { TimeLimit, type TimeLimitValues } from "../src/internal/timeLimit.ts"
import { type Choices, search } from "./history.ts"

interface Op {
  readonly afterMillis: number
  readonly verdict: Gate.Verdict
  readonly millis: number
}

const values: TimeLimitValues = {
  limitMillis: 1000,
  floorMillis: 20,
  quantile: 0.9,
  factor: 1.5,
  minimumCalls: 5,
  windowMillis: 40_000
}

const history = (of: Choices): ReadonlyArray<Op> => {
  // Whole stretches of good and bad weather: single failures would never freeze it.
  let bad = 0
  let scale = 10
  return Array.from({ length: of.between(20, 200) }, (): Op => {
    if (of.chance(0.05)) {
      bad = of.pick([0, 0, 0.15, 0.9])
      scale = of.pick([1, 10, 100])
    }
    const failed = of.chance(bad)
    return {
      afterMillis: of.between(0, 3000),
      verdict: failed
        ? of.pick(["timedOut", "timedOut", "failed", "overloaded", "violated"])
        : of.pick(["answered", "answered", "answered", "permanent", "aborted", "refused", "died"]),
      millis: of.between(1, 5 * scale)
    }
  })
}

/** What the rules say, from the list of all attempts. */
class Model {
  limit = values.limitMillis
  private now = 0
  private lastStep = -1
  private stuckSince = -1
  quantile = 0
  private readonly seen: Array<{ readonly at: number; readonly millis: number; readonly verdict: Gate.Verdict }> = []

  /** `sketched` is the quantile as the other has it, which may be 2 % off; from there on it counts. */
  ended({ afterMillis, millis, verdict }: Op, sketched: () => number) {
    this.now += afterMillis
    const { now } = this
    const atLeast = verdict === "timedOut" ? Math.max(millis, this.limit) : millis
    if (verdict === "refused" || verdict === "died") return
    if (verdict !== "aborted" || millis > this.quantile) this.seen.push({ at: now, millis: atLeast, verdict })
    if (verdict === "aborted") return
    if (this.lastStep < 0) this.lastStep = now
    if (now - this.lastStep < 10_000) return
    this.lastStep = now
    const recent = this.seen.filter(
      ({ at, verdict }) => verdict !== "aborted" && Math.floor(at / 1000) > Math.floor(now / 1000) - 10
    )
    const failed = recent.filter(({ verdict }) => verdict !== "answered" && verdict !== "permanent")
    if (failed.length / recent.length > 0.2) {
      const own = failed.filter(({ verdict }) => verdict === "timedOut").length * 2 > failed.length
      if (!own) this.stuckSince = -1
      else if (this.stuckSince < 0) this.stuckSince = now
      else if (now - this.stuckSince >= 60_000) this.limit = Math.min(values.limitMillis, this.limit * 1.2)
      return
    }
    this.stuckSince = -1
    const half = values.windowMillis / 2
    const times = this.seen
      .filter(({ at, verdict }) => {
        const timed = verdict === "answered" || verdict === "permanent" || verdict === "timedOut"
        return (timed || verdict === "aborted") && Math.floor(at / half) >= Math.floor(now / half) - 1
      })
      .map(({ millis }) => millis)
      .sort((a, b) => a - b)
    if (times.length < values.minimumCalls) return
    const exact = times[Math.floor(values.quantile * (times.length - 1))] ?? 0
    this.quantile = Math.abs(sketched() - exact) <= 0.02 * exact + 1e-9 ? sketched() : exact
    const wanted = Math.min(values.limitMillis, Math.max(values.floorMillis, this.quantile * values.factor))
    this.limit = Math.min(this.limit * 1.2, Math.max(this.limit * 0.8, wanted))
  }
}

type Change = (op: Op) => Op | undefined

const differs =
  (change: Change = (op) => op) =>
  (ops: ReadonlyArray<Op>): string | undefined => {
    const limit = new TimeLimit(values)
    const model = new Model()
    let now = 0
    for (const [nth, op] of ops.entries()) {
      now += op.afterMillis
      const told = change(op)
      if (told !== undefined) limit.ended(told.millis, told.verdict, now)
      model.ended(op, () => limit.quantileMillis)
      if (Math.abs(limit.millis - model.limit) > 1e-6 || limit.quantileMillis !== model.quantile) {
        return `attempt ${nth}: the limit is ${limit.millis} ms of ${limit.quantileMillis} ms, in the model ${model.limit} of ${model.quantile}`
      }
    }
    return undefined
  }

describe("the time limit against its model", () => {
  it("agrees over 2000 random histories", () => {
    assert.isUndefined(search(2000, history, differs()))
  })

  const mutants: Readonly<Record<string, Change>> = {
    "forgets what it cut": (op) => (op.verdict === "timedOut" ? { ...op, verdict: "failed" } : op),
    "takes failures for answers": (op) => (op.verdict === "failed" ? { ...op, verdict: "answered" } : op),
    "does not count failures": (op) => (op.verdict === "failed" ? undefined : op),
    "takes who left for answered": (op) => (op.verdict === "aborted" ? { ...op, verdict: "answered" } : op),
    "counts refusals": (op) => (op.verdict === "refused" ? { ...op, verdict: "answered" } : op)
  }
  it.each(Object.keys(mutants))("finds one that %s", (name) => {
    assert.isDefined(search(2000, history, differs(mutants[name])))
  })
})
