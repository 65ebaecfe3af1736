/**
 * A limit on how often calls may go: what `Policy.rateLimit` and the edge's limits are
 * made of.
 *
 * **Details**
 *
 * Two ways to count. `sliding-window`: never more than `permits` in any window,
 * wherever it begins. `token-bucket`: evenly `permits` per window, and at most `burst`
 * at once, so never more than burst + t · permits / window in any time t. Counting is
 * local and synchronous; a call that waits has its place in a queue in order of
 * arrival, and one that is never sent gives its place back.
 *
 * **Gotchas**
 *
 * It is the gate of one process: n processes send n times as much. To share a limit
 * between them, use `Policy.sharedRateLimit`.
 *
 * **Example** (asking it by hand)
 *
 * ```ts
 * import { Knob, RateLimit } from "@failsoft/core"
 *
 * const limit = RateLimit.make("perClient", Knob.initials(RateLimit.knobs({ permits: 2, window: "1 second" })))
 * console.log(limit.look("client-7", 0)) // { limit: 2, remaining: 2, resetMillis: 0, windowMillis: 1000 }
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type { Attempt, Gate, Verdict } from "./Gate.ts"
import { Allowance, uncounted, Waiter } from "./internal/allowance.ts"
import { PerKey } from "./internal/perKey.ts"
import { refusal, told } from "./internal/refuse.ts"
import * as Knob from "./Knob.ts"
import type { Facts } from "./Policy.ts"
import * as Quota from "./Quota.ts"
import * as Refused from "./Refused.ts"

/**
 * The knobs of a limit.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly name?: string | undefined
  /** How many calls a window allows. */
  readonly permits: number
  /** The window. Default 1 s. */
  readonly window?: Duration.Input
  /** How it counts. Default `sliding-window`: what a provider promises to allow is seldom more. */
  readonly algorithm?: "sliding-window" | "token-bucket"
  /** How many calls a token bucket lets go at once. Default: as many as permits. */
  readonly burst?: number
  /** How long a call may wait for its turn. Default 0: it is refused at once. */
  readonly waitMax?: Duration.Input
  /** Whether it hears what the provider says it has left. Default true. */
  readonly learn?: boolean
  /** The longest that the provider's word stops all calls. Default 1 minute. */
  readonly pauseMax?: Duration.Input
  /** `dark` counts whom it would refuse and lets them pass. Default `on`. */
  readonly mode?: "on" | "dark" | "off"
  /** A limit for each key of a call, for at most so many keys. Default 0: one for all. */
  readonly keysMax?: number
}

/**
 * The knobs with their initial values.
 *
 * @category constructors
 * @since 0.1.0
 */
export const knobs = (options: Options) => ({
  mode: Knob.word(options.mode ?? "on", ["on", "dark", "off"]),
  algorithm: Knob.fixed(options.algorithm ?? "sliding-window"),
  permits: Knob.count(options.permits, { most: 1_000_000 }),
  windowMillis: Knob.millis(options.window ?? "1 second"),
  burst: Knob.count(options.burst ?? options.permits, { most: 1_000_000 }),
  waitMaxMillis: Knob.millis(options.waitMax ?? 0, { zero: true }),
  learn: Knob.flag(options.learn ?? true),
  pauseMaxMillis: Knob.millis(options.pauseMax ?? "1 minute"),
  keysMax: Knob.count(options.keysMax ?? 0, { least: 0, most: 100_000 })
})

/**
 * The values of the knobs.
 *
 * @category models
 * @since 0.1.0
 */
export type Values = Knob.Values<ReturnType<typeof knobs>>

/**
 * Where a key stands: what a window allows, what of it is left, and in how many
 * milliseconds all of it is free again.
 *
 * @category models
 * @since 0.1.0
 */
export interface Standing {
  readonly limit: number
  readonly remaining: number
  readonly resetMillis: number
  readonly windowMillis: number
}

/**
 * The living limit of all keys, as a gate.
 *
 * @category models
 * @since 0.1.0
 */
export class RateLimit implements Gate {
  private readonly name: string
  private readonly values: Values
  private readonly one: Allowance
  private readonly keyed: PerKey<Allowance>
  /** The time of the last call. */
  private seen = 0

  constructor(name: string, values: Values) {
    this.name = name
    this.values = values
    this.one = new Allowance(values)
    this.keyed = new PerKey(
      () => new Allowance(values),
      (of) => of.holdsAt(this.seen)
    )
  }

