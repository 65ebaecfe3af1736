/** A case of the laws as plain data: a stack, what the downstream does, who calls when. */
import type { Draw } from "@failsoft/core/testing"

/** How many run, and how many wait for how long. */
interface Queue {
  readonly permits: number
  readonly queueMax: number
  readonly waitMillis: number
}

/** The window of every rate limit: shorter than what lies between two bursts of a healthy case. */
export const rateWindowMillis = 40

/** One policy with its knobs; times in milliseconds. */
export type Spec =
  | { readonly kind: "deadline"; readonly millis: number }
  | { readonly kind: "timeout"; readonly millis: number; readonly adaptive: boolean }
  | { readonly kind: "retry"; readonly times: number }
  | {
      readonly kind: "circuitBreaker"
      readonly minimumCalls: number
      readonly openMillis: number
      readonly probes: number
    }
  | ({ readonly kind: "bulkhead" } & Queue)
  /** The limit may find less than its permits, never more. */
  | ({ readonly kind: "adaptiveLimit" } & Queue)
  /** So many calls in any window of {@link rateWindowMillis}. */
  | { readonly kind: "rateLimit"; readonly permits: number; readonly waitMillis: number }
  | {
      readonly kind: "hedge"
      readonly delayMillis: number
      readonly hedgesMax: number
      /** How many extra attempts all calls may have together. */
      readonly budget: number
    }

/** What one attempt does, after `millis`. */
export interface Step {
  readonly does: "answer" | "permanent" | "violation" | "transient" | "hang" | "die"
  readonly millis: number
}

/**
 * A caller: when it comes, after how many milliseconds it goes away (a negative number counts steps instead), and
 * what its attempts meet (the last repeats).
 */
export interface Caller {
  readonly at: number
  readonly abortAfter: number | undefined
  readonly steps: readonly [Step, ...ReadonlyArray<Step>]
}

/** A case. `preemption` is the chance of a yield at any operation. */
export interface Scenario {
  readonly seed: number
  readonly stack: ReadonlyArray<Spec>
  readonly callers: ReadonlyArray<Caller>
  readonly preemption: number
  /** Whether neighbours in the stack share frames; every law holds either way. */
  readonly fused: boolean
  /** Knobs that are turned meanwhile. */
  readonly turns?: ReadonlyArray<Turn>
}

/** The knobs that say how a policy does what it does, rather than how much of it. */
export interface Manner {
  readonly kind: Spec["kind"]
  readonly mode?: string
  readonly keysMax?: number
  readonly others?: Readonly<Record<string, number | string>>
}

/** At a moment, some policies of the stack get the knobs of other specs of their kind, for a while or for good. */
export interface Turn {
  readonly at: number
  readonly specs: ReadonlyArray<Spec>
  readonly manners: ReadonlyArray<Manner>
  readonly expiresAfter: number | undefined
}

const spec = (kind: Spec["kind"], of: Draw.Choices): Spec => {
  switch (kind) {
    case "deadline":
      return { kind, millis: of.between(20, 400) }
    case "timeout":
      return { kind, millis: of.between(5, 120), adaptive: of.chance(0.3) }
    case "retry":
      return { kind, times: of.between(1, 3) }
    case "circuitBreaker":
      return { kind, minimumCalls: of.between(1, 6), openMillis: of.between(10, 200), probes: of.between(1, 3) }
    case "rateLimit":
      return { kind, permits: of.between(1, 6), waitMillis: of.chance(0.3) ? 0 : of.between(1, 120) }
    case "hedge":
      return { kind, delayMillis: of.between(10, 60), hedgesMax: of.between(1, 2), budget: of.between(1, 9) }
    case "bulkhead":
    case "adaptiveLimit":
      return { kind, permits: of.between(1, 4), queueMax: of.between(0, 4), waitMillis: of.between(5, 100) }
  }
}

/** Each kind with its share of the stacks. */
const kinds = {
  deadline: 0.75,
  timeout: 0.75,
  retry: 0.75,
  circuitBreaker: 0.75,
  bulkhead: 0.75,
  adaptiveLimit: 0.3,
  rateLimit: 0.3,
  hedge: 0.3
} as const

const isQueue = (of: Spec): of is Extract<Spec, Queue> => of.kind === "bulkhead" || of.kind === "adaptiveLimit"

const stack = (of: Draw.Choices): ReadonlyArray<Spec> => {
  const all = [
    "deadline",
    "timeout",
    "retry",
    "circuitBreaker",
    "bulkhead",
    "adaptiveLimit",
    "rateLimit",
    "hedge"
  ] as const
  const left: Array<Spec["kind"]> = all.filter((kind) => of.chance(kinds[kind]))
  const taken: Array<Spec> = []
  while (left.length > 0) {
    const [kind] = left.splice(of.between(0, left.length - 1), 1)
    if (kind !== undefined) taken.push(spec(kind, of))
  }
  return taken
}

const step = (of: Draw.Choices): Step => ({
  does: of.pick(["answer", "answer", "permanent", "violation", "transient", "transient", "transient", "hang", "die"]),
  millis: of.chance(0.4) ? 0 : of.between(1, 150)
})

/** A random case: bursts of callers at the same moment, some of whom go away. */
export const stormy = (seed: number, of: Draw.Choices): Scenario => ({
  seed,
  stack: stack(of),
  callers: Array.from({ length: of.between(1, 14) }, () => ({
    at: of.chance(0.6) ? 0 : of.between(0, 8) * 25,
    abortAfter: of.chance(0.4)
      ? of.pick([-of.between(1, 8), -of.between(1, 8), -of.between(1, 24), 1, of.between(0, 120)])
      : undefined,
    steps: [step(of), step(of), step(of), step(of)]
  })),
  preemption: of.pick([0, 0.02, 0.1, 0.3]),
  fused: of.chance(0.5)
})

