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
import type { Build } from "./internal/shared.ts"
import { sharedByValue } from "./internal/shared.ts"
import type { Refused } from "./Refused.ts"
import type { SignalBus } from "./Signal.ts"
import type { TimedOut } from "./TimedOut.ts"

/**
 * What a policy's type warns of: it may send a request more than once, or it does
 * not bound the time that a call takes.
 *
 * @category models
 * @since 0.1.0
 */
export type Mark = "replays" | "unbounded"

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
export type Facts = Readonly<Record<string, number | string | boolean>>

/**
 * The living policy of one built ring: it binds rows, and shows its state.
 *
 * @category models
 * @since 0.1.0
 */
export interface Instance {
  readonly bind: (row: Row) => Interceptor
  readonly state: () => Facts
}

/**
 * One policy of a stack: its kind and name, its knobs with their units in their
 * names, what is wrong with them, and how to build it. Building the same part twice
 * under one layer build gives the same living policy.
 *
 * @category models
 * @since 0.1.0
 */
export interface Part {
  readonly kind: string
  readonly name: string
  readonly knobs: Facts
  readonly problems: ReadonlyArray<string>
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
 * are made. `make` runs once for each built ring that uses the value.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromInstance = <Marks extends Mark = never>(options: {
  readonly kind: string
  readonly name?: string | undefined
  readonly knobs?: Facts
  readonly problems?: ReadonlyArray<string>
  readonly make: Effect.Effect<Instance, never, Scope.Scope>
}): Policy<Marks> => ({
  parts: [
    {
      kind: options.kind,
      name: options.name ?? options.kind,
      knobs: options.knobs ?? {},
      problems: options.problems ?? [],
      build: sharedByValue(options.make)
    }
  ]
})

/**
 * A policy without state from a function of yours. Its type says nothing of
 * replays: a function that asks again must be given to `keyed` and `safe` methods
 * only, which {@link makeReplaying} says in its type.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (name: string, interceptor: (row: Row) => Interceptor): Policy<"unbounded"> =>
  fromInstance<"unbounded">({ kind: name, make: Effect.succeed({ bind: interceptor, state: () => ({}) }) })

/**
 * The same for a function that may send a request more than once.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeReplaying = (name: string, interceptor: (row: Row) => Interceptor): Policy<"replays" | "unbounded"> =>
  fromInstance<"replays" | "unbounded">({ kind: name, make: Effect.succeed({ bind: interceptor, state: () => ({}) }) })

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
 * Builds a policy for one row into its interceptor, with the live parts for those
 * who show them. A ring does this for each of its rows.
 *
 * @category combinators
 * @since 0.1.0
 */
export const build = (policy: Policy, row: Row): Effect.Effect<Built, never, Build> =>
  Effect.map(
    Effect.forEach(policy.parts, (part) => Effect.map(part.build, (instance) => ({ part, instance }))),
    (parts) => {
      const interceptors = parts.map(({ instance }) => instance.bind(row)).reverse()
      return {
        parts,
        intercept: <A, T, P>(call: Call<A, T, P>) => {
          let wrapped: Call<A, T | TimedOut, P | Refused> = call
          for (const interceptor of interceptors) wrapped = interceptor(wrapped)
          return wrapped
        }
      }
    }
  )

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
