/**
 * Load shedding: under overload the least important work is refused first, at once
 * and cheaply, so that the rest is still done in time.
 *
 * **Details**
 *
 * The shedder is a gate whose key is the priority of the work. It sheds by three
 * signs: more runs than `limit` (of which `default` work may take 90 % and `sheddable`
 * work 70 %), a queue that stands (CoDel), and an event loop that is late. It is what
 * the HTTP edge puts before its routes; a consumer of messages may use it the same
 * way. A refusal has the reason `LOAD_SHED`, and its record says the cause and the
 * counters.
 *
 * **Gotchas**
 *
 * Nobody is shed in a state in which somebody less important would be let in. The
 * level of the event loop's delay is evaluated when work arrives, so it costs
 * nothing in between. The same value in two rows is one shedder.
 *
 * **Example** (a shedder that takes two at once)
 *
 * ```ts
 * import { Shedder } from "@failsoft/core"
 *
 * const shedder = Shedder.policy({ limitMax: 2, queueMax: 0 })
 * console.log(shedder.parts[0]?.knobs["limitMax"]?.initial)
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Attempt } from "./Gate.ts"
import { Concurrency } from "./internal/concurrency.ts"
import { DelayLevel } from "./internal/delayLevel.ts"
import { ranks, Shedding } from "./internal/shedding.ts"
import * as Knob from "./Knob.ts"
import * as Policy from "./Policy.ts"
import type { Refused } from "./Refused.ts"

/**
 * How important a piece of work is.
 *
 * @category models
 * @since 0.1.0
 */
export type Priority = "critical" | "default" | "sheddable"

/**
 * The priorities, the most important first.
 *
 * @category constants
 * @since 0.1.0
 */
export const priorities: ReadonlyArray<Priority> = ranks

/**
 * The less important of two.
 *
 * @category combinators
 * @since 0.1.0
 */
export const lower = (one: Priority, other: Priority): Priority =>
  priorities.indexOf(one) > priorities.indexOf(other) ? one : other

/**
 * How late the event loop is: each reader gives the mean delay in milliseconds since
 * it was asked last. Without a layer nobody measures, and it is 0.
 *
 * @category references
 * @since 0.1.0
 */
export const LoopDelay: Context.Reference<Effect.Effect<() => number, never, Scope.Scope>> = Context.Reference<
  Effect.Effect<() => number, never, Scope.Scope>
>("@failsoft/core/Shedder/LoopDelay", { defaultValue: () => Effect.succeed(() => 0) })

/**
 * The knobs of a shedder.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly name?: string
  /** `dark` counts whom it would shed and lets them pass. Default `on`. */
  readonly mode?: "on" | "dark" | "off"
  /** How the limit is found. Default `fixed`, which is `limitMax`; the others learn from latency. */
  readonly algorithm?: "fixed" | "gradient" | "vegas"
  /** How many run at once at most. Default 256. */
  readonly limitMax?: number
  /** Where a limit that learns begins, and below which it never falls. Defaults 64 and 8. */
  readonly limitInitial?: number
  readonly limitMin?: number
  /** The shares of the limit that `default` and `sheddable` work may fill. Defaults 0.9 and 0.7. */
  readonly defaultShare?: number
  readonly sheddableShare?: number
  /** How many may wait. Default 64; 0 sheds at once. */
  readonly queueMax?: number
  /** What a wait may last once the queue stands. Default 5 ms. */
  readonly queueTarget?: Duration.Input
  /** After how long without being empty the queue stands. Default 100 ms. */
  readonly queueInterval?: Duration.Input
  /** Above this mean delay of the event loop `sheddable` work is shed, and, if it stands, `default` work. Default 50 ms. */
  readonly delayMax?: Duration.Input
  /** Only above this is `critical` work shed by delay. Default 500 ms. */
  readonly delayCritical?: Duration.Input
  /** How often the delay is judged. Default 100 ms. */
  readonly delayWindow?: Duration.Input
  /** When those who were shed may ask again; the edge adds jitter. Default 1 s. */
  readonly retryAfter?: Duration.Input
}

/**
 * A shedder as a policy, so that its knobs, states and settings are those of any
 * other. The key of an attempt is its priority.
 *
 * @category constructors
 * @since 0.1.0
 */
