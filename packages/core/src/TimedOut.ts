/**
 * An attempt that took longer than its limit: a transient error.
 *
 * **Details**
 *
 * The attempt is interrupted and its finalizers run before this error is seen.
 * Whether the downstream applied the request is unknown.
 *
 * **Gotchas**
 *
 * The end of the whole call's deadline is not this error but a `Refused` with
 * the reason `DEADLINE_EXCEEDED`: there is no time left to ask again.
 *
 * **Example** (its fields)
 *
 * ```ts
 * import { TimedOut } from "@failsoft/core"
 *
 * console.log(TimedOut.make({ policy: "timeout", limitMillis: 250 }).limitMillis)
 * ```
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { stackless } from "./internal/stackless.ts"

/**
 * The timeout of one attempt, with its limit in milliseconds.
 *
 * @category errors
 * @since 0.1.0
 */
export class TimedOut extends Schema.TaggedError<TimedOut>()("TimedOut", {
  policy: Schema.String,
  limitMillis: Schema.Finite
}) {}

/**
 * Makes a timeout without a stack trace.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (fields: { readonly policy: string; readonly limitMillis: number }): TimedOut =>
  stackless(() => new TimedOut(fields))
