/**
 * Signals for a consumer that takes its time: a stream with a bounded buffer.
 *
 * **Details**
 *
 * A listener of the bus runs inside the call. A consumer that writes to a socket or
 * a disk must not: its signals go through a buffer of its own, and while the buffer
 * is full they are dropped and counted. The call never waits, and one slow consumer
 * takes nothing from the others.
 *
 * **Gotchas**
 *
 * The oldest signals are kept and the newest dropped, so a consumer that comes back
 * reads how it began. `dropped` grows for as long as the consumer is too slow: show it.
 *
 * **Example** (a consumer that prints)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Signal, SignalStream } from "@failsoft/core"
 *
 * const program = Effect.gen(function*() {
 *   const bus = yield* Signal.Bus
 *   const { stream, dropped } = yield* SignalStream.make(bus, { bufferMax: 100 })
 *   bus.emit({ _tag: "AttemptTimedOut", at: 0, downstream: "payments", method: "charge", limitMillis: 250 })
 *   const [first] = yield* Stream.runCollect(Stream.take(stream, 1))
 *   console.log(first?._tag, dropped())
 * })
 * Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Signal.layer)))
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Signal, SignalBus } from "./Signal.ts"

/**
 * A subscription: the signals from now on, and how many of them were dropped because
 * the buffer was full.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subscription {
  readonly stream: Stream.Stream<Signal>
  readonly dropped: () => number
}

/**
 * Subscribes until the scope closes, which ends the stream. `bufferMax` is 1024 by
 * default; at least 1.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  bus: SignalBus,
  options: { readonly bufferMax?: number } = {}
): Effect.Effect<Subscription, never, Scope.Scope> =>
  Effect.gen(function* () {
    const bufferMax = options.bufferMax ?? 1024
    if (!Number.isSafeInteger(bufferMax) || bufferMax < 1) {
      return yield* Effect.die(new Error(`bufferMax must be a whole number of at least 1, but is ${bufferMax}`))
    }
    const queue = yield* Effect.acquireRelease(Queue.dropping<Signal>(bufferMax), Queue.shutdown)
    let dropped = 0
    yield* bus.subscribe((signal) => {
      if (!Queue.offerUnsafe(queue, signal)) dropped++
    })
    return { stream: Stream.fromQueue(queue), dropped: () => dropped }
  })
