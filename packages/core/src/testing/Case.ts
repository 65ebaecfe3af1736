/**
 * A case as JSON: everything that a run depends on, so that it can be kept and
 * replayed.
 *
 * **Details**
 *
 * `traceHash` is the hash of the trace when the case was kept. Where it has moved, the
 * program has changed since then: that is said, and is no failure.
 *
 * **Gotchas**
 *
 * Requests are kept by the name of their traffic: a case of a renamed one is not
 * replayed.
 *
 * **Example** (reading one)
 *
 * ```ts
 * import { Schema } from "effect"
 * import { Case } from "@failsoft/core/testing"
 *
 * const text = '{"version":1,"name":"shop","rule":"r","detail":"d","seed":1,"salt":0,"preemption":0,' +
 *   '"plan":{"faults":[]},"requests":[],"traceHash":"00"}'
 * console.log(Schema.decodeUnknownSync(Schema.fromJsonString(Case.Case))(text).name)
 * ```
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Plan } from "./Fault.ts"

/**
 * The schema of a case.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Case = Schema.Struct({
  version: Schema.Literal(1),
  /** The campaign that it belongs to. */
  name: Schema.String,
  rule: Schema.String,
  detail: Schema.String,
  seed: Schema.Int,
  salt: Schema.Int,
  preemption: Schema.Finite,
  plan: Plan,
  requests: Schema.Array(
    Schema.Struct({
      id: Schema.Int,
      of: Schema.String,
      at: Schema.Int,
      abortAfter: Schema.optionalKey(Schema.Int)
    })
  ).check(Schema.isMaxLength(100_000)),
  traceHash: Schema.String
})

/**
 * A case.
 *
 * @category models
 * @since 0.1.0
 */
export type Case = typeof Case.Type
