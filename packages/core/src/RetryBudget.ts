/**
 * How many retries a downstream has to bear, as a share of the calls that it gets.
 *
 * **Details**
 *
 * Over the last 10 seconds at most `ratio` retries per call are granted, and
 * `perSecond` on top. Without a budget a retry multiplies the load of a downstream
 * just when it has too much. Retries that share a budget value share its tokens,
 * apart for each downstream.
 *
 * **Gotchas**
 *
 * Sizes are knobs of the retry that uses the budget (`budgetRatio`,
 * `budgetPerSecond`). Where several retries share one, each is granted a token as
 * long as all of them together have taken less than its own size: so a row can be
 * given less than the others, or be stopped, while the service runs.
 *
 * **Example** (a budget for two methods)
 *
 * ```ts
 * import { Policy, RetryBudget } from "@failsoft/core"
 *
 * const budget = RetryBudget.make({ ratio: 0.2 })
 * const read = Policy.stack(Policy.deadline("1 second"), Policy.retry({ budget }))
 * const write = Policy.stack(Policy.deadline("2 seconds"), Policy.retry({ budget, times: 1 }))
 * console.log(read.parts.length + write.parts.length)
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { Budget } from "./internal/budget.ts"
import type { Build } from "./internal/shared.ts"
import { sharedByValue } from "./internal/shared.ts"

/**
 * The size of a budget.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How many retries per call, from 0 to 1. Default 0.1: a tenth more load at most. */
  readonly ratio?: number
  /** So many retries per second are always granted, so that low traffic is not left without. Default 1. */
  readonly perSecond?: number
}

/**
 * The living budgets by downstream. `take` is asked with the size that the asking
 * retry has now.
 *
 * @category models
 * @since 0.1.0
 */
export type Budgets = (downstream: string) => {
  readonly earn: (now: number) => void
  readonly take: (now: number, size: { readonly budgetRatio: number; readonly budgetPerSecond: number }) => boolean
}

/**
 * A budget as a value: what shares the value shares its tokens.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryBudget {
  readonly ratio: number
  readonly perSecond: number
  readonly build: Effect.Effect<Budgets, never, Build>
}

/** Far more than a program has downstreams. */
const downstreamsMax = 10_000

/**
 * Makes a budget.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): RetryBudget => ({
  ratio: options.ratio ?? 0.1,
  perSecond: options.perSecond ?? 1,
  build: sharedByValue(
    Effect.sync((): Budgets => {
      const budgets = new Map<string, Budget>()
      return (downstream) => {
        const known = budgets.get(downstream)
        if (known !== undefined) return known
        const budget = new Budget()
        if (budgets.size < downstreamsMax) budgets.set(downstream, budget)
        return budget
      }
    })
  )
})

/**
 * The budget of `Policy.standard`: one for each downstream, shared by all of its
 * methods.
 *
 * @category constructors
 * @since 0.1.0
 */
export const standard: RetryBudget = make()
