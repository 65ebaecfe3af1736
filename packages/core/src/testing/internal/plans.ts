/** Makes plans of faults, and the single faults of the matrix. */
import { type Choices, choices, draw } from "../Draw.ts"
import type { Disturbance, Fault, Plan, PlannedFault } from "../Fault.ts"

/** Windows begin and end on a grid, so that a plan is read at a glance. */
export const gridMillis = 500

/** From the least to the most surprising: a certain fault reads better. */
export const percents = [100, 50, 20, 5] as const

/** What plans are made for. */
export interface Ground {
  readonly downstreams: ReadonlyArray<{ readonly name: string; readonly methods: ReadonlyArray<string> }>
  /** Faults begin and end before this. */
  readonly faultsMillis: number
  readonly deadlineMillis: number
}

/** Each kind of fault, made strong or by chance. */
const makers: { readonly [K in Fault["kind"]]: (of: Choices, deadlineMillis: number) => Fault & { readonly kind: K } } =
  {
    latency: (of, deadline) => ({
      kind: "latency",
      millis: Math.max(1, Math.round(deadline * of.pick([2, 1, 0.5, 0.25, 0.1]))),
      ...(of.chance(0.3) ? { jitter: Math.max(1, Math.round(deadline / 4)) } : {})
    }),
    slow: (of) => ({ kind: "slow", factor: of.pick([100, 10, 3]) }),
    transient: (of) => ({
      kind: "transient",
      percent: of.pick(percents),
      ...(of.chance(0.3) ? { status: 429 as const } : {}),
      ...(of.chance(0.3) ? { retryAfterSeconds: of.pick([1, 5]) } : {})
    }),
    permanent: (of) => ({ kind: "permanent", percent: of.pick(percents) }),
    hang: () => ({ kind: "hang" }),
    drip: () => ({ kind: "drip" }),
    garbled: () => ({ kind: "garbled" }),
    partial: () => ({ kind: "partial" }),
    failAfter: (of) => ({ kind: "failAfter", percent: of.pick(percents) }),
    resetBefore: () => ({ kind: "resetBefore" }),
    resetAfter: () => ({ kind: "resetAfter" }),
    flap: (of) => ({ kind: "flap", upMillis: of.pick([500, 1000, 200]), downMillis: of.pick([500, 1000, 200]) }),
    capacity: (of) => ({ kind: "capacity", concurrent: of.pick([1, 2, 5]) }),
    down: () => ({ kind: "down" }),
    coldStart: (of) => ({ kind: "coldStart", millis: of.pick([2000, 5000]) })
  }

/** Every kind, in the order of the matrix. */
export const kinds = Object.keys(makers) as ReadonlyArray<Fault["kind"]>

/** Always the first choice: the strongest. */
const strong: Choices = { next: () => 0, between: (least) => least, chance: () => false, pick: ([first]) => first }

/** A single fault at full strength. */
export const single = (target: string, kind: Fault["kind"], ground: Ground): Plan => ({
  faults: [{ ...makers[kind](strong, ground.deadlineMillis), target, from: 1000, until: ground.faultsMillis }]
})

/** The same fault at full strength in two downstreams at once. */
export const pair = (one: string, other: string, kind: Fault["kind"], ground: Ground): Plan => ({
  faults: [one, other].flatMap((target) => single(target, kind, ground).faults)
})

const anyOf = <A>(of: Choices, items: ReadonlyArray<A>): A | undefined => items[of.between(0, items.length - 1)]

const target = (of: Choices, { downstreams }: Ground): PlannedFault["target"] => {
  const one = anyOf(of, downstreams)
  if (one === undefined) return "nobody"
  if (of.chance(0.2)) return `${one.name}/${anyOf(of, one.methods) ?? ""}`
  const other = anyOf(of, downstreams)
  // Some outages take several with them: a network, a database that they share.
  return other !== undefined && other !== one && of.chance(0.2) ? [one.name, other.name] : one.name
}

const window = (of: Choices, faultsMillis: number) => {
  const last = Math.max(1, Math.floor(faultsMillis / gridMillis))
  const from = of.between(0, last - 1)
  const length = of.chance(0.5) ? of.between(1, Math.min(4, last - from)) : of.between(1, last - from)
  return { from: from * gridMillis, until: (from + length) * gridMillis }
}

const fault = (of: Choices, ground: Ground): PlannedFault => {
  const kind = anyOf(of, kinds) ?? "down"
  const made = {
    ...makers[kind](of, ground.deadlineMillis),
    target: target(of, ground),
    ...window(of, ground.faultsMillis)
  }
  return {
    ...made,
    ...(of.chance(0.15) ? { first: of.between(1, 5) } : {}),
    ...(of.chance(0.1) && made.until < ground.faultsMillis
      ? { recoverMillis: Math.min(ground.faultsMillis - made.until, of.pick([1000, 2000])) }
      : {})
  }
}

const disturbances = (of: Choices, { deadlineMillis, faultsMillis }: Ground): ReadonlyArray<Disturbance> => [
  ...(of.chance(0.2)
    ? [
        {
          kind: "abort" as const,
          percent: of.pick(percents),
          afterMillis: of.pick([0, 1, 10, Math.round(deadlineMillis / 2)]),
          ...window(of, faultsMillis)
        }
      ]
    : []),
  ...(of.chance(0.05)
    ? [
        {
          kind: "clockJump" as const,
          byMillis: of.pick([-1000, 1000, -60_000, 60_000]),
          from: window(of, faultsMillis).from
        }
      ]
    : [])
]

/** A random plan. */
export const random = (seed: number, ground: Ground): Plan => {
  const of = choices(Math.floor(draw(seed, "plan") * 0x1_0000_0000))
  const faults = Array.from({ length: of.pick([1, 1, 2, 2, 3, 4]) }, () => fault(of, ground))
  const others = disturbances(of, ground)
  return { faults, ...(others.length > 0 ? { disturbances: others } : {}) }
}

/** The chance of a yield at any operation in a run. */
export const preemptionOf = (seed: number): number => [0, 0.02, 0.1, 0.3][Math.floor(draw(seed, "preemption") * 4)] ?? 0
