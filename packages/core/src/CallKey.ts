/**
 * Whose call the current one is, for policies that keep a state per key: a
 * tenant, a host, a carrier.
 *
 * **Details**
 *
 * A row of a ring says how to take it from the payload (`key`), or a caller provides
 * it. A breaker with `keysMax` then opens for one tenant and stays closed for the
 * others.
 *
 * **Gotchas**
 *
 * Policies hold a bounded number of keys; never take a request id for a key.
 *
 * **Example** (a caller's tenant; a row says `key: ({ tenant }) => tenant` instead)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { CallKey } from "@failsoft/core"
 *
 * const whose = Effect.service(CallKey.CallKey).pipe(Effect.provideService(CallKey.CallKey, "tenant-7"))
 * console.log(Effect.runSync(whose))
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"

/**
 * The key of the current call, `""` where it has none.
 *
 * @category references
 * @since 0.1.0
 */
export const CallKey: Context.Reference<string> = Context.Reference<string>("@failsoft/core/CallKey", {
  defaultValue: () => ""
})
