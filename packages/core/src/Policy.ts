/**
 * A policy: a function from call to call, as a value.
 *
 * **Details**
 *
 * Policies are values with Effect's own rule for layers: the same policy value is
 * the same state. One `const gatewayBulkhead` used in two rows is one bulkhead;
 * two calls of `Policy.bulkhead(...)` are two. Its state is made when the ring's
 * layer is built and lives as long as that layer.
 *
 * The type remembers two facts, the {@link Mark}s: whether a policy may send a
 * request twice (`replays`) and whether it leaves time without a bound
 * (`unbounded`). Both are warnings, so that forgetting a type can only make it
 * stricter. A ring refuses to compile where they do not fit the contract.
 *
 * **Gotchas**
 *
 * Order is outermost first: `stack(deadline, retry, timeout)` runs the timeout
 * around each attempt.
 *
 * **Example** (an interceptor of your own)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Policy } from "@failsoft/core"
 *
 * const loud = Policy.make("loud", (row) => (call) =>
 *   Effect.tapError(call, (error) => Effect.logDebug(row.method, error)))
 * const stack = Policy.stack(Policy.deadline("1 second"), loud)
 * console.log(stack.parts.map((part) => part.name))
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Call } from "./Call.ts"
import type { Attempt, Gate, Verdict } from "./Gate.ts"
import { assemble, interceptorOf } from "./internal/assemble.ts"
import type { Build } from "./internal/shared.ts"
import { sharedByValue } from "./internal/shared.ts"
import * as Knob from "./Knob.ts"
import type { Refused } from "./Refused.ts"
import type { SignalBus } from "./Signal.ts"
import type { TimedOut } from "./TimedOut.ts"

/**
 * What a policy's type warns of: it may send a request more than once (`replays`),
 * it may do so only where the first was certainly not applied (`resends`), or it
 * does not bound the time that a call takes (`unbounded`).
 *
 * @category models
 * @since 0.1.0
 */
export type Mark = "replays" | "resends" | "unbounded"

/**
 * Which row of which ring a policy works for, and where its signals go.
 *
 * @category models
 * @since 0.1.0
 */
export interface Row {
  readonly downstream: string
  readonly method: string
  readonly bus: SignalBus
  /** How many regions with gates of their own are called. Where they are several, to the gates of this row their failures say nothing. */
  readonly regions?: number
}

/**
 * The function from call to call. It may add a timeout to the transient errors
 * and a refusal to the final outcomes, and never looks into the answer.
 *
 * @category models
 * @since 0.1.0
 */
export type Interceptor = <A, T, P>(call: Call<A, T, P>) => Call<A, T | TimedOut, P | Refused>

/**
 * The plain values that a policy shows of itself; units last in their names.
 *
 * @category models
 * @since 0.1.0
 */
export type Facts = Readonly<Record<string, Knob.Value>>

/**
 * A function that asks the call within again (a retry, a hedge). It is told the
 * deadline of the whole call in milliseconds since the epoch, and begins nothing
 * that reaches it.
 *
 * @category models
 * @since 0.1.0
 */
export type Repeater = <A, T, P>(call: Call<A, T, P>, deadlineAt: number) => Call<A, T | TimedOut, P | Refused>

/**
 * How a policy works on calls. A `Wrap` is any function. The others are told apart
 * so that neighbours can share one frame: `Gate` decides before and is told after,
 * `Limit` bounds one attempt, `Deadline` bounds the whole call, `Repeat` asks again.
 *
 * @category models
 * @since 0.1.0
 */
export type Form =
  | { readonly _tag: "Wrap"; readonly bind: (row: Row) => Interceptor }
  | { readonly _tag: "Repeat"; readonly bind: (row: Row) => Repeater }
  | { readonly _tag: "Gate"; readonly gate: Gate }
  | {
      readonly _tag: "Limit"
      readonly policy: string
      /** Asked as an attempt is sent. */
      readonly limitMillis: (attempt: Attempt) => number
      /** Told how long each attempt took, in milliseconds, how it ended, and when. */
      readonly ended?: (millis: number, verdict: Verdict, attempt: Attempt, now: number) => void
    }
  | {
      readonly _tag: "Deadline"
      readonly policy: string
      readonly limitMillis: () => number
      /** Whether it only counts now: told of each call that it would have ended. */
      readonly dark?: () => boolean
      readonly passed?: () => void
    }

/**
 * What a policy's `make` returns: its form, its state to be shown, what to do once
 * its knobs were turned, and what an operator may do with it by hand. Where each key
 * has a state of its own, `state` of a key shows that one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Living {
  readonly form: Form
  readonly state: (key?: string) => Facts
  readonly changed?: () => void
  readonly controls?: Controls
}

/**
 * What an operator may do with a living policy, by name; `row` and the time in
 * milliseconds are for the signals.
 *
 * @category models
 * @since 0.1.0
 */
export type Controls = Readonly<Record<string, (row: Row, now: number) => void>>

/**
 * The living policy of one built ring, with the values of its knobs as they are
 * now. `assign` turns several at once; it does not check them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Instance {
  readonly form: Form
  readonly state: (key?: string) => Facts
  readonly values: Facts
  readonly assign: (values: Facts) => void
  readonly controls: Controls
}

/**
 * One policy of a stack: its kind and name, its knobs with their units in their
 * names, what is wrong with values of them, and how to build it. Building the same
 * part twice under one layer build gives the same living policy.
 *
 * @category models
 * @since 0.1.0
 */
export interface Part {
  readonly kind: string
  readonly name: string
  readonly knobs: Knob.Knobs
  readonly problems: (values: Facts) => ReadonlyArray<string>
  readonly build: Effect.Effect<Instance, never, Build>
}

