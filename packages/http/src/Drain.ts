/**
 * Whether the service is on its way out.
 *
 * **Details**
 *
 * While draining, `/readyz` answers 503, requests are still served, and every
 * response says `connection: close`, so that clients leave their keep-alive
 * sockets. `Server.run` begins the drain at the first `SIGTERM` or `SIGINT`.
 *
 * **Gotchas**
 *
 * The default of the reference never drains; provide {@link layer} once, outside
 * the server.
 *
 * **Example** (beginning one by hand)
 *
 * ```ts
 * import { Drain } from "@failsoft/http"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const drain = yield* Drain.Drain
 *   drain.begin()
 *   return drain.draining()
 * })
 * Effect.runPromise(program.pipe(Effect.provide(Drain.layer))).then(console.log)
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * The switch that begins a drain, and its state.
 *
 * @category models
 * @since 0.1.0
 */
export interface DrainSwitch {
  readonly draining: () => boolean
  readonly begin: () => void
}

/**
 * The drain of the current service.
 *
 * @category references
 * @since 0.1.0
 */
export const Drain: Context.Reference<DrainSwitch> = Context.Reference<DrainSwitch>("@failsoft/http/Drain", {
  defaultValue: () => ({ draining: () => false, begin: () => {} })
})

/**
 * A switch for one service.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = Layer.effect(
  Drain,
  Effect.sync(() => {
    let draining = false
    return {
      draining: () => draining,
      begin: () => {
        draining = true
      }
    }
  })
)
