/** A policy behind a flag. */
import * as Effect from "effect/Effect"
import { CallKey } from "../CallKey.ts"
import { live, type PercentageFlag } from "../Flag.ts"
import { interceptorOf } from "../internal/assemble.ts"
import type { Mark, Policy } from "../Policy.ts"

/**
 * The same policy where a flag is on, for everybody or for a share of the call's keys
 * (`CallKey`: the row's `key`); a call for which it is off does not meet it. Its state and
 * its knobs stay those of the policy.
 *
 * For a policy that has a `mode`, that setting is the simpler switch: it can count in the
 * dark, and a policy behind a flag is no longer fused with its neighbours.
 *
 * @category combinators
 * @since 0.1.0
 */
export const flagged = <M extends Mark>(policy: Policy<M>, flag: PercentageFlag): Policy<M | "unbounded"> => ({
  parts: policy.parts.map((part) => ({
    ...part,
    build: Effect.flatMap(live(flag), (isOn) =>
      Effect.map(part.build, (instance) => ({
        ...instance,
        form: {
          _tag: "Wrap",
          bind: (row) => {
            const intercept = interceptorOf(instance.form, row)
            return (call) => {
              const guarded = intercept(call)
              return Effect.withFiber((fiber) => (isOn(fiber.getRef(CallKey)) ? guarded : call))
            }
          }
        }
      }))
    )
  }))
})
