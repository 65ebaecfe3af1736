/**
 * What a downstream said outside its contract: a body that does not match the
 * schema, a status that nobody declared, an answer that is too large.
 *
 * **Details**
 *
 * It is permanent (asking again gives the same), counts as a failure of the
 * downstream, and is never shown to the caller as data.
 *
 * **Gotchas**
 *
 * `detail` says what was expected, for the log; it never holds the body, which
 * may hold somebody's data.
 *
 * **Example** (making one in a transport of your own)
 *
 * ```ts
 * import { ContractViolation } from "@failsoft/core"
 *
 * const violation = new ContractViolation.ContractViolation({ detail: "expected { stock: number }", status: 200 })
 * console.log(violation.detail)
 * ```
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * An answer that does not match the contract; `status` is the HTTP status where
 * there was one.
 *
 * @category errors
 * @since 0.1.0
 */
export class ContractViolation extends Schema.TaggedError<ContractViolation>()("ContractViolation", {
  detail: Schema.String,
  status: Schema.optionalKey(Schema.Finite)
}) {}

/**
 * Tells a contract violation from other errors.
 *
 * @category guards
 * @since 0.1.0
 */
export const isContractViolation = (u: unknown): u is ContractViolation => u instanceof ContractViolation
