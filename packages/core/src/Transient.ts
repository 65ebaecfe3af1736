/**
 * The transient error that a contract declares unless it needs one of its own.
 *
 * **Details**
 *
 * `cause` is a word of RFC 9209's error vocabulary (`connection_refused`,
 * `http_response_timeout`, …), `retryAfterMillis` is the downstream's own hint,
 * and `applied` says whether the request can have taken effect: `"no"` for a
 * refused connection, `"unknown"` for a reset after sending. `pushback` is what the
 * downstream itself says about asking again: a retry obeys `"do-not-retry"`, and
 * obeys `"overloaded"` unless `retryAfterMillis` says when to come again.
 *
 * **Gotchas**
 *
 * An error class of your own is read by shape: where it has a numeric
 * `retryAfterMillis`, an `applied` or a `pushback`, policies and `Unavailable` use
 * them.
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
 * What a downstream says about asking again: not at all, or that it has too much to
 * do.
 *
 * @category models
 * @since 0.1.0
 */
export const Pushback = Schema.Literals(["do-not-retry", "overloaded"])

/**
 * What a downstream says about asking again: not at all, or that it has too much to
 * do.
 *
 * @category models
 * @since 0.1.0
 */
export type Pushback = typeof Pushback.Type

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
  retryAfterMillis: Schema.optionalKey(Schema.Finite),
  pushback: Schema.optionalKey(Pushback)
}) {}
