/**
 * A refusal of our own: the call was not sent, or not sent again, because a
 * policy said so (circuit open, bulkhead full, deadline spent).
 *
 * **Details**
 *
 * A refusal is a value inside a `Call`, so an outer retry never hammers an open
 * circuit, and it takes no virtual time.
 *
 * **Gotchas**
 *
 * `reason` is one of {@link RefusalReason} for the policies of this package and
 * any UPPER_SNAKE word for a policy of your own.
 *
 * **Example** (reading a refusal)
 *
 * ```ts
 * import { Refused } from "@failsoft/core"
 *
 * const refused = Refused.make({ policy: "circuitBreaker", reason: "CIRCUIT_OPEN", retryAfterMillis: 800 })
 * console.log(refused.reason, refused.retryAfterMillis)
 * ```
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { stackless } from "./internal/stackless.ts"

/**
 * The reasons for which the policies of this package refuse, and a transport that
 * could not put a request into its form (`UNSENDABLE_REQUEST`, not retryable).
 *
 * @category models
 * @since 0.1.0
 */
export type RefusalReason =
  | "CIRCUIT_OPEN"
  | "BULKHEAD_FULL"
  | "BULKHEAD_WAIT_EXCEEDED"
  | "DEADLINE_EXCEEDED"
  | "UNSENDABLE_REQUEST"

/**
 * The refusal: which policy, why (UPPER_SNAKE), and the milliseconds after which
 * asking again makes sense, where the policy knows.
 *
 * @category errors
 * @since 0.1.0
 */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  policy: Schema.String,
  reason: Schema.String,
  retryAfterMillis: Schema.optionalKey(Schema.Finite)
}) {}

/**
 * Makes a refusal without a stack trace.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (fields: {
  readonly policy: string
  readonly reason: RefusalReason | (string & {})
  readonly retryAfterMillis?: number
}): Refused => stackless(() => new Refused(fields))
