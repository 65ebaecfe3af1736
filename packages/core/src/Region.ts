/**
 * To which region a call should go, where a downstream has several.
 *
 * **Details**
 *
 * A policy that asks elsewhere (a hedge with `region`) sets it, a transport that
 * knows several regions reads it. It is a wish: who knows one region only ignores
 * it.
 *
 * **Gotchas**
 *
 * No policy checks that the region exists; the transport decides what to do with a
 * name that it does not know.
 *
 * **Example** (reading it in a transport)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Region } from "@failsoft/core"
 *
 * const where = Effect.service(Region.Region).pipe(Effect.provideService(Region.Region, "us"))
 * console.log(Effect.runSync(where))
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"

/**
 * The region that is wished for, `""` for any.
 *
 * @category references
 * @since 0.1.0
 */
export const Region: Context.Reference<string> = Context.Reference<string>("@failsoft/core/Region", {
  defaultValue: () => ""
})
