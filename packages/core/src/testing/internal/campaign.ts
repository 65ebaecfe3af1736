/**
 * A campaign: kept cases first, then runs without faults, each single fault, and
 * random plans, until a promise is broken.
 */
import * as Schema from "effect/Schema"
import * as Case from "../Case.ts"
import type { Sometimes } from "../Check.ts"
import type { Fault, Plan } from "../Fault.ts"
import type { Host } from "../Host.ts"
import * as Trace from "../Trace.ts"
import { arrivals } from "./arrivals.ts"
import { type Judged, judge, type Rules } from "./judge.ts"
import { type Cell, cellOf } from "./matrix.ts"
import * as plans from "./plans.ts"
import type { Case as Run, Setup } from "./run.ts"
import { shrink } from "./shrink.ts"

/** What a campaign does. */
export interface Campaign {
  readonly name: string
  readonly setup: Setup
  readonly rules: Rules
  readonly host: Host
  readonly seed: number
  readonly runs: number
  readonly shrinkRuns: number
  readonly faultsMillis: number
  readonly lengthMillis: number
  readonly matrix: boolean
  /** The faults that every two downstreams get at once. */
  readonly pairs: ReadonlyArray<Fault["kind"]>
  /** What is counted; that which needs a policy is left out where the composition has no such policy. */
  readonly sometimes: Readonly<Record<string, { readonly needs: string | undefined; readonly seen: Sometimes }>>
  /** A plan to run instead of all others. */
  readonly replay: Case.Case | undefined
}

/** Where in a campaign something was found. */
export type Stage = "replay" | "kept case" | "control" | "matrix" | "pairs" | "random"

/** A broken promise with the smallest case that breaks it. */
export interface Found {
  readonly stage: Stage
  readonly run: Run
  readonly judged: Judged
  /** The runs until it was found, and those that made it small. */
  readonly runs: number
  readonly shrinkRuns: number
  readonly file: string | undefined
  readonly case: Case.Case
}

/** How a campaign went. */
export interface Outcome {
  readonly name: string
  readonly seed: number
  readonly runs: number
  readonly matrix: ReadonlyArray<Cell>
  /** The same for every two downstreams that fail at once, as `a + b`. */
  readonly pairs: ReadonlyArray<Cell>
  /** In how many runs each thing happened, without those that the composition has no policy for. */
  readonly sometimes: Readonly<Record<string, number>>
  /** Kept cases whose trace is not what it was, or that cannot be replayed. */
  readonly notes: ReadonlyArray<string>
  readonly found: Found | undefined
}

/** So many seeds without any fault come first. */
const controls = 3

/** The ground on which plans are made. */
export const groundOf = ({ setup, faultsMillis }: Pick<Campaign, "setup" | "faultsMillis">): plans.Ground => ({
  downstreams: setup.fakes.flatMap(({ contract, regions }) => {
    const methods = Object.keys(contract.methods)
    return [
      { name: contract.name, methods },
      ...(regions?.names ?? []).map((region) => ({ name: `${contract.name}.${region}`, methods }))
    ]
  }),
  faultsMillis,
  deadlineMillis: setup.deadlineMillis
})

const trafficOf = ({ setup, lengthMillis }: Pick<Campaign, "setup" | "lengthMillis">, seed: number) =>
  arrivals(setup.traffic, { seed, lengthMillis, deadlineMillis: setup.deadlineMillis })

/** The random case of a seed. */
export const randomCase = (of: Campaign, seed: number): Run => ({
  seed,
  salt: 0,
  preemption: plans.preemptionOf(seed),
  plan: plans.random(seed, groundOf(of)),
  arrivals: trafficOf(of, seed)
})

/** A kept case as a run; its traffic is known by its name. */
const revived = ({ setup }: Campaign, { plan, preemption, requests, salt, seed }: Case.Case): Run => ({
  seed,
  salt,
  preemption,
  plan,
  arrivals: requests.flatMap(({ id, at, of, abortAfter }) => {
    const nth = setup.traffic.findIndex(({ name }) => name === of)
    return nth < 0 ? [] : [{ id, of: nth, at, abortAfter }]
  })
})

const kept = (of: Campaign, run: Run, { trace, violation }: Judged): Case.Case => ({
  version: 1,
  name: of.name,
  rule: violation?.rule ?? "",
  detail: violation?.detail ?? "",
  seed: run.seed,
  salt: run.salt,
  preemption: run.preemption,
  plan: run.plan,
  requests: run.arrivals.map(({ id, of: nth, at, abortAfter }) => ({
    id,
    of: of.setup.traffic[nth]?.name ?? "",
    at,
    ...(abortAfter === undefined ? {} : { abortAfter })
  })),
  traceHash: Trace.hash(trace)
})

const slug = (text: string) =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")

/** The name of a case's files. */
export const fileOf = ({ rule, seed }: Case.Case) => `${slug(rule)}-${seed}`

class Running {
  runs = 0
  readonly matrix: Array<Cell> = []
  readonly pairs: Array<Cell> = []
  readonly notes: Array<string> = []
  /** The kinds of policies that the composition has, as its runs show them. */
  readonly kinds = new Set<string>()
  private readonly counts = new Map<string, number>()
  private readonly of: Campaign

