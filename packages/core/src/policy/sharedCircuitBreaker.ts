/**
 * A breaker whose circuit all processes of a service share.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Call } from "../Call.ts"
import { CallKey } from "../CallKey.ts"
import { Deadline } from "../Deadline.ts"
import { type CircuitStore, type Moved, makeSharedCircuit, type Outcome, Rejected } from "../internal/effectCircuit.ts"
import * as hints from "../internal/hints.ts"
import { refusal, refused, told } from "../internal/refuse.ts"
import { judgedBelow, ofRegions, verdictOf } from "../internal/verdict.ts"
import * as Knob from "../Knob.ts"
import * as Policy from "../Policy.ts"
import type { Refused } from "../Refused.ts"

/**
 * The knobs of a shared breaker.
 *
 * @category models
 * @since 0.1.0
 */
export interface SharedCircuitBreakerOptions {
  readonly name?: string
  /** The name of the circuit in the store: whoever uses it shares the circuit. */
  readonly circuit: string
  /**
   * Where the circuit is kept: `layerStoreMemory()` or `layerStoreRedis()` of Effect's
   * `CircuitBreaker`, with its connection. Where it cannot be reached the service starts all the same.
   */
  readonly store: CircuitStore
  /** The share of failures at which it opens. Default 0.9; it trips at ≥. */
  readonly failureRate?: number
  /** The window: the last so many calls of all processes. Default 100. */
  readonly windowCalls?: number
  /** Fewer calls than this never open it. Default 20. */
  readonly minimumCalls?: number
  /** So many failures in a row open it, instead of the rate. Default 0: by the rate. */
  readonly consecutiveFailures?: number
  /** How long it stays open the first time. Default 1 s. */
  readonly openFor?: Duration.Input
  /** The longest that it stays open: the time doubles with each relapse. Default 10 s. */
  readonly openMax?: Duration.Input
  /** The longest that a call waits for the store, before and after. Default 50 ms. */
  readonly storeLimit?: Duration.Input
  /** What becomes of calls while the store is away. Default `allow`. */
  readonly onStoreAway?: "allow" | "refuse"
  /** Whether each key of a call has its own circuit. Default false. */
  readonly perKey?: boolean
  /** `dark` counts whom it would refuse and lets them pass. Default `on`. */
  readonly mode?: "on" | "dark" | "off"
}

/**
 * Effect's circuit breaker as a policy: all processes that use the same store and the
 * same `circuit` open it together and let one probe through together. It counts as our
 * own does: a permanent outcome is proof of health, a transient error, a timeout and a
 * contract violation are failures, and a refusal within, a caller's abort or a defect
 * says nothing.
 *
 * Each call asks the store twice, so put it outside of our own `circuitBreaker`, which
 * works while the store is away. A store that fails or is slow is left alone for a
 * second, and calls go on as `onStoreAway` says.
 *
 * @category policies
 * @since 0.1.0
 */
