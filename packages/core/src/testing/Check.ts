/**
 * What must hold in every run, read from its trace.
 *
 * **Details**
 *
 * The standard checks need nothing but the deadline and the recovery: everything else
 * follows from the contracts and from the policies of the composition. A check of
 * one's own is a function over the trace that returns what is wrong, or nothing.
 *
 * **Gotchas**
 *
 * A check that looks at nothing is always content. {@link sometimes} says what must
 * have happened at least once in a campaign.
 *
 * **Example** (no order without its payment)
 *
 * ```ts
 * import { Check } from "@failsoft/core/testing"
 *
 * const paid: Check.Check = ({ requests, attempts }) => {
 *   const unpaid = requests.find(({ id, outcome, quality }) =>
 *     outcome === "answered" && quality === "fresh" && !attempts.some((of) => of.request === id && of.applied))
 *   return unpaid && Check.broken("an order was confirmed without a payment", unpaid.endedAt ?? 0, unpaid.id)
 * }
 * void paid
 * ```
 *
 * @since 0.1.0
 */
import type { Trace } from "./Trace.ts"

/**
 * What is wrong, when, and with which request.
 *
 * @category models
 * @since 0.1.0
 */
export interface Broken {
  readonly detail: string
  readonly at: number
  readonly request: number | undefined
}

/**
 * What the user promises: each request ends within the deadline; full quality is back
 * so long and so many requests after the last fault.
 *
 * @category models
 * @since 0.1.0
 */
export interface Promises {
  readonly deadlineMillis: number
  readonly recoveryMillis: number
  readonly recoveryRequests: number
}

/**
 * Looks at a run and says what is wrong, or nothing.
 *
 * @category models
 * @since 0.1.0
 */
export type Check = (trace: Trace, promises: Promises) => Broken | undefined

/**
 * Whether something happened in a run.
 *
 * @category models
 * @since 0.1.0
 */
export type Sometimes = (trace: Trace) => boolean

/**
 * What is wrong.
 *
 * @category constructors
 * @since 0.1.0
 */
export const broken = (detail: string, at: number, request?: number): Broken => ({ detail, at, request })

export { sometimes } from "./checks/sometimes.ts"
export { standard } from "./checks/standard.ts"
