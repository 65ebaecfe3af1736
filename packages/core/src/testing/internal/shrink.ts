/**
 * Makes a counterexample small, as long as it breaks the same rule: fewer faults,
 * fewer requests, then plainer ones.
 */
import type { Disturbance, PlannedFault } from "../Fault.ts"
import { type Judged, judge, type Rules } from "./judge.ts"
import { gridMillis, percents } from "./plans.ts"
import type { Case, Setup } from "./run.ts"

/** A case that breaks a rule, with its run. */
export interface Shrunk {
  readonly of: Case
  readonly judged: Judged
  /** How many runs it took to make it small. */
  readonly runs: number
}

/** Where a case depends on its interleaving, a smaller one may need another. */
const salts = [0, 1, 2, 3]

class Shrinker {
  runs = 0
  of: Case
  judged: Judged
  private readonly setup: Setup
  private readonly rules: Rules
  private readonly rule: string
  private readonly runsMax: number

  constructor(setup: Setup, rules: Rules, of: Case, judged: Judged, runsMax: number) {
    this.setup = setup
    this.rules = rules
    this.of = of
    this.judged = judged
    this.rule = judged.violation?.rule ?? ""
    this.runsMax = runsMax
  }

  /** Takes the case where it still breaks the rule. */
  take(of: Case): boolean {
    for (const salt of of.preemption > 0 ? salts : [0]) {
      if (this.runs >= this.runsMax) return false
      this.runs++
      const salted = { ...of, salt: of.salt + salt }
      const judged = judge(this.setup, salted, this.rules)
      if (judged.violation?.rule !== this.rule) continue
      this.of = salted
      this.judged = judged
      return true
    }
    return false
  }

  /** Leaves out as much of a list as it can: halves, quarters, single ones. */
  fewer<A>(read: (of: Case) => ReadonlyArray<A>, write: (of: Case, items: ReadonlyArray<A>) => Case): void {
    for (let size = Math.ceil(read(this.of).length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let at = read(this.of).length - size; at > -size; at -= size) {
        const items = read(this.of)
        const from = Math.max(0, at)
        if (from >= items.length) continue
        this.take(write(this.of, [...items.slice(0, from), ...items.slice(at + size)]))
      }
    }
  }

  /** Tries plainer forms of each fault, the plainest first. */
  plainer(): void {
    for (let at = 0; at < this.of.plan.faults.length; at++) {
      for (const simplify of simplifications) {
        const fault = this.of.plan.faults[at]
        if (fault === undefined) continue
        for (const next of simplify(fault)) {
          const faults = this.of.plan.faults.map((of, nth) => (nth === at ? next : of))
          if (this.take({ ...this.of, plan: { ...this.of.plan, faults } })) break
        }
      }
    }
  }

  calmer(): void {
    if (this.of.preemption > 0) this.take({ ...this.of, preemption: 0, salt: 0 })
    if (this.of.arrivals.some(({ abortAfter }) => abortAfter !== undefined)) {
      this.take({ ...this.of, arrivals: this.of.arrivals.map((arrival) => ({ ...arrival, abortAfter: undefined })) })
    }
  }

  get size(): string {
    return JSON.stringify([this.of.plan, this.of.arrivals.length, this.of.preemption])
  }
}

const without = <K extends string>(fault: PlannedFault, key: K): ReadonlyArray<PlannedFault> => {
  if (!(key in fault)) return []
  const copy = { ...fault }
  Reflect.deleteProperty(copy, key)
  return [copy]
}

const simplifications: ReadonlyArray<(fault: PlannedFault) => ReadonlyArray<PlannedFault>> = [
  (fault) => without(fault, "first"),
  (fault) => without(fault, "recoverMillis"),
  (fault) => without(fault, "jitter"),
  (fault) => without(fault, "retryAfterSeconds"),
  (fault) => without(fault, "status"),
  (fault) =>
    "percent" in fault ? percents.filter((of) => of > fault.percent).map((percent) => ({ ...fault, percent })) : [],
  (fault) => (typeof fault.target === "string" ? [] : fault.target.map((target) => ({ ...fault, target }))),
  // The shortest window first.
  (fault) =>
    [1, 2, 4, 8]
      .map((lengths) => lengths * gridMillis)
      .filter((length) => length < fault.until - fault.from)
      .flatMap((length) => [
        { ...fault, until: fault.from + length },
        { ...fault, from: fault.until - length }
      ])
]

/** Makes it small with at most so many runs. */
export const shrink = (setup: Setup, rules: Rules, of: Case, judged: Judged, runsMax: number): Shrunk => {
  const shrinker = new Shrinker(setup, rules, of, judged, runsMax)
  const { violation } = judged
  if (violation !== undefined) {
    // What came after it has no part in it, for most rules.
    shrinker.take({ ...of, arrivals: of.arrivals.filter(({ at }) => at <= violation.at) })
  }
  for (let before = ""; before !== shrinker.size && shrinker.runs < runsMax; ) {
    before = shrinker.size
    shrinker.fewer<PlannedFault>(
      ({ plan }) => plan.faults,
      (now, faults) => ({ ...now, plan: { ...now.plan, faults } })
    )
    shrinker.fewer<Disturbance>(
      ({ plan }) => plan.disturbances ?? [],
      (now, disturbances) => ({
        ...now,
        plan: { faults: now.plan.faults, ...(disturbances.length > 0 ? { disturbances } : {}) }
      })
    )
    shrinker.fewer(
      ({ arrivals }) => arrivals,
      (now, arrivals) => ({ ...now, arrivals })
    )
    shrinker.calmer()
    shrinker.plainer()
  }
  return { of: shrinker.of, judged: shrinker.judged, runs: shrinker.runs }
}
