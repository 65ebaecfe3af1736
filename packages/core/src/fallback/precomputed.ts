/** Answers that were made before anything failed. */

import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Answer from "../Answer.ts"
import * as Fallback from "../Fallback.ts"
import { withCameAt } from "../internal/cameAt.ts"
import { toMillis } from "../internal/duration.ts"
import * as Knob from "../Knob.ts"

/** A table, when its load began, and when it was there. */
interface Loaded<T> {
  readonly table: T
  readonly at: number
  readonly cameAt: number
}

/**
 * An answer of a table (a file, an export of last night) that is loaded when the ring
 * is built and again `every` so often (5 minutes by default): quality `substituted`, or
 * the one you name, `asOf` the time at which the load of the table began. Nothing where the
 * table has none for the payload, or was loaded longer than `maxAge` ago.
 *
 * Loading is never waited for: a file that is missing or broken costs the step its
 * answers, not the service its start. It is told in the log, once for each time that it
 * begins to fail and once when it is well again; the last good table stays in use.
 *
 * @category fallbacks
 * @since 0.1.0
 */
export const precomputed = <A, Payload, T>(options: {
  /** Makes the table. It is interrupted after `every`. */
  readonly load: Effect.Effect<T, unknown>
  /** The answer for a payload. */
  readonly lookup: (table: T, payload: Payload) => A | undefined
  readonly every?: Duration.Input
  /** How old a table may be. Default: as old as it gets. */
  readonly maxAge?: Duration.Input
  readonly quality?: "substituted" | "stale" | "partial"
  /** What the log calls it. */
  readonly name?: string
}): Fallback.Fallback<A, Payload, "partial"> => {
  const quality = options.quality ?? "substituted"
  const knobs = {
    everyMillis: Knob.millis(options.every ?? "5 minutes"),
    maxAgeMillis: Knob.millis(options.maxAge ?? foreverMillis)
  }
  return Fallback.fromInstance<A, Payload, "partial", typeof knobs>({
    kind: "precomputed",
    quality,
    marks: ["partial"],
    knobs,
    immediate: true,
    make: (values) =>
      Effect.gen(function* () {
        const name = options.name ?? "a precomputed table"
        let loaded: Loaded<T> | undefined
        let failing = false
        const keep = (table: T, at: number) =>
          Effect.flatMap(Clock.currentTimeMillis, (cameAt) => {
            loaded = { table, at, cameAt }
            const wasFailing = failing
            failing = false
            return wasFailing ? Effect.logInfo(`${name} is loaded again`) : Effect.void
          })
        const complain = (cause: unknown) => {
          if (failing) return Effect.void
          failing = true
          const use = loaded === undefined ? "it has no answers until then" : "the last good one stays in use"
          return Effect.logWarning(`${name} cannot be loaded, which is tried again; ${use}`, cause)
        }
        const load = Effect.flatMap(Clock.currentTimeMillis, (at) =>
          Effect.flatMap(Effect.timeout(options.load, values.everyMillis), (table) => keep(table, at))
        ).pipe(Effect.catchCause(complain))
        const refresh = Effect.suspend(() => Effect.delay(load, values.everyMillis))
        yield* Effect.forkScoped(Effect.andThen(load, Effect.forever(refresh)))
        return {
          answer: (request, failure) =>
            Effect.sync(() => {
              if (loaded === undefined || request.now - loaded.at > values.maxAgeMillis) return Option.none()
              // The ring gives only payloads of its own method; `Payload` says so to the caller.
              const value = options.lookup(loaded.table, request.payload as Payload)
              return value === undefined
                ? Option.none()
                : Option.some(
                    withCameAt(
                      Answer.degraded(value, { quality, asOf: loaded.at, reason: failure.reason }),
                      loaded.cameAt
                    )
                  )
            })
        }
      })
  })
}

/** A century. */
const foreverMillis = toMillis("36500 days")