export const policy = (options: Options = {}): Policy.Policy<"unbounded"> => {
  const name = options.name ?? "loadShedding"
  const limitMax = options.limitMax ?? 256
  const counts = { least: 1, most: 1_000_000 }
  return Policy.fromInstance({
    kind: "loadShedding",
    name,
    marks: ["unbounded"],
    knobs: {
      mode: Knob.word(options.mode ?? "on", ["on", "dark", "off"]),
      algorithm: Knob.word(options.algorithm ?? "fixed", ["fixed", "gradient", "vegas"]),
      limitMax: Knob.count(limitMax, counts),
      limitInitial: Knob.count(options.limitInitial ?? Math.min(64, limitMax), counts),
      limitMin: Knob.count(options.limitMin ?? Math.min(8, limitMax), counts),
      defaultShare: Knob.share(options.defaultShare ?? 0.9),
      sheddableShare: Knob.share(options.sheddableShare ?? 0.7),
      queueMax: Knob.count(options.queueMax ?? 64, { least: 0, most: 100_000 }),
      queueTargetMillis: Knob.millis(options.queueTarget ?? "5 millis"),
      queueIntervalMillis: Knob.millis(options.queueInterval ?? "100 millis"),
      delayMaxMillis: Knob.millis(options.delayMax ?? "50 millis"),
      delayCriticalMillis: Knob.millis(options.delayCritical ?? "500 millis"),
      delayWindowMillis: Knob.millis(options.delayWindow ?? "100 millis"),
      retryAfterMillis: Knob.millis(options.retryAfter ?? "1 second")
    },
    problems: (values) => [
      ...(values.sheddableShare <= values.defaultShare
        ? []
        : [
            `sheddableShare (${values.sheddableShare}) must be at most defaultShare (${values.defaultShare}): the least important would be shed last`
          ]),
      ...(values.queueTargetMillis < values.queueIntervalMillis
        ? []
        : [
            `queueTargetMillis (${values.queueTargetMillis} ms) must be shorter than queueIntervalMillis (${values.queueIntervalMillis} ms): a standing queue would be as slow as a short burst`
          ]),
      ...(values.delayMaxMillis < values.delayCriticalMillis
        ? []
        : [
            `delayMaxMillis (${values.delayMaxMillis} ms) must be below delayCriticalMillis (${values.delayCriticalMillis} ms): critical work would be shed with the rest`
          ]),
      ...(values.limitMin <= values.limitInitial && values.limitInitial <= values.limitMax
        ? []
        : [
            `limitInitial (${values.limitInitial}) must be from limitMin (${values.limitMin}) to limitMax (${values.limitMax}): set the three together`
          ])
    ],
    make: (values) =>
      Effect.map(Effect.flatten(LoopDelay), (read): Policy.Living => {
        const delay = new DelayLevel(values, read)
        const concurrency = new Concurrency(values)
        const shedding = new Shedding(values, delay, concurrency, told(name))
        return {
          form: {
            _tag: "Gate",
            gate: {
              holds: true,
              refuses: (attempt) => shedding.refuses(attempt),
              enter: (attempt) => shedding.enter(attempt),
              leave: (_, token, verdict, now, startedAt) => {
                if (values.algorithm !== "fixed") concurrency.ended(verdict, now, startedAt, shedding.running)
                shedding.leave(token, now)
              },
              abandon: (attempt, ticket, now) => shedding.abandon(attempt, ticket, now)
            }
          },
          changed: () => {
            concurrency.turned()
            shedding.serve()
          },
          state: () => ({
            running: shedding.running,
            waiting: shedding.waiting,
            limit: shedding.limit,
            shed: shedding.shed,
            level: delay.level,
            delayMillis: Math.round(delay.delayMillis)
          })
        }
      })
  })
}

const told =
  (policy: string) =>
  (attempt: Attempt, refused: Refused, dark: boolean): void => {
    const { now, row } = attempt
    if (!row.bus.active) return
    row.bus.emit({
      _tag: "RequestShed",
      at: now,
      downstream: row.downstream,
      method: row.method,
      policy,
      priority: attempt.key(),
      reason: String(refused.state?.["cause"]),
      dark,
      refused
    })
  }