declare const marks: unique symbol

/**
 * One policy or a stack of them, outermost first.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy<out Marks extends Mark = Mark> {
  readonly parts: ReadonlyArray<Part>
  readonly [marks]?: Marks
}

/**
 * The marks of a policy.
 *
 * @category models
 * @since 0.1.0
 */
export type MarksOf<P> = P extends Policy<infer M> ? M : never

/** Unbounded unless one of them bounds; an array of unknown length says nothing. */
type Unbounded<Policies extends ReadonlyArray<Policy>> = Policies extends readonly [
  infer First,
  ...infer Rest extends ReadonlyArray<Policy>
]
  ? "unbounded" extends MarksOf<First>
    ? Unbounded<Rest>
    : never
  : "unbounded"

/**
 * The marks of a stack: it replays where any of its policies does, and is unbounded
 * where all of them are.
 *
 * @category models
 * @since 0.1.0
 */
export type StackMarks<Policies extends ReadonlyArray<Policy>> =
  | Exclude<MarksOf<Policies[number]>, "unbounded">
  | Unbounded<Policies>

/**
 * Makes a policy from its parts: the way in which the policies of this package
 * are made. `make` runs once for each built ring that uses the value; the values
 * that it is given are live, so read them at each decision and do not keep them.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromInstance = <const M extends Mark = never, const K extends Knob.Knobs = Record<never, never>>(options: {
  readonly kind: string
  readonly name?: string | undefined
  readonly marks?: ReadonlyArray<M>
  readonly knobs?: K
  /** What values that are right one by one must keep together. */
  readonly problems?: (values: Knob.Values<K>) => ReadonlyArray<string>
  readonly make: (values: Knob.Values<K>) => Effect.Effect<Living, never, Scope.Scope>
}): Policy<M> => {
  const knobs: Knob.Knobs = options.knobs ?? {}
  return {
    parts: [
      {
        kind: options.kind,
        name: options.name ?? options.kind,
        knobs,
        problems: (values) => {
          const own = Knob.problemsOf(knobs, values)
          // The rule over several is for values that are right one by one.
          return own.length > 0 ? own : (options.problems?.(values as Knob.Values<K>) ?? [])
        },
        build: sharedByValue(
          Effect.suspend(() => {
            const values: Record<string, Knob.Value> = { ...Knob.initials(knobs) }
            return Effect.map(
              // `values` holds one value for each knob of K.
              options.make(values as Knob.Values<K>),
              (living): Instance => ({
                form: living.form,
                state: living.state,
                controls: living.controls ?? {},
                values,
                assign: (next) => {
                  Object.assign(values, next)
                  living.changed?.()
                }
              })
            )
          })
        )
      }
    ]
  }
}

/**
 * A policy without state from a function of yours. Its type says nothing of
 * replays: a function that asks again must be given to `keyed` and `safe` methods
 * only, which {@link makeReplaying} says in its type.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (name: string, interceptor: (row: Row) => Interceptor): Policy<"unbounded"> =>
  fromInstance({ kind: name, marks: ["unbounded"], make: () => wrapping(interceptor) })

/**
 * The same for a function that may send a request more than once.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeReplaying = (name: string, interceptor: (row: Row) => Interceptor): Policy<"replays" | "unbounded"> =>
  fromInstance({ kind: name, marks: ["replays", "unbounded"], make: () => wrapping(interceptor) })

const wrapping = (bind: (row: Row) => Interceptor) =>
  Effect.succeed<Living>({ form: { _tag: "Wrap", bind }, state: () => ({}) })

/**
 * The same policy with something around it: its state, its knobs and its marks stay.
 * What is put around sees an effect: a leaf within runs in a fiber like any other, and
 * the policy is no longer fused with its neighbours.
 *
 * @category combinators
 * @since 0.1.0
 */
export const around = <M extends Mark>(
  policy: Policy<M>,
  wrap: (inner: Interceptor, row: Row, instance: Instance) => Interceptor
): Policy<M> => ({
  parts: policy.parts.map((part) => ({
    ...part,
    build: Effect.map(part.build, (instance) => ({
      ...instance,
      form: { _tag: "Wrap", bind: (row) => wrap(interceptorOf(instance.form, row), row, instance) }
    }))
  }))
})

/**
 * Composes policies, **outermost first**: the first sees the whole call, the last
 * wraps each attempt.
 *
 * @category combinators
 * @since 0.1.0
 */
export const stack = <const Policies extends ReadonlyArray<Policy>>(
  ...policies: Policies
): Policy<StackMarks<Policies>> => ({ parts: policies.flatMap((policy) => policy.parts) })

/**
 * A policy that lives: its interceptor, and each part with its instance.
 *
 * @category models
 * @since 0.1.0
 */
export interface Built {
  readonly intercept: Interceptor
  readonly parts: ReadonlyArray<{ readonly part: Part; readonly instance: Instance }>
}

/**
 * Builds a policy for one row into its interceptor, with the live parts for those
 * who show them. A ring does this for each of its rows. Neighbours share frames
 * unless `fused` is false, which gives each policy a frame of its own; both behave
 * alike.
 *
 * @category combinators
 * @since 0.1.0
 */
export const build = (
  policy: Policy,
  row: Row,
  options?: { readonly fused?: boolean }
): Effect.Effect<Built, never, Build> =>
  Effect.map(
    Effect.forEach(policy.parts, (part) => Effect.map(part.build, (instance) => ({ part, instance }))),
    (parts) => ({
      parts,
      intercept: assemble(
        parts.map(({ instance }) => instance.form),
        row,
        options?.fused ?? true
      )
    })
  )
