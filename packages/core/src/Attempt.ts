/**
 * Which attempt of a call the current fiber runs.
 *
 * **Details**
 *
 * 0 for the first attempt, 1 for the first retry, and so on: the number that
 * `http.request.resend_count` asks for. A retry policy sets it, a transport reads
 * it.
 *
 * **Gotchas**
 *
 * It is set only below a retry: elsewhere it is 0.
 *
 * **Example** (reading it in a transport)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Attempt } from "@failsoft/core"
 *
 * console.log(Effect.runSync(Effect.service(Attempt.Attempt)))
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"

/**
 * The number of the current attempt, from 0.
 *
 * @category references
 * @since 0.1.0
 */
export const Attempt: Context.Reference<number> = Context.Reference<number>("@failsoft/core/Attempt", {
  defaultValue: () => 0
})
