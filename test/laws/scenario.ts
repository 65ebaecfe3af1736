/** A case of the laws as plain data: a stack, what the downstream does, who calls when. */
import type { Choices } from "./random.ts"

/** One policy with its knobs; times in milliseconds. */
export type Spec =
  | { readonly kind: "deadline"; readonly millis: number }
  | { readonly kind: "timeout"; readonly millis: number }
  | { readonly kind: "retry"; readonly times: number }
  | {
      readonly kind: "circuitBreaker"
      readonly minimumCalls: number
      readonly openMillis: number
      readonly probes: number
    }
  | { readonly kind: "bulkhead"; readonly permits: number; readonly queueMax: number; readonly waitMillis: number }

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
}

const spec = (kind: Spec["kind"], of: Choices): Spec => {
  switch (kind) {
    case "deadline":
      return { kind, millis: of.between(20, 400) }
    case "timeout":
      return { kind, millis: of.between(5, 120) }
    case "retry":
      return { kind, times: of.between(1, 3) }
    case "circuitBreaker":
      return { kind, minimumCalls: of.between(1, 6), openMillis: of.between(10, 200), probes: of.between(1, 3) }
    case "bulkhead":
      return { kind, permits: of.between(1, 4), queueMax: of.between(0, 4), waitMillis: of.between(5, 100) }
  }
}

const kinds = ["deadline", "timeout", "retry", "circuitBreaker", "bulkhead"] as const

const stack = (of: Choices): ReadonlyArray<Spec> => {
  const left: Array<Spec["kind"]> = kinds.filter(() => of.chance(0.75))
  const taken: Array<Spec> = []
  while (left.length > 0) {
    const [kind] = left.splice(of.between(0, left.length - 1), 1)
    if (kind !== undefined) taken.push(spec(kind, of))
  }
  return taken
}

const step = (of: Choices): Step => ({
  does: of.pick(["answer", "answer", "permanent", "violation", "transient", "transient", "transient", "hang", "die"]),
  millis: of.chance(0.4) ? 0 : of.between(1, 150)
})

/** A random case: bursts of callers at the same moment, some of whom go away. */
export const stormy = (seed: number, of: Choices): Scenario => ({
  seed,
  stack: stack(of),
  callers: Array.from({ length: of.between(1, 14) }, () => ({
    at: of.chance(0.6) ? 0 : of.between(0, 8) * 25,
    abortAfter: of.chance(0.3) ? of.pick([-of.between(1, 12), -of.between(1, 12), 1, of.between(0, 120)]) : undefined,
    steps: [step(of), step(of), step(of), step(of)]
  })),
  preemption: of.pick([0, 0.02, 0.1, 0.3])
})

/** Nothing is wrong: each caller is answered at once, and no more come at once than may run. */
export const healthy = (seed: number, of: Choices): Scenario => {
  const specs = stack(of)
  const permits = Math.min(8, ...specs.flatMap((of) => (of.kind === "bulkhead" ? [of.permits] : [])))
  return {
    seed,
    stack: specs,
    // A burst as large as the permits, then time to finish, then the next.
    callers: Array.from({ length: of.between(1, 5) * permits }, (_, nth) => ({
      at: Math.floor(nth / permits) * 50,
      abortAfter: undefined,
      steps: [{ does: "answer", millis: 4 }]
    })),
    preemption: of.pick([0, 0.02, 0.1, 0.3])
  }
}

/** The downstream is well and says its final word often; callers still come at once and go away. */
export const firm = (seed: number, of: Choices): Scenario => {
  const storm = stormy(seed, of)
  const steps = (): Caller["steps"] => [{ does: of.chance(0.7) ? "permanent" : "answer", millis: of.between(0, 3) }]
  return { ...storm, callers: storm.callers.map((caller) => ({ ...caller, steps: steps() })) }
}
