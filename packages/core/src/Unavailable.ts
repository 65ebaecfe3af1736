/**
 * What the caller of an `onOutage: "fail"` method sees when the downstream gave
 * no answer: one error for every cause, which says what to do next.
 *
 * **Details**
 *
 * `reason` is UPPER_SNAKE: a refusal's reason, `TIMEOUT`, `TRANSIENT_FAILURE` or
 * `CONTRACT_VIOLATION`. `retryable` says whether the same request may be sent
 * again later, `retryAfterMillis` when. `applied` is `"unknown"` as soon as one
 * attempt was sent whose outcome nobody knows, however the call ended after it.
 * Where a policy refused, `refusal` is its whole record: policy, key, counters, and
 * what was left of the deadline.
 *
 * **Gotchas**
 *
 * A write with `applied: "unknown"` must be asked for its state, not repeated
 * with another key.
 *
 * **Example** (deciding by its fields)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Unavailable } from "@failsoft/core"
 *
 * const charge: Effect.Effect<string, Unavailable.Unavailable> = Effect.succeed("receipt")
 * const order = charge.pipe(
 *   Effect.catchTag("Unavailable", (down) => Effect.succeed(down.applied === "unknown" ? "pending" : "try again"))
 * )
 * Effect.runSync(order)
 * ```
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Record as Refusal } from "./Refused.ts"
import { Applied } from "./Transient.ts"

/**
 * The downstream gave no answer to this method.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", {
  downstream: Schema.String,
  method: Schema.String,
  reason: Schema.String,
  detail: Schema.String,
  retryable: Schema.Boolean,
  applied: Applied,
  retryAfterMillis: Schema.optionalKey(Schema.Finite),
  refusal: Schema.optionalKey(Refusal)
}) {}
