/** Answers that take some work of ours. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Answer from "../Answer.ts"
import * as Fallback from "../Fallback.ts"
import type { Unavailable } from "../Unavailable.ts"

/** The answer of an effect; nothing where it fails or dies. */
const attempt = <A, E>(
  self: Effect.Effect<A, E>,
  how: { readonly quality: Answer.DegradedQuality; readonly reason: string }
): Effect.Effect<Option.Option<Answer.Answer<A>>> =>
  self.pipe(
    Effect.map((value) => Option.some(Answer.degraded(value, how))),
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
  return Fallback.fromInstance<A, Payload, "partial">({
    kind: "compute",
    quality,
    marks: ["partial"],
    ...(options.within === undefined ? {} : { within: options.within }),
    make: () =>
      Effect.succeed({
        answer: (request, failure) =>
          attempt(
            // The ring gives only payloads of its own method; `Payload` says so to the caller.
            Effect.suspend(() => options.compute(request.payload as Payload, failure)),
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
  return Fallback.fromInstance<A, Payload, "partial" | "enqueues">({
    kind: "enqueue",
    quality: "deferred",
    marks: ["partial", "enqueues"],
    ...(options.within === undefined ? {} : { within: options.within }),
    make: () =>
      Effect.succeed({
        answer: (request, failure) => {
          const key = request.idempotencyKey()
          if (key === undefined) return Effect.succeedNone
          return attempt(
            Effect.suspend(() => options.offer(request.payload as Payload, key)),
            { quality: "deferred", reason: failure.reason }
          )
        }
      })
  })
}
