/**
 * A downstream call, the one shape that every policy takes and returns.
 *
 * **Details**
 *
 * What may pass away is a failure, what will not is a value: a transient error
 * `T` travels in the failure channel, the only one that a retry sees; the
 * downstream's final word and our own refusals, `P`, are values inside a
 * `Result`. So a retry cannot repeat a declined card, a breaker counts a 404 as
 * proof of health, and nobody has to remember a predicate.
 *
 * **Gotchas**
 *
 * Only the downstream's own ring turns the values back into errors. Code that
 * maps a call must keep the `Result`.
 *
 * **Example** (the three outcomes of a call)
 *
 * ```ts
 * import { Call } from "@failsoft/core"
 *
 * const answered: Call.Call<number> = Call.answer(42)
 * const declined: Call.Call<never, never, "declined"> = Call.permanent("declined")
 * const unreachable: Call.Call<never, "reset"> = Call.transient("reset")
 * void [answered, declined, unreachable]
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"

/**
 * A call that answers `A`, ends with the permanent outcome `P` as a value, or
 * fails with the transient error `T`.
 *
 * @category models
 * @since 0.1.0
 */
export type Call<A, T = never, P = never> = Effect.Effect<Result.Result<A, P>, T>

/**
 * A call that answers with a value.
 *
 * @category constructors
 * @since 0.1.0
 */
export const answer = <A>(value: A): Call<A> => Effect.succeed(Result.succeed(value))

/**
 * A call that ends with a final outcome which asking again cannot change.
 *
 * @category constructors
 * @since 0.1.0
 */
export const permanent = <P>(outcome: P): Call<never, never, P> => Effect.succeed(Result.fail(outcome))

/**
 * A call that fails with an error which may pass away.
 *
 * @category constructors
 * @since 0.1.0
 */
export const transient = <T>(error: T): Call<never, T> => Effect.fail(error)
