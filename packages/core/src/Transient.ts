/**
 * The transient error that a contract declares unless it needs one of its own.
 *
 * **Details**
 *
 * `cause` is a word of RFC 9209's error vocabulary (`connection_refused`,
 * `http_response_timeout`, …), `retryAfterMillis` is the downstream's own hint,
 * and `applied` says whether the request can have taken effect: `"no"` for a
 * refused connection, `"unknown"` for a reset after sending.
 *
 * **Gotchas**
 *
 * An error class of your own is read by shape: where it has a numeric
 * `retryAfterMillis` or an `applied`, retries and `Unavailable` use them.
 *
 * **Example** (a connection that was refused)
 *
 * ```ts
 * import { Transient } from "@failsoft/core"
 *
 * const refused = new Transient.Transient({ cause: "connection_refused", applied: "no" })
 * console.log(refused.applied)
 * ```
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * Whether a request that failed can have taken effect at the downstream.
 *
 * @category models
 * @since 0.1.0
 */
export const Applied = Schema.Literals(["no", "unknown"])

/**
 * Whether a request that failed can have taken effect at the downstream.
 *
 * @category models
 * @since 0.1.0
 */
export type Applied = typeof Applied.Type

/**
 * An error that may pass away when asked again.
 *
 * @category errors
 * @since 0.1.0
 */
export class Transient extends Schema.TaggedError<Transient>()("Transient", {
  cause: Schema.String,
  applied: Applied,
  status: Schema.optionalKey(Schema.Finite),
  retryAfterMillis: Schema.optionalKey(Schema.Finite)
}) {}
