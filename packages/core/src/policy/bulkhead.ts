/**
 * A limit on how many calls run at once, with a bounded queue before it.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Attempt } from "../Gate.ts"
import { PerKey } from "../internal/perKey.ts"
import { Permits } from "../internal/permits.ts"
import * as Knob from "../Knob.ts"
import * as Policy from "../Policy.ts"

/**
 * The knobs of a bulkhead.
 *
 * @category models
 * @since 0.1.0
 */
export interface BulkheadOptions {
  readonly name?: string
  /** How many calls run at once. Default 32; by Little's law ⌈rate × p99 latency in seconds × 1.5⌉. */
  readonly permits?: number
  /** How many calls may wait. Default: as many as permits. 0 refuses at once. */
  readonly queueMax?: number
  /** How long a call may wait. Default 200 ms. */
  readonly waitMax?: Duration.Input
  /**
   * Who is served first: `fifo`, the default, is fair; `lifo` serves those who still
   * have time; `adaptive` is fair until half of the queue is taken.
   */
  readonly order?: "fifo" | "lifo" | "adaptive"
  /** `dark` counts whom it would refuse and lets them pass. Default `on`. */
  readonly mode?: "on" | "dark" | "off"
  /**
   * Permits and a queue for each key of a call, for at most so many keys. Default 0: the
   * same for all. While as many keys are busy, further ones share the permits of one.
   */
  readonly keysMax?: number
}

/**
 * Lets `permits` calls run, `queueMax` wait for at most `waitMax`, and refuses the
 * rest at once with `BULKHEAD_FULL`. An interrupted waiter frees its place, an
 * interrupted call its permit. Fewer permits take effect as calls end, more at once.
 *
 * The same value in two rows is one bulkhead.
 *
 * @category policies
 * @since 0.1.0
 */
export const bulkhead = (options: BulkheadOptions = {}): Policy.Policy<"unbounded"> => {
  const name = options.name ?? "bulkhead"
  const permits = options.permits ?? 32
  return Policy.fromInstance({
    kind: "bulkhead",
    name,
    marks: ["unbounded"],
    knobs: {
      mode: Knob.word(options.mode ?? "on", ["on", "dark", "off"]),
      permits: Knob.count(permits),
      queueMax: Knob.count(options.queueMax ?? permits, { least: 0, most: 1_000_000 }),
      waitMaxMillis: Knob.millis(options.waitMax ?? "200 millis"),
      order: Knob.word(options.order ?? "fifo", ["fifo", "lifo", "adaptive"]),
      keysMax: Knob.count(options.keysMax ?? 0, { least: 0, most: 100_000 })
    },
    make: (values) =>
      Effect.sync(() => {
        const rule = {
          policy: name,
          full: "BULKHEAD_FULL",
          late: "BULKHEAD_WAIT_EXCEEDED",
          permits: () => values.permits,
          queueMax: () => values.queueMax,
          waitMillis: () => values.waitMaxMillis,
          order: () => values.order,
          mode: () => values.mode
        }
        let tokens = 0
        const one = new Permits(rule, ++tokens)
        const keyed = new PerKey(
          () => new Permits(rule, ++tokens),
          (of) => of.running > 0,
          "share"
        )
        const of = (attempt: Pick<Attempt, "key">): Permits =>
          values.keysMax > 0 ? keyed.of(attempt.key(), values.keysMax) : one
        return {
          form: {
            _tag: "Gate",
            gate: {
              holds: true,
              enter: (attempt) => of(attempt).enter(attempt),
              // Each takes back only what is its own, also where `keysMax` was turned meanwhile.
              leave: (attempt, token) => {
                one.leave(token)
                if (keyed.size === 0) return
                keyed.find(attempt.key())?.leave(token)
                keyed.shared?.leave(token)
              },
              abandon: (attempt, ticket) => {
                const refused = one.abandon(attempt, ticket)
                const shared = keyed.shared?.abandon(attempt, ticket)
                return keyed.find(attempt.key())?.abandon(attempt, ticket) ?? shared ?? refused
              }
            }
          },
          changed: () => {
            for (const permits of [one, ...keyed.all()]) permits.serve()
          },
          state: () => {
            const all = [one, ...keyed.all()]
            return {
              running: all.reduce((sum, { running }) => sum + running, 0),
              waiting: all.reduce((sum, { waiting }) => sum + waiting, 0)
            }
          }
        }
      })
  })
}
