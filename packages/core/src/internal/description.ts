/** What a built ring shows of itself. */
import type { Idempotency, Info, OnOutage } from "../Contract.ts"
import type { Observed } from "../Health.ts"
import type { Facts } from "../Policy.ts"
import type { Origin } from "../Settings.ts"

/**
 * One policy of a method: its kind, its name, its address as
 * `downstream/method/policy`, its knobs with the origin of each value, its live
 * state, and what an operator may do with it.
 *
 * @category models
 * @since 0.1.0
 */
export interface PolicyDescription {
  readonly kind: string
  readonly name: string
  readonly address: string
  readonly knobs: Facts
  readonly origins: Readonly<Record<string, Origin>>
  readonly state: Facts
  readonly controls: ReadonlyArray<string>
}

/**
 * One step of a fallback: its kind, its quality, its name, its address as
 * `downstream/method/fallback.kind`, and its knobs with the origin of each value.
 *
 * @category models
 * @since 0.1.0
 */
export interface StepDescription {
  readonly kind: string
  readonly quality: string
  readonly name: string
  readonly address: string
  readonly knobs: Facts
  readonly origins: Readonly<Record<string, Origin>>
}

/**
 * The cache of a method: its address as `downstream/method/cache`, its knobs with the
 * origin of each value, and its live state.
 *
 * @category models
 * @since 0.1.0
 */
export interface CacheDescription {
  readonly kind: "cache"
  readonly name: string
  readonly address: string
  readonly knobs: Facts
  readonly origins: Readonly<Record<string, Origin>>
  readonly state: Facts
}

/**
 * One method with its policies, outermost first, its fallback's steps, and what
 * was observed of it.
 *
 * @category models
 * @since 0.1.0
 */
export interface MethodDescription {
  readonly name: string
  readonly idempotency: Idempotency
  readonly onOutage: OnOutage
  readonly policies: ReadonlyArray<PolicyDescription>
  /** The longest that a call may take, in milliseconds; `Infinity` without a bound. */
  readonly worstLatencyMillis: number
  /** How many requests a call may become in the worst case, as a mean over many. */
  readonly worstLoad: number
  /** What budgets grant beside it at a constant rate, in requests per second of this process. */
  readonly worstExtraPerSecond: number
  /** What works and is not wise: a sentence each. */
  readonly warnings: ReadonlyArray<string>
  /** How long its answers took in the mean of late, in milliseconds; nothing before the first. */
  readonly meanMillis?: number
  /** How many of its calls were a retry of another ring. */
  readonly nestedRetries: number
  readonly fallback: ReadonlyArray<StepDescription>
  readonly cache?: CacheDescription
  readonly observed: Observed
}

/**
 * A whole ring.
 *
 * @category models
 * @since 0.1.0
 */
export interface Description {
  readonly name: string
  readonly info: Info
  readonly methods: ReadonlyArray<MethodDescription>
}
