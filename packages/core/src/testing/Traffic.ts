/**
 * What asks for the composition while faults come and go.
 *
 * **Details**
 *
 * A kind of request is a function to an effect over the services of the composition,
 * as its handlers are. Requests come in bursts at the same moment, as in life, and
 * some callers go away: plain random arrivals have almost no ties and hide races.
 *
 * **Gotchas**
 *
 * A failure that is not `Unavailable` is taken for a word of the contract. Where an
 * answer says by itself that it is less than it should be (an order that is pending),
 * say so with `judge`.
 *
 * **Example** (orders, some of which wait for their payment)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Traffic } from "@failsoft/core/testing"
 *
 * const orders = Traffic.make("POST /orders", ({ nth }) => Effect.succeed({ id: nth, status: "pending" }), {
 *   perSecond: 5,
 *   judge: ({ status }) => (status === "pending" ? "deferred" : undefined)
 * })
 * console.log(orders.name)
 * ```
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { Quality } from "../Answer.ts"

/**
 * A request that is about to be made: its number among all, and a draw of its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  readonly nth: number
  /** A number from 0 up to 1 for a word of yours, always the same for this request. */
  readonly draw: (purpose: string) => number
}

/**
 * What an outcome is worth, where its value or its error says so itself.
 *
 * @category models
 * @since 0.1.0
 */
export type Judgement = Quality | "permanent" | "unavailable" | undefined

/**
 * One kind of request.
 *
 * @category models
 * @since 0.1.0
 */
export interface Traffic<out R> {
  readonly name: string
  readonly perSecond: number
  readonly burstMax: number
  readonly request: (of: Request) => Effect.Effect<unknown, unknown, R>
  readonly judge: (value: unknown) => Judgement
  readonly judgeError: (error: unknown) => Judgement
}

/**
 * How often, how many at the same moment at most, and what its outcomes are worth.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<A, E> {
  /** In the mean. Default 5. */
  readonly perSecond?: number
  /** The most that come at the same moment. Default 4. */
  readonly burstMax?: number
  readonly judge?: (value: A) => Judgement
  readonly judgeError?: (error: E) => Judgement
}

/**
 * Makes a kind of request.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <A, E, R>(
  name: string,
  request: (of: Request) => Effect.Effect<A, E, R>,
  options: Options<A, E> = {}
): Traffic<R> => {
  const { judge, judgeError } = options
  return {
    name,
    perSecond: options.perSecond ?? 5,
    burstMax: options.burstMax ?? 4,
    request,
    // What comes in is what `request` made.
    judge: judge === undefined ? () => undefined : (value) => judge(value as A),
    judgeError: judgeError === undefined ? () => undefined : (error) => judgeError(error as E)
  }
}
