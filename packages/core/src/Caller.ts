/**
 * Who the current request is served for: the principal, the tenant it acts in, and the
 * session that it belongs to.
 *
 * **Details**
 *
 * The code that authenticates says it once, around everything that follows. A method
 * whose contract says `scope: "principal"` or `"tenant"` then keeps and finds what it
 * remembers (the last good answer, an assumption, a cached entry) under the caller as
 * well as under its payload, so that nobody is shown what belongs to another.
 *
 * A session is one user's visit, whether or not he has said who he is. A method whose
 * contract says `reads: "monotonic"` shows it nothing older than what it was shown before
 * (`ReadMarks`). Its name is opaque and unique in the program, of 256 characters at most.
 *
 * **Gotchas**
 *
 * An unknown caller is nobody, and not everybody: for a scoped method nothing is kept
 * and nothing is found as long as the caller is unknown, and the signal `CallerUnknown`
 * says so. Visitors who may share answers are a principal of their own, which you name
 * (`"anonymous"`). An empty text is no name.
 *
 * **Example** (around what a customer asks for)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Caller } from "@failsoft/core"
 *
 * const whose = Effect.map(Caller.Caller, ({ principal }) => principal)
 * console.log(Effect.runSync(whose.pipe(Caller.as({ principal: "alice", tenant: "shop-7" }))))
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * What is known of the caller. A principal is unique within its tenant.
 *
 * @category models
 * @since 0.1.0
 */
export interface Known {
  readonly tenant?: string
  readonly principal?: string
  readonly session?: string
}

/**
 * The caller of the current request; nothing is known by default.
 *
 * @category references
 * @since 0.1.0
 */
export const Caller: Context.Reference<Known> = Context.Reference<Known>("@failsoft/core/Caller", {
  defaultValue: () => ({})
})

/**
 * Runs an effect for this caller. It takes the place of the whole of another one around
 * it: a tenant is never joined with the principal of a different one. So name the session
 * again, where it stays the same.
 *
 * @category combinators
 * @since 0.1.0
 */
export const as =
  (caller: Known) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(self, Caller, caller)
