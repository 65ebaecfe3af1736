/**
 * A second attempt beside one that takes longer than usual.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Call } from "../Call.ts"
import { Deadline } from "../Deadline.ts"
import { Budget } from "../internal/budget.ts"
import { HedgeRace, type Hedging } from "../internal/hedgeRace.ts"
import { Quantiles } from "../internal/quantiles.ts"
import { Timers } from "../internal/timers.ts"
import * as Knob from "../Knob.ts"
import * as Policy from "../Policy.ts"

/**
 * The knobs of a hedge.
 *
 * @category models
 * @since 0.1.0
 */
export interface HedgeOptions {
  readonly name?: string
  /** After how long a second attempt is sent. Default: the observed quantile. */
  readonly delay?: Duration.Input
  /** Which quantile of the observed times the delay follows. Default 0.95. */
  readonly quantile?: number
  /** The shortest and the longest delay that a quantile may give. Default 1 ms, 1 s. */
  readonly delayMin?: Duration.Input
  readonly delayMax?: Duration.Input
  /** With fewer calls in the window than this the quantile is not known, and nothing is hedged. Default 100. */
  readonly minimumCalls?: number
  /** How far back the quantile looks. Default 60 s. */
  readonly window?: Duration.Input
  /** How many extra attempts one call may have, 0 to 5; 0 switches it off. Default 1. */
  readonly hedgesMax?: number
  /** How many extra attempts per call of the last 10 s, in all. Default 0.05. */
  readonly budgetRatio?: number
  /** So many extra attempts per second are always granted. Default 0.1. */
  readonly budgetPerSecond?: number
  /** Where the extra attempts should go (see `Region`). Default: nothing is said. */
  readonly region?: string
}

/** The quantile is looked up again after so long. */
const lookMillis = 1000

/**
 * Sends a second attempt when the first takes longer than usual, and takes what
 * comes first: an answer or a permanent outcome. The other is interrupted and its
 * finalizers are waited for. A transient error does not win while another attempt
 * still runs; where all fail, the last error is returned. A refused extra attempt
 * (circuit open, bulkhead full) counts as never sent.
 *
 * The delay is the observed quantile, by default p95, so that one call in twenty may be
 * hedged, and the budget holds it there: when everybody is slow, it is spent, and
 * the downstream gets no more than its share on top. What is past its deadline is not hedged.
 *
 * Only for `safe` and `keyed` methods: the type carries the mark `replays`.
 *
 * @category policies
 * @since 0.1.0
 */
export const hedge = (options: HedgeOptions = {}): Policy.Policy<"replays" | "unbounded"> =>
  Policy.fromInstance({
    kind: "hedge",
    name: options.name,
    marks: ["replays", "unbounded"],
    knobs: {
      hedgesMax: Knob.count(options.hedgesMax ?? 1, { least: 0, most: 5 }),
      delayMillis: Knob.millis(options.delay ?? 0, { zero: true }),
      quantile: Knob.share(options.quantile ?? 0.95),
      delayMinMillis: Knob.millis(options.delayMin ?? "1 millis"),
      delayMaxMillis: Knob.millis(options.delayMax ?? "1 second"),
      minimumCalls: Knob.count(options.minimumCalls ?? 100),
      windowMillis: Knob.millis(options.window ?? "60 seconds"),
      budgetRatio: Knob.share(options.budgetRatio ?? 0.05, { zero: true }),
      budgetPerSecond: Knob.number(options.budgetPerSecond ?? 0.1, { least: 0, most: 1_000_000 }),
      region: Knob.fixed(options.region ?? "")
    },
    problems: ({ delayMinMillis, delayMaxMillis }) =>
      delayMinMillis > delayMaxMillis
        ? [`delayMinMillis (${delayMinMillis} ms) must not be longer than delayMaxMillis (${delayMaxMillis} ms)`]
        : [],
    make: (values) =>
      Effect.sync(() => {
        const times = new Quantiles(() => values.windowMillis)
        const budget = new Budget()
        let hedged = 0
        let won = 0
        let denied = 0
        let lookedAt = Number.NEGATIVE_INFINITY
        let usualMillis = Number.POSITIVE_INFINITY

        /** When the quantile says so; never as long as too little is known. */
        const usual = (now: number): number => {
          const age = now - lookedAt
          if (age < 0 || age >= lookMillis) {
            lookedAt = now
            usualMillis =
              times.count(now) < values.minimumCalls
                ? Number.POSITIVE_INFINITY
                : (times.quantile(now, values.quantile) ?? Number.POSITIVE_INFINITY)
          }
          return usualMillis === Number.POSITIVE_INFINITY
            ? usualMillis
            : Math.min(values.delayMaxMillis, Math.max(values.delayMinMillis, usualMillis))
        }
        const delayAt = (now: number) => (values.delayMillis > 0 ? values.delayMillis : usual(now))

        const hedgingOf = ({ bus, downstream, method }: Policy.Row): Hedging => ({
          downstream,
          timers: new Timers(),
          hedgesMax: () => values.hedgesMax,
          region: options.region ?? "",
          allowed: (at, delayMillis) => {
            const granted = budget.take(at, values)
            if (granted) hedged++
            else denied++
            if (bus.active) {
              bus.emit(
                granted
                  ? { _tag: "Hedged", at, downstream, method, delayMillis }
                  : { _tag: "HedgeDenied", at, downstream, method, reason: "budget" }
              )
            }
            return granted
          },
          won: (at) => {
            won++
            if (bus.active) bus.emit({ _tag: "HedgeWon", at, downstream, method })
          },
          took: (at, millis, verdict, delayMillis) => {
            // Who lost against a hedge took longer than the delay, by how much nobody knows. Left out,
            // the quantile would fall with each hedge that won, and with it the delay.
            const late = verdict === "aborted" && millis >= delayMillis
            if (verdict === "answered" || verdict === "permanent" || verdict === "timedOut" || late) {
              times.record(at, millis)
            }
          }
        })

        return {
          form: {
            _tag: "Repeat",
            bind: (row) => {
              const hedging = hedgingOf(row)
              return <A, T, P>(call: Call<A, T, P>, deadlineAt: number): Call<A, T, P> =>
                Effect.suspend(() => {
                  if (values.hedgesMax === 0) return call
                  return Effect.callback((resume) => {
                    const fiber = Fiber.getCurrent()
                    if (fiber === undefined) return resume(Effect.die("a call runs in a fiber"))
                    const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
                    budget.earn(now)
                    const until = Math.min(deadlineAt, fiber.getRef(Deadline))
                    return new HedgeRace(hedging, fiber, call, delayAt(now), until, resume).begin(now)
                  })
                })
            }
          },
          state: () => ({ hedged, won, denied })
        }
      })
  })
