/** The delay of Node's event loop, measured by Node itself: a timer of its own beside JavaScript. */
import { monitorEventLoopDelay } from "node:perf_hooks"
import { Shedder } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** How often Node looks. What it records holds this time as well. */
const resolutionMillis = 10

/** A histogram for each reader, since reading begins it anew. */
const reader = Effect.acquireRelease(
  Effect.sync(() => {
    const histogram = monitorEventLoopDelay({ resolution: resolutionMillis })
    histogram.enable()
    return histogram
  }),
  (histogram) => Effect.sync(() => histogram.disable())
).pipe(
  Effect.map((histogram) => () => {
    // Between two looks there is nothing yet.
    const millis = histogram.count === 0 ? 0 : histogram.mean / 1e6 - resolutionMillis
    histogram.reset()
    return Math.max(0, millis)
  })
)

/** Measures where nobody else does. */
export const layer: Layer.Layer<never> = Layer.succeed(Shedder.LoopDelay, reader)