/** How long a healthy downstream takes for its answer. */
const healthyMillis = 4

/** How many more than may run can come at once and still be answered in time by every limit of the stack. */
const waitersOf = (specs: ReadonlyArray<Spec>, permits: number): number => {
  const queues = specs.flatMap((of) => (isQueue(of) ? [of] : []))
  const waiters = Math.min(...queues.map(({ queueMax }) => queueMax), permits)
  const limits = specs.flatMap((of) =>
    of.kind === "timeout" || of.kind === "deadline" ? [of.millis] : isQueue(of) ? [of.waitMillis] : []
  )
  return queues.length > 0 && Math.min(...limits) > 2 * healthyMillis ? waiters : 0
}

/** Nothing is wrong: no more come at once than may run or wait, and each is answered with one attempt. */
export const healthy = (seed: number, of: Draw.Choices): Scenario => {
  const specs = stack(of)
  const permits = Math.min(8, ...specs.flatMap((of) => (isQueue(of) ? [of.permits] : [])))
  const rate = Math.min(...specs.map((of) => (of.kind === "rateLimit" ? of.permits : Number.POSITIVE_INFINITY)))
  const burst = Math.min(permits + waitersOf(specs, permits), rate)
  return {
    seed,
    stack: specs,
    // A burst as large as the permits and the queue, then time to finish, then the next.
    callers: Array.from({ length: of.between(1, 5) * burst }, (_, nth) => ({
      at: Math.floor(nth / burst) * 50,
      abortAfter: undefined,
      steps: [{ does: "answer", millis: healthyMillis }]
    })),
    preemption: of.pick([0, 0.02, 0.1, 0.3]),
    fused: of.chance(0.5)
  }
}

/** The downstream is well and says its final word often; callers still come at once and go away. */
export const firm = (seed: number, of: Draw.Choices): Scenario => {
  const storm = stormy(seed, of)
  const steps = (): Caller["steps"] => [{ does: of.chance(0.7) ? "permanent" : "answer", millis: of.between(0, 3) }]
  return { ...storm, callers: storm.callers.map((caller) => ({ ...caller, steps: steps() })) }
}

/** A bulkhead, and callers who come at once and go away within the first steps of their call. */
export const hasty = (seed: number, of: Draw.Choices): Scenario => ({
  seed,
  stack: [spec("bulkhead", of), ...(of.chance(0.5) ? [spec("timeout", of)] : [])],
  callers: Array.from({ length: of.between(4, 12) }, () => ({
    at: 0,
    abortAfter: -of.between(1, 12),
    steps: [{ does: of.pick(["answer", "hang"]), millis: of.between(0, 5) }]
  })),
  preemption: of.pick([0.1, 0.3]),
  fused: of.chance(0.5)
})

const manner = (kind: Spec["kind"], of: Draw.Choices): ReadonlyArray<Manner> => {
  const order = of.pick(["fifo", "lifo", "adaptive"])
  const keysMax = of.pick([0, 0, 1, 3])
  const mode = of.pick(["on", "on", "dark", "off"])
  switch (kind) {
    case "circuitBreaker":
      return [{ kind, keysMax, mode: of.pick([mode, "forced-open", "forced-closed"]) }]
    case "bulkhead":
      return [{ kind, keysMax, mode, others: { order } }]
    case "adaptiveLimit":
      return [{ kind, keysMax, mode, others: { order, algorithm: of.pick(["gradient", "vegas"]) } }]
    case "deadline":
      return [{ kind, mode: of.pick(["on", "dark"]) }]
    case "hedge":
      // Without a delay of its own it takes one from what it observes, within bounds.
      return [
        {
          kind,
          others: {
            delayMillis: 0,
            delayMinMillis: of.between(5, 30),
            delayMaxMillis: of.between(30, 90),
            minimumCalls: of.between(1, 3),
            quantile: of.pick([0.5, 0.9])
          }
        }
      ]
    default:
      return []
  }
}

/** As in the code again. */
const usual = ({ kind, keysMax, mode }: Manner): ReadonlyArray<Manner> =>
  mode === undefined ? [] : [{ kind, mode: "on", ...(keysMax === undefined ? {} : { keysMax: 0 }) }]

/** When the last knob is turned. */
const lastTurnMillis = 260

/** A storm in which knobs are turned at random moments; whoever turns a policy off turns it on again. */
export const turned = (seed: number, of: Draw.Choices): Scenario => {
  const storm = stormy(seed, of)
  const mannered = of.chance(0.5)
  const turns = Array.from({ length: of.between(1, 6) }, () => ({
    at: of.chance(0.3) ? of.between(0, 8) * 25 : of.between(0, 250),
    specs: storm.stack.filter(() => of.chance(0.6)).map(({ kind }) => spec(kind, of)),
    manners: mannered ? storm.stack.filter(() => of.chance(0.4)).flatMap(({ kind }) => manner(kind, of)) : [],
    expiresAfter: of.chance(0.3) ? of.between(1, 150) : undefined
  }))
  const manners = turns.flatMap((turn) => turn.manners.flatMap(usual))
  const last: Turn = { at: lastTurnMillis, specs: [], manners, expiresAfter: undefined }
  return { ...storm, turns: manners.length > 0 ? [...turns, last] : turns }
}
