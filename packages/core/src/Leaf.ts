/**
 * A leaf: a call that is one promise with an abort signal.
 *
 * **Details**
 *
 * To everybody it is an effect. A stack that finds one at its bottom runs the
 * promise itself, without a fiber per attempt, at about two thirds of the cost. The
 * function is told its signal, its deadline, the number of the attempt and its context.
 *
 * When an attempt is given up (timeout, deadline, caller gone) the signal is aborted
 * and the caller goes on at once. Where the promise does not obey, the permit that
 * the attempt holds comes back only when the promise has settled: a bulkhead counts
 * what runs, not what is waited for.
 *
 * **Gotchas**
 *
 * The signal is made when it is first read, so read it before the first `await`.
 * A promise that never settles keeps its permit for ever; pass the signal on.
 *
 * **Example** (a transport of promises)
 *
 * ```ts
 * import { Leaf, Transient } from "@failsoft/core"
 *
 * const get = (id: string) =>
 *   Leaf.make(
 *     ({ signal }) => new Promise<string>((resolve, reject) => {
 *       signal.addEventListener("abort", () => reject(signal.reason))
 *       resolve(id)
 *     }),
 *     () => new Transient.Transient({ cause: "connection_terminated", applied: "unknown" })
 *   )
 * void get
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Call } from "./Call.ts"
import * as internal from "./internal/leaf.ts"

/**
 * What the function of a leaf is told: the signal that is aborted when the attempt
 * is given up, the moment by which the call must be answered (milliseconds since
 * the epoch, `Infinity` without one), and the number of the attempt, from 0.
 *
 * @category models
 * @since 0.1.0
 */
export type Run = internal.Run

/** A promise that is made by a function, and the declared error of a rejection. */
abstract class Made<A, E> extends internal.Leaf<A, E> {
  private readonly make: (of: Run) => Promise<unknown>
  private readonly errorOf: (error: unknown) => E

  constructor(make: (of: Run) => Promise<unknown>, errorOf: (error: unknown) => E) {
    super()
    this.make = make
    this.errorOf = errorOf
  }

  run(of: Run): Promise<unknown> {
    return this.make(of)
  }

  /** A function that throws instead of making an error is a defect, as in an effect. */
  onError(error: unknown): Effect.Effect<never, E> {
    try {
      return Effect.fail(this.errorOf(error))
    } catch (defect) {
      return Effect.die(defect)
    }
  }
}

/** Its value is the answer. */
class MadeRaw<A, E> extends Made<A, E> {
  onValue(value: unknown): Effect.Effect<A> {
    // The value of the promise that `make` made.
    return Effect.succeed(value as A)
  }
}

/** Its value is the answer of a call. */
class MadeCall<A, T> extends Made<Result.Result<A, never>, T> {
  onValue(value: unknown): Effect.Effect<Result.Result<A, never>> {
    return Effect.succeed(Result.succeed(value as A))
  }
}

/**
 * An effect from a promise, for the raw calls of a transport: its value is the
 * answer, and `onError` makes the declared error of a rejection.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <A, E>(run: (of: Run) => Promise<A>, onError: (error: unknown) => E): Effect.Effect<A, E> =>
  new MadeRaw<A, E>(run, onError)

/**
 * A `Call` from a promise, for a stack without a ring.
 *
 * @category constructors
 * @since 0.1.0
 */
export const call = <A, T>(run: (of: Run) => Promise<A>, onError: (error: unknown) => T): Call<A, T> =>
  new MadeCall<A, T>(run, onError)
