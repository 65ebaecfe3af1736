/** What the behaviour tests share: a row, a way to build one policy, a scripted downstream. */
import { Call, Policy as Policies, type Policy, Signal, Transient } from "@failsoft/core"
import * as Effect from "effect/Effect"

export const transient = (
  fields: {
    readonly retryAfterMillis?: number
    readonly applied?: Transient.Applied
    readonly pushback?: Transient.Pushback
  } = {}
) => new Transient.Transient({ cause: "connection_terminated", applied: "unknown", ...fields })

export const good = Call.answer("good")
export const bad = Call.transient(transient())
export const declined = Call.permanent("declined")

/** Builds a policy in the test's scope, with a bus whose signals are kept. */
export const living = Effect.fnUntraced(function* (policy: Policy.Policy) {
  const bus = yield* Signal.make
  const signals: Array<Signal.Signal> = []
  yield* bus.subscribe((signal) => signals.push(signal))
  const built = yield* Policies.build(policy, { downstream: "shop", method: "get", bus })
  return {
    intercept: built.intercept,
    signals,
    told: (tag: Signal.Signal["_tag"]) => signals.filter((signal) => signal._tag === tag),
    state: () => Object.assign({}, ...built.parts.map(({ instance }) => instance.state())),
    /** Turns knobs of a policy, by its kind. */
    turn: (kind: string, knobs: Policy.Facts) => {
      for (const { instance, part } of built.parts) if (part.kind === kind) instance.assign(knobs)
    }
  }
})

/** A call that does the next thing of the script each time it runs; the last one repeats. */
export const script = <A, T, P>(...steps: ReadonlyArray<Call.Call<A, T, P>>) => {
  let asked = 0
  const call: Call.Call<A, T, P> = Effect.suspend(() => {
    const step = steps[Math.min(asked++, steps.length - 1)]
    return step ?? Effect.die("an empty script")
  })
  return { call, asked: () => asked }
}

/** The word for how a call ended. */
export const ending = <A, T, P>(call: Call.Call<A, T, P>) =>
  Effect.match(call, {
    onFailure: (error) =>
      typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : "failed",
    onSuccess: (result) => {
      if (result._tag === "Success") return "answered"
      const outcome: unknown = result.failure
      return typeof outcome === "object" && outcome !== null && "reason" in outcome
        ? String(outcome.reason)
        : "permanent"
    }
  })
