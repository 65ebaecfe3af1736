/** What a built ring shows of itself. */
import type { Idempotency, Info, OnOutage } from "../Contract.ts"
import type { Observed } from "../Health.ts"
import type { Facts } from "../Policy.ts"

/**
 * One policy of a method: its kind, name, knobs and live state.
 *
 * @category models
 * @since 0.1.0
 */
export interface PolicyDescription {
  readonly kind: string
  readonly name: string
  readonly knobs: Facts
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
  readonly fallback: ReadonlyArray<{ readonly kind: string; readonly quality: string; readonly knobs: Facts }>
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