  readonly enter = (attempt: Attempt): number | Refused.Refused | Waiter => {
    const { mode, waitMaxMillis } = this.values
    if (mode === "off") return uncounted
    const { now } = attempt
    this.seen = now
    const allowance = this.of(attempt)
    const token = allowance.tryTake(now)
    if (token !== undefined) return token
    const waitMillis = allowance.waitMillis(now)
    const late = waitMillis > waitMaxMillis || waitMillis >= attempt.deadlineAt - now
    if (mode === "dark") {
      // Who would only have waited is counted at the time at which it would have gone.
      if (!late) return allowance.take(now + waitMillis)
      told(attempt.row, now, this.refusal(attempt, allowance, waitMillis, now), true)
      return uncounted
    }
    return late ? this.refusal(attempt, allowance, waitMillis, now) : allowance.wait(now, waitMillis)
  }

  readonly leave = (attempt: Attempt, token: number, _: Verdict, now: number, startedAt: number): void => {
    if (token !== uncounted) this.known(attempt)?.ended(token, now, startedAt >= 0)
  }

  readonly due = (ticket: unknown, now: number): void => {
    if (ticket instanceof Waiter) ticket.of.due(ticket, now)
  }

  readonly abandon = (attempt: Attempt, ticket: unknown, now: number): Refused.Refused => {
    const allowance = ticket instanceof Waiter ? ticket.of : this.of(attempt)
    if (ticket instanceof Waiter) allowance.forget(ticket, now)
    return this.refusal(attempt, allowance, allowance.waitMillis(now), now)
  }

  /** Lets what runs within tell what the provider says. */
  readonly within = (attempt: Attempt, context: Context.Context<never>): Context.Context<never> => {
    if (!this.values.learn || this.values.mode === "off") return context
    const outer = Context.get(context, Quota.Heard)
    return Context.add(context, Quota.Heard, (quota, now) => {
      outer?.(quota, now)
      this.hear(attempt, quota, now)
    })
  }

  /** Where a key stands at a time in milliseconds since the epoch; nothing is counted. */
  look(key: string, now: number): Standing {
    const { permits, windowMillis } = this.values
    const allowance = this.known({ key: () => key })
    return {
      limit: permits,
      remaining: allowance?.remaining(now) ?? this.fresh,
      resetMillis: allowance?.resetMillis(now) ?? 0,
      windowMillis
    }
  }

  /** The knobs were turned. */
  readonly changed = (): void => {
    for (const allowance of [this.one, ...this.keyed.all()]) allowance.turned(this.values.mode === "on")
  }

  /** How many calls wait, and how many keys are known. */
  readonly state = (): Facts => ({
    waiting: [this.one, ...this.keyed.all()].reduce((sum, { waiting }) => sum + waiting, 0),
    ...(this.values.keysMax > 0 ? { keys: this.keyed.size } : {})
  })

  private get fresh(): number {
    return this.values.algorithm === "token-bucket" ? this.values.burst : this.values.permits
  }

  private of(attempt: Pick<Attempt, "key">): Allowance {
    return this.values.keysMax > 0 ? this.keyed.of(attempt.key(), this.values.keysMax) : this.one
  }

  private known(attempt: Pick<Attempt, "key">): Allowance | undefined {
    return this.values.keysMax > 0 ? this.keyed.find(attempt.key()) : this.one
  }

  private hear(attempt: Attempt, quota: Quota.Quota, now: number): void {
    const allowance = this.known(attempt)
    const { bus, downstream, method } = attempt.row
    if (allowance?.learn(quota, now) !== true || !bus.active) return
    const resetMillis = allowance.resetMillis(now)
    bus.emit({
      _tag: "QuotaSpent",
      at: now,
      downstream,
      method,
      policy: this.name,
      resetMillis,
      ...this.whose(attempt)
    })
  }

  private whose(attempt: Pick<Attempt, "key">): { readonly key?: string } {
    return this.values.keysMax > 0 ? { key: attempt.key() } : {}
  }

  private refusal(attempt: Attempt, allowance: Allowance, retryAfterMillis: number, now: number): Refused.Refused {
    const { permits, windowMillis } = this.values
    return refusal(
      { row: attempt.row, now, deadlineAt: attempt.deadlineAt },
      {
        policy: this.name,
        reason: "RATE_LIMITED",
        retryAfterMillis,
        ...this.whose(attempt),
        state: {
          limit: permits,
          windowMillis,
          remaining: allowance.remaining(now),
          resetMillis: allowance.resetMillis(now),
          waiting: allowance.waiting
        }
      }
    )
  }
}

/**
 * A limit by its name and the live values of its knobs.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (name: string, values: Values): RateLimit => new RateLimit(name, values)
