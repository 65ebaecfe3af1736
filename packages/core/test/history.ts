/** What the model tests share: seeded choices, a gate driven by hand, and histories that shrink. */
import { type Call, type Gate, Policy, Signal } from "@failsoft/core"
import * as Effect from "effect/Effect"

/** A seeded source of choices (xorshift32): the same seed gives the same history on any machine. */
export interface Choices {
  readonly next: () => number
  readonly between: (least: number, most: number) => number
  readonly chance: (share: number) => boolean
  readonly pick: <A>(of: readonly [A, ...ReadonlyArray<A>]) => A
}

export const choices = (seed: number): Choices => {
  let state = Math.imul(seed + 1, 0x9e3779b1) | 1
  const next = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 0x1_0000_0000
  }
  for (let warm = 0; warm < 8; warm++) next()
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1))
  return {
    next,
    between,
    chance: (share) => next() < share,
    pick: (of) => of[between(0, of.length - 1)] ?? of[0]
  }
}

/** A living policy that is a gate. */
export interface LivingGate {
  readonly gate: Gate.Gate
  readonly instance: Policy.Instance
  readonly row: Policy.Row
}

/** Builds a policy of one part, which must be a gate. */
export const livingGate = (policy: Policy.Policy, bus?: Signal.SignalBus): LivingGate => {
  const row: Policy.Row = {
    downstream: "shop",
    method: "get",
    bus: bus ?? { active: false, failed: 0, emit: () => {}, subscribe: () => Effect.void }
  }
  const { parts } = Effect.runSync(Effect.scoped(Policy.build(policy, row)))
  const instance = parts[0]?.instance
  if (instance?.form._tag !== "Gate") throw new Error("the policy is not a gate")
  return { gate: instance.form.gate, instance, row }
}

/** An attempt as a gate sees it, at a time that the test says. */
export const attemptAt = (
  row: Policy.Row,
  now: number,
  options: { readonly key?: string; readonly random?: number; readonly leftMillis?: number } = {}
) => {
  const attempt = {
    row,
    now,
    deadlineAt: now + (options.leftMillis ?? Number.POSITIVE_INFINITY),
    key: () => options.key ?? "",
    random: () => options.random ?? 0.5,
    outlives: 0,
    outlive: (millis: number) => {
      attempt.outlives = millis
    }
  }
  return attempt
}

/** The smallest history that still shows the difference, found by leaving out ever fewer steps. */
export const shrink = <Op>(
  history: ReadonlyArray<Op>,
  differs: (history: ReadonlyArray<Op>) => string | undefined
): ReadonlyArray<Op> => {
  let small = history
  for (let size = Math.ceil(small.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < small.length; ) {
      const less = [...small.slice(0, at), ...small.slice(at + size)]
      if (differs(less) === undefined) at += size
      else small = less
    }
  }
  return small
}

/** Looks for a history on which the two differ; told as the smallest one, with the seed. */
export const search = <Op>(
  histories: number,
  make: (of: Choices) => ReadonlyArray<Op>,
  differs: (history: ReadonlyArray<Op>) => string | undefined
): string | undefined => {
  for (let seed = 1; seed <= histories; seed++) {
    const history = make(choices(seed))
    if (differs(history) === undefined) continue
    const small = shrink(history, differs)
    return `seed ${seed}: ${differs(small)}\n${small.map((op) => JSON.stringify(op)).join("\n")}`
  }
  return undefined
}

export type AnyCall = Call.Call<unknown, unknown, unknown>
