/**
 * A limit on how many calls run at once that finds itself.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Attempt } from "../Gate.ts"
import { Concurrency } from "../internal/concurrency.ts"
import { PerKey } from "../internal/perKey.ts"
import { Permits } from "../internal/permits.ts"
import * as Knob from "../Knob.ts"
import * as Policy from "../Policy.ts"

/**
 * The knobs of an adaptive limit.
 *
 * @category models
 * @since 0.1.0
 */
export interface AdaptiveLimitOptions {
  readonly name?: string
  /** How the limit is found. Default `gradient`; `vegas` moves by small steps and keeps a shorter queue. */
  readonly algorithm?: "gradient" | "vegas"
  /** Where it begins. Default 20. */
  readonly limitInitial?: number
  /** It never falls below. Default 4: fewer at once say too little about times. */
  readonly limitMin?: number
  /** It never grows above. Default 200. */
  readonly limitMax?: number
  /** How many calls may wait. Default 20; 0 refuses at once, which costs a busy downstream 1–2 % of its answers. */
  readonly queueMax?: number
  /** How long a call may wait. Default 50 ms. */
  readonly waitMax?: Duration.Input
  /** Who is served first, as in a bulkhead. Default `adaptive`. */
  readonly order?: "fifo" | "lifo" | "adaptive"
  /** `dark` learns, counts whom it would refuse and lets them pass. Default `on`. */
  readonly mode?: "on" | "dark" | "off"
  /** A limit and a queue for each key of a call, for at most so many keys. Default 0: the same for all. */
  readonly keysMax?: number
}

/** A limit and the permits that it gives, which are known by their token. */
interface Limited {
  readonly token: number
  readonly concurrency: Concurrency
  readonly permits: Permits
}

/**
 * Lets as many calls run as the downstream bears without a queue of its own, found
 * from how long it takes; `queueMax` wait for at most `waitMax`, and the rest is
 * refused at once with `CONCURRENCY_LIMITED`. The limit grows while it is used and times
 * are short, shrinks when they grow and when attempts time out or are told that it is too much.
 *
 * Only the downstream's own outcomes teach: answers and permanent outcomes by their
 * time from when they left the queue, timeouts and "overloaded" as too much. A
 * refusal within, a caller's abort, a fast failure or a defect teaches nothing. So
 * it stands around the attempt's timeout: `adaptiveLimit > timeout`.
 *
 * The same value in two rows is one limit.
 *
 * @category policies
 * @since 0.1.0
 */
export const adaptiveLimit = (options: AdaptiveLimitOptions = {}): Policy.Policy<"unbounded"> => {
  const name = options.name ?? "adaptiveLimit"
  const limits = { least: 1, most: 1_000_000 }
  return Policy.fromInstance({
    kind: "adaptiveLimit",
    name,
    marks: ["unbounded"],
    knobs: {
      mode: Knob.word(options.mode ?? "on", ["on", "dark", "off"]),
      algorithm: Knob.word(options.algorithm ?? "gradient", ["gradient", "vegas"]),
      limitInitial: Knob.count(options.limitInitial ?? 20, limits),
      limitMin: Knob.count(options.limitMin ?? 4, limits),
      limitMax: Knob.count(options.limitMax ?? 200, limits),
      queueMax: Knob.count(options.queueMax ?? 20, { least: 0, most: 1_000_000 }),
      waitMaxMillis: Knob.millis(options.waitMax ?? "50 millis"),
      order: Knob.word(options.order ?? "adaptive", ["fifo", "lifo", "adaptive"]),
      keysMax: Knob.count(options.keysMax ?? 0, { least: 0, most: 100_000 })
    },
    problems: ({ limitInitial, limitMin, limitMax }) =>
      limitMin <= limitInitial && limitInitial <= limitMax
        ? []
        : [
            `limitInitial (${limitInitial}) must be from limitMin (${limitMin}) to limitMax (${limitMax}): set the three together`
          ],
    make: (values) =>
      Effect.sync(() => {
        let tokens = 0
        const make = (): Limited => {
          const token = ++tokens
          const concurrency = new Concurrency(values)
          const permits = new Permits(
            {
              policy: name,
              full: "CONCURRENCY_LIMITED",
              late: "CONCURRENCY_LIMITED",
              permits: () => concurrency.permits,
              queueMax: () => values.queueMax,
              waitMillis: () => values.waitMaxMillis,
              order: () => values.order,
              mode: () => values.mode,
              state: ({ running, waiting }) => ({
                limit: concurrency.permits,
                inFlight: running,
                waiting,
                rttMillis: concurrency.recentMillis,
                rttBaseMillis: concurrency.baseMillis
              })
            },
            token
          )
          return { token, concurrency, permits }
        }
        const one = make()
        const keyed = new PerKey(make, ({ permits }) => permits.running > 0, "share")
        const of = (attempt: Pick<Attempt, "key">): Limited =>
          values.keysMax > 0 ? keyed.of(attempt.key(), values.keysMax) : one
        const all = () => [one, ...keyed.all()]
        const holderOf = (attempt: Pick<Attempt, "key">, token: number): Limited | undefined =>
          token === one.token
            ? one
            : [keyed.find(attempt.key()), keyed.shared].find((limited) => limited?.token === token)
        return {
          form: {
            _tag: "Gate",
            gate: {
              holds: true,
              enter: (attempt) => of(attempt).permits.enter(attempt),
              leave: (attempt, token, verdict, now, startedAt) => {
                // Each takes back only what is its own, also where `keysMax` was turned meanwhile.
                const limited = holderOf(attempt, token)
                if (limited === undefined) return
                const { concurrency, permits } = limited
                const from = concurrency.permits
                concurrency.ended(verdict, now, startedAt, permits.running)
                const to = concurrency.permits
                if (from !== to) moved(attempt.row, name, now, from, to)
                // After it has learnt: what it gives back is given on under the new limit.
                permits.leave(token)
              },
              abandon: (attempt, ticket) => {
                const refused = one.permits.abandon(attempt, ticket)
                const shared = keyed.shared?.permits.abandon(attempt, ticket)
                return keyed.find(attempt.key())?.permits.abandon(attempt, ticket) ?? shared ?? refused
              }
            }
          },
          changed: () => {
            for (const { concurrency, permits } of all()) {
              concurrency.turned()
              permits.serve()
            }
          },
          state: () => ({
            running: all().reduce((sum, { permits }) => sum + permits.running, 0),
            waiting: all().reduce((sum, { permits }) => sum + permits.waiting, 0),
            ...(values.keysMax > 0
              ? { keys: keyed.size }
              : {
                  limit: one.concurrency.permits,
                  rttMillis: one.concurrency.recentMillis,
                  rttBaseMillis: one.concurrency.baseMillis
                })
          })
        }
      })
  })
}

const moved = ({ bus, downstream, method }: Policy.Row, policy: string, at: number, from: number, to: number) => {
  if (bus.active) bus.emit({ _tag: "LimitMoved", at, downstream, method, policy, from, to })
}
