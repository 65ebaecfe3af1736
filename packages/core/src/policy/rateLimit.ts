/**
 * A limit on how often calls go.
 */
import * as Effect from "effect/Effect"
import * as Policy from "../Policy.ts"
import * as RateLimit from "../RateLimit.ts"

/**
 * Lets at most `permits` calls go per window and refuses the rest at once with
 * `RATE_LIMITED` and the exact time until one may go; with `waitMax` a call whose turn
 * comes soon enough waits for it, in order of arrival. A call that is interrupted while
 * it waits, or refused by a policy within, gives its turn back.
 *
 * It hears what the provider says about what is left (`Quota`): it stops until the
 * reset where that is nothing, and never sends more than its own options allow.
 *
 * The same value in two rows is one limit, of this process. With `keysMax` each key of
 * a call has its own.
 *
 * @category policies
 * @since 0.1.0
 */
export const rateLimit = (options: RateLimit.Options): Policy.Policy<"unbounded"> => {
  const name = options.name ?? "rateLimit"
  return Policy.fromInstance({
    kind: "rateLimit",
    name,
    marks: ["unbounded"],
    knobs: RateLimit.knobs(options),
    make: (values) =>
      Effect.sync(() => {
        const gate = RateLimit.make(name, values)
        return { form: { _tag: "Gate", gate }, changed: gate.changed, state: gate.state }
      })
  })
}
