/**
 * A refusal of our own: the call was not sent, or not sent again, because a
 * policy said so (circuit open, bulkhead full, deadline spent).
 *
 * **Details**
 *
 * A refusal is a value inside a `Call`, so an outer retry never hammers an open
 * circuit, and it takes no virtual time. It is the one structured record of why:
 * the same in the error, the signal, the log and the problem body.
 *
 * **Gotchas**
 *
 * It is a plain object, not an `Error`: a service under overload refuses more than
 * it answers, and a stack trace would cost twenty times the refusal.
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
  | "CONCURRENCY_LIMITED"
  | "RATE_LIMITED"
  | "LOAD_SHED"
  | "READ_ONLY"
  | "OUT_OF_SERVICE"
  | "NOT_CACHED"
  | "READ_TOO_OLD"
  | "DEADLINE_EXCEEDED"
  | "UNSENDABLE_REQUEST"

/**
 * The record of a refusal as others carry it: errors, logs, spans, problem bodies.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Record = Schema.Struct({
  policy: Schema.String,
  reason: Schema.String,
  retryAfterMillis: Schema.optionalKey(Schema.Finite),
  key: Schema.optionalKey(Schema.String),
  deadlineLeftMillis: Schema.optionalKey(Schema.Finite),
  state: Schema.optionalKey(Schema.Record(Schema.String, Schema.Union([Schema.Finite, Schema.String, Schema.Boolean])))
})

/**
 * The record of a refusal.
 *
 * @category models
 * @since 0.1.0
 */
export type Record = typeof Record.Type

/**
 * What a policy may say about a refusal. `state` holds the counters at that moment.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fields {
  readonly policy: string
  readonly reason: RefusalReason | (string & {})
  /** After how many milliseconds asking again makes sense, where the policy knows. */
  readonly retryAfterMillis?: number | undefined
  /** Whose share it was, for policies that keep a state per key. */
  readonly key?: string | undefined
  /** What was left of the call's deadline, in milliseconds. */
  readonly deadlineLeftMillis?: number | undefined
  readonly state?: { readonly [counter: string]: number | string | boolean } | undefined
}

/**
 * The refusal.
 *
 * @category models
 * @since 0.1.0
 */
export class Refused {
  readonly _tag = "Refused"
  readonly policy: string
  readonly reason: string
  readonly retryAfterMillis: number | undefined
  readonly key: string | undefined
  readonly deadlineLeftMillis: number | undefined
  readonly state: Fields["state"]

  constructor(fields: Fields) {
    this.policy = fields.policy
    this.reason = fields.reason
    this.retryAfterMillis = fields.retryAfterMillis
    this.key = fields.key
    this.deadlineLeftMillis = fields.deadlineLeftMillis
    this.state = fields.state
  }
}

/**
 * Makes a refusal.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (fields: Fields): Refused => new Refused(fields)

/**
 * The record of a refusal without what is not known: what logs, spans and problem
 * bodies show.
 *
 * @category accessors
 * @since 0.1.0
 */
export const record = (refused: Refused): Record => ({
  policy: refused.policy,
  reason: refused.reason,
  ...(refused.retryAfterMillis === undefined ? {} : { retryAfterMillis: refused.retryAfterMillis }),
  ...(refused.key === undefined ? {} : { key: refused.key }),
  ...(refused.deadlineLeftMillis === undefined ? {} : { deadlineLeftMillis: refused.deadlineLeftMillis }),
  ...(refused.state === undefined ? {} : { state: refused.state })
})

/**
 * The record as the attributes of the event `resilience.refused` of a span.
 *
 * @category accessors
 * @since 0.1.0
 */
export const attributes = (
  { state, ...rest }: Record,
  { downstream, method }: { readonly downstream: string; readonly method: string }
): Readonly<{ [name: string]: unknown }> => {
  const all: { [name: string]: unknown } = { downstream, method }
  for (const [name, value] of Object.entries({ ...rest, ...state })) all[`resilience.${name}`] = value
  return all
}
