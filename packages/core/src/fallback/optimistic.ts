/** Assumptions: what is usually right, for a stated time, and what to do when it was not. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Answer from "../Answer.ts"
import * as Fallback from "../Fallback.ts"
import * as Knob from "../Knob.ts"

/**
 * An assumption that was answered with, and what the downstream said once it was
 * there again. Times are milliseconds since the epoch.
 *
 * @category models
 * @since 0.1.0
 */
export interface Assumption<out A, out Payload> {
  readonly payload: Payload
  readonly assumed: A
  /** When it was answered first in this outage. */
  readonly since: number
  /** How often. */
  readonly times: number
  /** The downstream's own answer. */
  readonly actual: A
}

/** What is assumed for one payload since its last good answer. */
interface Held {
  readonly payload: unknown
  readonly assumed: unknown
  readonly since: number
  times: number
}

/** So many reconciliations run at once, and so many wait; more wait for their next fresh answer. */
const reconcilers = 4
const waitingMax = 1000

/**
 * Answers with what is usually right: quality `optimistic`, with `until` and without
 * `asOf`, since what is assumed never was an answer. It is assumed
 * for at most `holds` since it was assumed first; after that the step has no answer for
 * this payload until the downstream had one. With the first fresh answer to the same
 * payload the assumption ends, and `reconcile` is told both, so that what was promised
 * can be made good. It runs beside the call, which does not wait for it; what it fails
 * with is logged.
 *
 * At most `entriesMax` assumptions are held (1000 by default): where all of them still
 * hold, the step has no answer for others, since an assumption that is forgotten is
 * never reconciled; the oldest that is over makes room.
 *
 * Only a method that degrades has a fallback, so nothing is ever assumed where the
 * contract says `fail`.
 *
 * @category fallbacks
 * @since 0.1.0
 */
export const optimistic = <A, Payload>(options: {
  readonly assume: (payload: Payload) => A
  readonly holds: Duration.Input
  readonly reconcile?: (assumption: Assumption<A, Payload>) => Effect.Effect<void, unknown>
  readonly entriesMax?: number
}): Fallback.Fallback<A, Payload, "partial" | "keeps"> => {
  const knobs = {
    holdsMillis: Knob.millis(options.holds),
    entriesMax: Knob.count(options.entriesMax ?? 1000, { most: 1_000_000 })
  }
  return Fallback.fromInstance<A, Payload, "partial" | "keeps", typeof knobs>({
    kind: "optimistic",
    quality: "optimistic",
    marks: ["partial", "keeps"],
    knobs,
    immediate: true,
    make: (values) =>
      Effect.gen(function* () {
        const held = new Map<string, Held>()
        const ended = yield* Queue.dropping<Assumption<A, Payload>>(waitingMax)
        const { reconcile } = options
        if (reconcile !== undefined) {
          const one = Effect.flatMap(Queue.take(ended), (assumption) =>
            Effect.suspend(() => reconcile(assumption)).pipe(
              Effect.catchCause((cause) => Effect.logError("an optimistic answer could not be reconciled", cause))
            )
          )
          for (let nth = 0; nth < reconcilers; nth++) yield* Effect.forkScoped(Effect.forever(one))
        }

        /** Those that are over and were never answered afresh must not keep their places for ever. */
        const forgetsExpired = (now: number): boolean => {
          // A Map keeps the order of insertion: its first is the oldest.
          const [oldest] = held
          return oldest !== undefined && now - oldest[1].since >= values.holdsMillis && held.delete(oldest[0])
        }

        const take = (key: string, payload: unknown, now: number): Held | undefined => {
          const known = held.get(key)
          if (known !== undefined) return now - known.since < values.holdsMillis ? known : undefined
          if (held.size >= values.entriesMax && !forgetsExpired(now)) return undefined
          // The ring gives only payloads of its own method; `Payload` says so to the caller.
          const made: Held = { payload, assumed: options.assume(payload as Payload), since: now, times: 0 }
          held.set(key, made)
          return made
        }
        return {
          observe: (request, value) => {
            if (held.size === 0) return
            const key = request.key()
            const known = key === undefined ? undefined : held.get(key)
            if (key === undefined || known === undefined) return
            const { assumed, payload, since, times } = known
            const told =
              reconcile === undefined ||
              Queue.offerUnsafe(ended, {
                payload: payload as Payload,
                assumed: assumed as A,
                since,
                times,
                actual: value as A
              })
            if (told) held.delete(key)
          },
          answer: (request, failure) =>
            Effect.sync(() => {
              const key = request.key()
              const known = key === undefined ? undefined : take(key, request.payload, request.now)
              if (known === undefined) return Option.none()
              known.times++
              return Option.some(
                Answer.degraded(known.assumed, {
                  quality: "optimistic",
                  until: known.since + values.holdsMillis,
                  reason: failure.reason
                })
              )
            })
        }
      })
  })
}
