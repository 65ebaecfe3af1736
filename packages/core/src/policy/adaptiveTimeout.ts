/**
 * The time of one attempt, following what attempts take.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { toMillis } from "../internal/duration.ts"
import { TimeLimit } from "../internal/timeLimit.ts"
import * as Knob from "../Knob.ts"
import * as Policy from "../Policy.ts"

/**
 * The knobs of an adaptive timeout.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdaptiveTimeoutOptions {
  readonly name?: string
  /** The shortest that it becomes. Default a tenth of the ceiling. */
  readonly floor?: Duration.Input
  /** Which quantile of the observed times it follows. Default 0.999. */
  readonly quantile?: number
  /** How much longer than the quantile, 1.05 to 10. Default 1.5. */
  readonly factor?: number
  /** An attempt gets at most this share of what the deadline leaves, but never less than the floor. Default 1/3. */
  readonly deadlineShare?: number
  /** With fewer calls in the window it does not move. Default 100. */
  readonly minimumCalls?: number
  /** How far back it looks. Default 60 s. */
  readonly window?: Duration.Input
}

/**
 * A timeout that begins at `ceiling` and follows the observed times: their quantile
 * times a factor, at least `floor`, at most `ceiling`, and at most a share of what
 * the deadline leaves. It moves once in 10 seconds of traffic, by at most 20 %, and
 * tells it by `LimitMoved`. While a fifth of the outcomes are failures it stays
 * where it is, so that an outage teaches it nothing.
 *
 * Everything else is as with {@link timeout}, also for the checks of a composition:
 * its knob `limitMillis` is the ceiling, the longest that an attempt can take.
 *
 * @category policies
 * @since 0.1.0
 */
export const adaptiveTimeout = (
  ceiling: Duration.Input,
  options: AdaptiveTimeoutOptions = {}
): Policy.Policy<never> => {
  const name = options.name ?? "timeout"
  return Policy.fromInstance({
    kind: "timeout",
    name,
    knobs: {
      limitMillis: Knob.millis(ceiling),
      floorMillis: Knob.millis(options.floor ?? toMillis(ceiling) / 10),
      quantile: Knob.share(options.quantile ?? 0.999),
      factor: Knob.number(options.factor ?? 1.5, { least: 1.05, most: 10 }),
      deadlineShare: Knob.share(options.deadlineShare ?? 1 / 3),
      minimumCalls: Knob.count(options.minimumCalls ?? 100),
      windowMillis: Knob.millis(options.window ?? "60 seconds")
    },
    problems: ({ floorMillis, limitMillis }) =>
      floorMillis > limitMillis
        ? [`floorMillis (${floorMillis} ms) must not be longer than limitMillis, the ceiling (${limitMillis} ms)`]
        : [],
    make: (values) =>
      Effect.sync(() => {
        const limit = new TimeLimit(values)
        return {
          form: {
            _tag: "Limit",
            policy: name,
            limitMillis: ({ deadlineAt, now }) => {
              if (deadlineAt === Number.POSITIVE_INFINITY) return limit.millis
              return Math.min(limit.millis, Math.max(values.floorMillis, (deadlineAt - now) * values.deadlineShare))
            },
            ended: (millis, verdict, { row }, now) => {
              const from = limit.millis
              limit.ended(millis, verdict, now)
              const to = limit.millis
              if (from !== to && row.bus.active) {
                const { downstream, method } = row
                row.bus.emit({ _tag: "LimitMoved", at: now, downstream, method, policy: name, from, to })
              }
            }
          },
          changed: () => limit.turned(),
          state: () => ({ limitMillis: limit.millis, quantileMillis: limit.quantileMillis, frozen: limit.frozen })
        }
      })
  })
}
