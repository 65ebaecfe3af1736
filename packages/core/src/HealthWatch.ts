/**
 * An early end of an open circuit: the downstream itself says that it is well.
 *
 * **Details**
 *
 * While a circuit of the downstream is open, and only then, `healthy` is asked
 * `every` so often. At its first yes the open circuits of the downstream probe at
 * once (`CircuitChanged` with the reason `reported-healthy`); their probes and their
 * ramp decide the rest, so a health endpoint that says yes too early costs a few
 * probes. Without it a circuit waits for the end of its open time.
 *
 * **Gotchas**
 *
 * It needs a bus (`Signal.layer`) and the settings registry (`Settings.layer`), by
 * which breakers have names. `healthy` is cut off after `every`; what it fails with
 * means no. A circuit that an operator has forced open stays so.
 *
 * **Example** (asking a health endpoint)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { HealthWatch, Settings, Signal } from "@failsoft/core"
 *
 * const answers = Effect.succeed(true) // for instance, GET /readyz is 200
 * export const watched = HealthWatch.layer({ downstream: "payments", healthy: answers }).pipe(
 *   Layer.provideMerge(Layer.merge(Signal.layer, Settings.layer))
 * )
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Settings from "./Settings.ts"
import { Bus, type Signal } from "./Signal.ts"
import * as SignalStream from "./SignalStream.ts"

/** Who is named in the audit. */
const by = "health watch"

/**
 * Watches one downstream, by its name in signals. `every` is 1 second by default.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <E, R>(options: {
  readonly downstream: string
  readonly healthy: Effect.Effect<boolean, E, R>
  readonly every?: Duration.Input
}): Layer.Layer<never, never, R> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { stream } = yield* SignalStream.make(yield* Bus, { bufferMax: 1024 })
      const registry = yield* Settings.Registry
      const every = options.every ?? "1 second"
      /** The addresses of the breakers with a circuit that is open. */
      const open = new Set<string>()

      const isWell = Effect.timeoutOrElse(options.healthy, {
        duration: every,
        orElse: () => Effect.succeed(false)
      }).pipe(Effect.catchCause(() => Effect.succeed(false)))

      let watching = false
      /** Whether to go on: looked at and written down in one step, so that no opening is missed. */
      const goesOn = () => {
        watching = open.size > 0
        return watching
      }

      const watch = Effect.gen(function* () {
        while (goesOn()) {
          yield* Effect.sleep(every)
          if (open.size === 0 || !(yield* isWell)) continue
          for (const address of [...open]) {
            open.delete(address)
            // A breaker that is not among the settings has nobody to tell.
            yield* Effect.ignore(registry.operate(address, "healthy", { by }))
          }
        }
      })

      const begin = Effect.suspend(() => (watching ? Effect.void : Effect.asVoid(Effect.forkScoped(watch))))

      yield* Effect.forkScoped(
        Stream.runForEach(
          Stream.filter(stream, (signal) => isOf(signal, options.downstream)),
          (signal) => {
            if (signal._tag !== "CircuitChanged") return Effect.void
            const address = `${signal.downstream}/${signal.method}/${signal.policy}`
            if (signal.to !== "open") open.delete(address)
            else open.add(address)
            return signal.to === "open" ? begin : Effect.void
          }
        )
      )
    })
  )

const isOf = (signal: Signal, downstream: string): boolean =>
  signal._tag === "CircuitChanged" && signal.downstream === downstream
