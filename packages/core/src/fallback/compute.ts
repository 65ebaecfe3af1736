/** Answers that take some work of ours. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Answer from "../Answer.ts"
import * as Deadline from "../Deadline.ts"
import * as Fallback from "../Fallback.ts"
import * as Knob from "../Knob.ts"
import type { Unavailable } from "../Unavailable.ts"

/** The answer of an effect within its limit; nothing where it fails, dies or is late. */
const attempt = <A, E>(
  self: Effect.Effect<A, E>,
  limitMillis: number,
  how: { readonly quality: Answer.DegradedQuality; readonly reason: string }
): Effect.Effect<Option.Option<Answer.Answer<A>>> =>
  self.pipe(
    Effect.map((value) => Option.some(Answer.degraded(value, how))),
    // The request's own deadline holds here too, also for calls that the work makes.
    Deadline.within(limitMillis, () => Effect.succeedNone),
    // Not run where the caller is interrupted; an interruption within the work is its failure.
    Effect.catchCause(() => Effect.succeedNone)
  )

/**
 * Computes an answer from the payload: quality `substituted`, or the one you
 * name. It has `within` (100 ms by default) to do so; where it is late, fails or
 * dies, the next step is tried, so it is never the last of a chain.
 *
 * @category fallbacks
 * @since 0.1.0
 */
export const compute = <A, Payload>(options: {
  readonly compute: (payload: Payload, failure: Unavailable) => Effect.Effect<A, unknown>
  readonly quality?: "substituted" | "optimistic" | "partial"
  readonly within?: Duration.Input
}): Fallback.Fallback<A, Payload, "partial"> => {
  const quality = options.quality ?? "substituted"
  const knobs = { withinMillis: Knob.millis(options.within ?? "100 millis") }
  return Fallback.fromInstance<A, Payload, "partial", typeof knobs>({
    kind: "compute",
    quality,
    marks: ["partial"],
    knobs,
    make: (values) =>
      Effect.succeed({
        answer: (request, failure) =>
          attempt(
            // The ring gives only payloads of its own method; `Payload` says so to the caller.
            Effect.suspend(() => options.compute(request.payload as Payload, failure)),
            values.withinMillis,
            { quality, reason: failure.reason }
          )
      })
  })
}

/**
 * Takes the request for later and answers with a receipt: quality `deferred`.
 * `offer` puts it into a durable queue under its idempotency key, so that the
 * queue may deliver it twice; only for `keyed` methods.
 *
 * @category fallbacks
 * @since 0.1.0
 */
export const enqueue = <A, Payload>(options: {
  readonly offer: (payload: Payload, idempotencyKey: string) => Effect.Effect<A, unknown>
  readonly within?: Duration.Input
}): Fallback.Fallback<A, Payload, "partial" | "enqueues"> => {
  const knobs = { withinMillis: Knob.millis(options.within ?? "100 millis") }
  return Fallback.fromInstance<A, Payload, "partial" | "enqueues", typeof knobs>({
    kind: "enqueue",
    quality: "deferred",
    marks: ["partial", "enqueues"],
    knobs,
    make: (values) =>
      Effect.succeed({
        answer: (request, failure) => {
          const key = request.idempotencyKey()
          if (key === undefined) return Effect.succeedNone
          return attempt(
            Effect.suspend(() => options.offer(request.payload as Payload, key)),
            values.withinMillis,
            { quality: "deferred", reason: failure.reason }
          )
        }
      })
  })
}