export const sharedCircuitBreaker = (options: SharedCircuitBreakerOptions): Policy.Policy<"unbounded"> => {
  const name = options.name ?? "sharedCircuitBreaker"
  const { circuit } = options
  return Policy.fromInstance({
    kind: "sharedCircuitBreaker",
    name,
    marks: ["unbounded"],
    knobs: {
      mode: Knob.word(options.mode ?? "on", ["on", "dark", "off"]),
      circuit: Knob.fixed(circuit),
      failureRate: Knob.share(options.failureRate ?? 0.9),
      windowCalls: Knob.count(options.windowCalls ?? 100, { most: 10_000 }),
      minimumCalls: Knob.count(options.minimumCalls ?? 20, { most: 10_000 }),
      consecutiveFailures: Knob.count(options.consecutiveFailures ?? 0, { least: 0 }),
      openMillis: Knob.millis(options.openFor ?? "1 second"),
      openMaxMillis: Knob.millis(options.openMax ?? "10 seconds"),
      storeLimitMillis: Knob.millis(options.storeLimit ?? "50 millis"),
      onStoreAway: Knob.word(options.onStoreAway ?? "allow", ["allow", "refuse"]),
      perKey: Knob.fixed(options.perKey ?? false)
    },
    problems: ({ minimumCalls, windowCalls }) => [
      ...(circuit === "" ? ["circuit must be a name that the processes share, but is empty"] : []),
      ...(windowCalls < minimumCalls
        ? [`windowCalls (${windowCalls}) must be at least minimumCalls (${minimumCalls}): it would never open`]
        : [])
    ],
    make: (values) =>
      Effect.gen(function* () {
        const rows = new Set<Policy.Row>()
        let last = "closed"
        const clock = yield* Clock.Clock
        const moved = (of: Moved) => {
          last = of.to
          for (const row of rows) changed(row, name, circuit, of, clock.currentTimeMillisUnsafe())
        }
        const shared = yield* makeSharedCircuit(options.store, values, moved)

        const bind = (row: Policy.Row): Policy.Interceptor => {
          rows.add(row)
          const judged = (exit: Parameters<typeof verdictOf>[0]) => judge(exit, row)
          return <A, T, P>(call: Call<A, T, P>): Call<A, T, P | Refused> =>
            Effect.withFiber((fiber) => {
              if (values.mode === "off") return call
              const key = values.perKey ? fiber.getRef(CallKey) : ""
              const run: Call<A, T | Rejected, P> = shared.run(call, key === "" ? circuit : `${circuit}:${key}`, judged)
              return Effect.catchIf(
                run,
                (error): error is Rejected => error instanceof Rejected,
                (rejected): Call<A, T, P | Refused> => {
                  const where = {
                    row,
                    now: fiber.getRef(Clock.Clock).currentTimeMillisUnsafe(),
                    deadlineAt: fiber.getRef(Deadline)
                  }
                  const why = refusal(where, {
                    policy: name,
                    reason: rejected.state === "unknown" ? "STORE_UNAVAILABLE" : "CIRCUIT_OPEN",
                    retryAfterMillis: rejected.retryAfterMillis,
                    ...(key === "" ? {} : { key }),
                    state: { circuit: rejected.state, shared: circuit }
                  })
                  if (values.mode !== "dark") return refused(where, why)
                  told(row, where.now, why, true)
                  return call
                }
              )
            })
        }
        return {
          form: { _tag: "Wrap", bind },
          state: () => ({ circuit: last, storeAway: shared.isAway() })
        }
      })
  })
}

const judge = (exit: Parameters<typeof verdictOf>[0], row: Policy.Row): Outcome => {
  const verdict = verdictOf(exit)
  switch (judgedBelow(row) ? ofRegions(verdict) : verdict) {
    case "answered":
    case "permanent":
      return { says: "well" }
    case "refused":
    case "aborted":
    case "died":
      return { says: "nothing" }
    default:
      return { says: "unwell", retryAfterMillis: hintOf(exit) }
  }
}

/** What the downstream itself says about when to come again. */
const hintOf = (exit: Parameters<typeof verdictOf>[0]): number | undefined => {
  if (exit._tag === "Success") return undefined
  const failure = exit.cause.reasons.find((reason) => reason._tag === "Fail")
  return failure === undefined ? undefined : hints.retryAfterMillis(failure.error)
}

const changed = (row: Policy.Row, policy: string, circuit: string, of: Moved, at: number): void => {
  const { bus, downstream, method } = row
  if (!bus.active) return
  bus.emit({
    _tag: "CircuitChanged",
    at,
    downstream,
    method,
    policy,
    from: of.from,
    to: of.to,
    reason: of.reason,
    // The store does not tell its counts.
    calls: 0,
    failures: 0,
    slow: 0,
    ...(of.openMillis === undefined ? {} : { openMillis: of.openMillis }),
    ...(of.key === circuit ? {} : { key: of.key.slice(circuit.length + 1) })
  })
}