  constructor(of: Campaign) {
    this.of = of
    for (const name of Object.keys(of.sometimes)) this.counts.set(name, 0)
  }

  /** In how many runs each thing happened that can happen. */
  get sometimes(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      [...this.counts].filter(([name]) => {
        const needs = this.of.sometimes[name]?.needs
        return needs === undefined || this.kinds.has(needs)
      })
    )
  }

  /** Runs a case; what it finds, made small. */
  try(stage: Stage, run: Run, onTrace: (trace: Trace.Trace) => void = () => {}): Found | undefined {
    const { of } = this
    this.runs++
    const judged = judge(of.setup, run, of.rules)
    onTrace(judged.trace)
    for (const { kind } of judged.trace.policies) this.kinds.add(kind)
    for (const [name, { seen }] of Object.entries(of.sometimes)) {
      if (seen(judged.trace)) this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
    }
    if (judged.violation === undefined) return undefined
    this.tell(`found: ${judged.violation.rule}; making it small`)
    const small =
      stage === "replay" || stage === "kept case"
        ? { of: run, judged, runs: 0 }
        : shrink(of.setup, of.rules, run, judged, of.shrinkRuns)
    const record = kept(of, small.of, small.judged)
    const file =
      stage === "kept case" || stage === "replay"
        ? undefined
        : of.host.keep(of.name, `${fileOf(record)}.json`, `${JSON.stringify(record, null, 2)}\n`)
    return { stage, run: small.of, judged: small.judged, runs: this.runs, shrinkRuns: small.runs, file, case: record }
  }

  tell(line: string): void {
    this.of.host.progress(`${this.of.name}: ${line}`)
  }

  /** All stages in their order, until something is found. */
  *stages(): Generator<Found | undefined> {
    const { of } = this
    if (of.replay !== undefined) {
      yield this.replayed("replay", of.replay, "the replayed case")
      return
    }
    for (const { file, text } of of.host.cases(of.name)) {
      const read = Schema.decodeUnknownExit(Schema.fromJsonString(Case.Case))(text)
      if (read._tag === "Success") yield this.replayed("kept case", read.value, file)
      else this.notes.push(`${file} is not a case of this version; remove it`)
    }
    for (let nth = 0; nth < controls; nth++) {
      const { seed } = { seed: of.seed + nth }
      const run = {
        seed,
        salt: 0,
        preemption: plans.preemptionOf(seed),
        plan: { faults: [] },
        arrivals: trafficOf(of, seed)
      }
      yield this.try("control", run)
    }
    if (of.matrix) yield* this.singles()
    if (of.pairs.length > 0) yield* this.twos()
    for (let nth = 0; nth < of.runs; nth++) {
      if (nth % 10 === 0) this.tell(`run ${nth} of ${of.runs}`)
      yield this.try("random", randomCase(of, of.seed + nth))
    }
  }

  private replayed(stage: Stage, record: Case.Case, file: string): Found | undefined {
    const found = this.try(stage, revived(this.of, record), (trace) => {
      if (Trace.hash(trace) !== record.traceHash) this.notes.push(`${file}: the trace has changed since it was kept`)
    })
    return found === undefined ? undefined : { ...found, file }
  }

  private *singles(): Generator<Found | undefined> {
    const { of } = this
    const ground = groundOf(of)
    for (const { name } of ground.downstreams) {
      this.tell(`single faults of ${name}`)
      for (const kind of plans.kinds) {
        const run = stated(of, plans.single(name, kind, ground))
        yield this.try("matrix", run, (trace) => this.matrix.push(cellOf(name, kind, trace)))
      }
    }
  }

  private *twos(): Generator<Found | undefined> {
    const { of } = this
    const ground = groundOf(of)
    for (const [nth, { name: one }] of ground.downstreams.entries()) {
      for (const { name: other } of ground.downstreams.slice(nth + 1)) {
        // A downstream and its own region are that downstream.
        if (other.startsWith(`${one}.`)) continue
        this.tell(`${one} and ${other} at once`)
        for (const kind of of.pairs) {
          const run = stated(of, plans.pair(one, other, kind, ground))
          yield this.try("pairs", run, (trace) => this.pairs.push(cellOf(`${one} + ${other}`, kind, trace)))
        }
      }
    }
  }
}

/** A run of a plan that is known beforehand: nobody goes away, and nothing is by chance but the traffic. */
const stated = (of: Campaign, plan: Plan): Run => ({
  seed: of.seed,
  salt: 0,
  preemption: 0,
  plan,
  arrivals: trafficOf(of, of.seed).map((arrival) => ({ ...arrival, abortAfter: undefined }))
})

/** Runs a campaign to its end, or to the first broken promise. */
export const search = (of: Campaign): Outcome => {
  const running = new Running(of)
  let found: Found | undefined
  for (const one of running.stages()) {
    found = one
    if (found !== undefined) break
  }
  running.tell(found === undefined ? `${running.runs} runs, nothing found` : `found in run ${found.runs}`)
  return {
    name: of.name,
    seed: of.seed,
    runs: running.runs,
    matrix: running.matrix,
    pairs: running.pairs,
    sometimes: running.sometimes,
    notes: running.notes,
    found
  }
}
