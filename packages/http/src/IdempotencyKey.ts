/**
 * The `Idempotency-Key` of a request (draft-ietf-httpapi-idempotency-key-header).
 *
 * **Details**
 *
 * A quoted structured string of 1 to {@link lengthMax} characters; a bare one,
 * which many clients send, is taken as well.
 *
 * **Gotchas**
 *
 * A key belongs to one caller: store it together with who sent it.
 *
 * **Example** (reading one)
 *
 * ```ts
 * import { IdempotencyKey } from "@failsoft/http"
 *
 * console.log(IdempotencyKey.parse('"8e03978e-40d5"'))
 * ```
 *
 * @since 0.1.0
 */
import { unquoted } from "./internal/structuredField.ts"
import * as Problem from "./Problem.ts"

/**
 * The longest key that is taken.
 *
 * @category limits
 * @since 0.1.0
 */
export const lengthMax = 255

/**
 * The key, or the problem that says what is wrong with the header.
 *
 * @category converting
 * @since 0.1.0
 */
export const parse = (header: string | undefined): string | Problem.Problem => {
  const invalid = (reason: string, detail: string) => Problem.make({ status: 400, reason, detail })
  if (header === undefined) {
    return invalid("MISSING_IDEMPOTENCY_KEY", 'the header Idempotency-Key is required, as "8e03978e-40d5-43e8"')
  }
  const key = unquoted(header)
  return key === undefined || key === "" || key.length > lengthMax
    ? invalid(
        "MALFORMED_IDEMPOTENCY_KEY",
        `the header Idempotency-Key must be a quoted string of 1 to ${lengthMax} characters`
      )
    : key
}
