/**
 * A breaker that stops asking a downstream which mostly fails, and brings traffic
 * back as fast as it answers.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Attempt } from "../Gate.ts"
import { Circuit, type Generations } from "../internal/circuit.ts"
import { PerKey } from "../internal/perKey.ts"
import * as Knob from "../Knob.ts"
import * as Policy from "../Policy.ts"

/**
 * What a breaker does at present: its work (`on`), only count what it would refuse
 * (`dark`), nothing (`off`), or what an operator wants.
 *
 * @category models
 * @since 0.1.0
 */
export type BreakerMode = "on" | "dark" | "off" | "forced-open" | "forced-closed"

/**
 * The knobs of a breaker.
 *
 * @category models
 * @since 0.1.0
 */
export interface CircuitBreakerOptions {
  readonly name?: string
  /** The share of failures at which it opens, above 0 and up to 1. Default 0.5; it trips at ≥. */
  readonly failureRate?: number
  /** The share of slow calls at which it opens; 0, the default, for never. */
  readonly slowRate?: number
  /** A call that takes so long is slow, whether it answers or not. Default: none is. */
  readonly slow?: Duration.Input
  /** The window by time. Default 10 s. */
  readonly window?: Duration.Input
  /** The window by count instead: the last so many calls. Default 0, by time. */
  readonly windowCalls?: number
  /** Fewer calls than this in the window never open it. Default 10. */
  readonly minimumCalls?: number
  /** So many failures in a row open it, however few calls there were. Default 0, never. */
  readonly consecutiveFailures?: number
  /** So many failures in a row that ran out of time open it, where nothing else was heard in the second half of the last one's wait. Default 0, never. */
  readonly consecutiveTimeouts?: number
  /** How long it stays open the first time before it probes; the end is inclusive. Default 1 s. */
  readonly openFor?: Duration.Input
  /** The longest that it stays open before jitter: the time doubles with each relapse. Default 10 s. */
  readonly openMax?: Duration.Input
  /** By which share the open time is spread to either side, so that instances do not probe together. Default 0.1. */
  readonly jitter?: number
  /** Closed for so long, it forgets earlier trips; a ramp that has held for so long is over. Default 30 s. */
  readonly stableFor?: Duration.Input
  /** How many probes half-open lets through, by whose rates it is judged. Default 3; after timeouts one at a time. */
  readonly probes?: number
  /** How long others wait for the outcome of a running probe; 0, the default, refuses them at once. */
  readonly probeWait?: Duration.Input
  /** How long a probe may go on once its caller went away, and how long its place is kept. Default 10 s. */
  readonly probeMax?: Duration.Input
  /** Whether traffic comes back step by step after the probes. Default true. */
  readonly ramp?: boolean
  /** Default `on`. */
  readonly mode?: BreakerMode
  /** One circuit for each key of a call, for at most so many keys. Default 0: one for all. */
  readonly keysMax?: number
}

/** So many outcomes a breaker remembers in all, over all keys: a byte for each or so. */
const outcomesMax = 10_000_000

/** A key that has no circuit yet. */
const fresh = { state: "closed", probing: 0 } as const

/**
 * Opens when, of at least `minimumCalls` in the window, a share of at least
 * `failureRate` failed (or `slowRate` were slow, or `consecutiveFailures` failed in a
 * row, or `consecutiveTimeouts` of those ran out of time while nothing else was heard);
 * then refuses with `CIRCUIT_OPEN` and the time left. After its open time it lets
 * `probes` calls through and judges them by the same rates; a single one where timeouts
 * opened it or kept it open, since those leave work behind in a slow downstream, and the
 * time that it waited counts as open time, of which a tenth stays. Then traffic ramps:
 * a few calls at once, twice as many after each round of good answers, back to a few
 * at the first failure, open again where even those fail one after another, closed as
 * soon as a round refused nobody.
 *
 * Only the downstream's outcomes count: transient errors, timeouts and contract
 * violations are failures, permanent outcomes are proof of health, and a refusal
 * within, a caller's abort or a defect is neither, and frees its probe. A result of
 * a call from before the last change of state changes nothing. A probe outlives a
 * caller that goes away.
 *
 * @category policies
 * @since 0.1.0
 */
export const circuitBreaker = (options: CircuitBreakerOptions = {}): Policy.Policy<"unbounded"> => {
  const name = options.name ?? "circuitBreaker"
  const openFor = options.openFor ?? "1 second"
  return Policy.fromInstance({
    kind: "circuitBreaker",
    name,
    marks: ["unbounded"],
    knobs: {
      mode: Knob.word(options.mode ?? "on", ["on", "dark", "off", "forced-open", "forced-closed"]),
      failureRate: Knob.share(options.failureRate ?? 0.5),
      slowRate: Knob.share(options.slowRate ?? 0, { zero: true }),
      slowMillis: Knob.millis(options.slow ?? 0, { zero: true }),
      windowMillis: Knob.millis(options.window ?? "10 seconds"),
      windowCalls: Knob.count(options.windowCalls ?? 0, { least: 0, most: 1_000_000 }),
      minimumCalls: Knob.count(options.minimumCalls ?? 10),
      consecutiveFailures: Knob.count(options.consecutiveFailures ?? 0, { least: 0 }),
      consecutiveTimeouts: Knob.count(options.consecutiveTimeouts ?? 0, { least: 0 }),
      openMillis: Knob.millis(openFor),
      openMaxMillis: Knob.millis(options.openMax ?? "10 seconds"),
      jitter: Knob.share(options.jitter ?? 0.1, { zero: true }),
      stableMillis: Knob.millis(options.stableFor ?? "30 seconds"),
      probes: Knob.count(options.probes ?? 3),
      probeWaitMillis: Knob.millis(options.probeWait ?? 0, { zero: true }),
      probeMaxMillis: Knob.millis(options.probeMax ?? "10 seconds"),
      ramp: Knob.flag(options.ramp ?? true),
      keysMax: Knob.count(options.keysMax ?? 0, { least: 0, most: 100_000 })
    },
    problems: ({ slowRate, slowMillis, windowCalls, minimumCalls, keysMax }) => [
      ...(windowCalls * keysMax > outcomesMax
        ? [
            `windowCalls (${windowCalls}) times keysMax (${keysMax}) must be at most ${outcomesMax}: each key remembers so many outcomes; use a window by time (windowCalls 0), which has ten counters`
          ]
        : []),
      ...(slowRate > 0 && slowMillis === 0
        ? [`slowRate (${slowRate}) has no meaning without slowMillis: say what is slow`]
        : []),
      ...(windowCalls > 0 && windowCalls < minimumCalls
        ? [`windowCalls (${windowCalls}) must be at least minimumCalls (${minimumCalls}): it would never open`]
        : [])
    ],
    make: (values) =>
      Effect.sync(() => {
        const generations: Generations = { last: 0 }
        const one = new Circuit(name, undefined, values, generations)
        const keyed = new PerKey(
          (key) => new Circuit(name, key, values, generations),
          (circuit) => circuit.state !== "closed"
        )
        const of = (attempt: Pick<Attempt, "key">): Circuit =>
          values.keysMax > 0 ? keyed.of(attempt.key(), values.keysMax) : one
        const all = () => (values.keysMax > 0 ? keyed.all() : [one])
        const shown = ({ probing, state }: Pick<Circuit, "probing" | "state">) => ({ circuit: state, probing })
        const size = () => `${values.windowMillis} ${values.windowCalls}`
        let sized = size()

        const byHand = (act: "open" | "close" | "reset" | "healthy") => (row: Policy.Row, now: number) => {
          // Nobody waits for a moment that an operator chose: it needs no spreading.
          for (const circuit of all()) circuit[act]({ row, now, random: () => 0.5 })
        }
        return {
          form: {
            _tag: "Gate",
            gate: {
              enter: (attempt) => of(attempt).enter(attempt),
              // Each knows its own tokens, also where `keysMax` was turned while the call ran.
              leave: (attempt, token, verdict, now, startedAt) => {
                one.leave(attempt, token, verdict, now, startedAt)
                if (keyed.size > 0) keyed.find(attempt.key())?.leave(attempt, token, verdict, now, startedAt)
              },
              abandon: (attempt, ticket) => {
                const refused = one.abandon(attempt, ticket)
                return keyed.find(attempt.key())?.abandon(attempt, ticket) ?? refused
              }
            }
          },
          changed: () => {
            const resized = sized !== size()
            sized = size()
            for (const circuit of [one, ...keyed.all()]) {
              if (resized) circuit.resize()
              circuit.wake()
            }
          },
          controls: {
            open: byHand("open"),
            close: byHand("close"),
            reset: byHand("reset"),
            healthy: byHand("healthy")
          },
          state: (key) => {
            if (values.keysMax === 0) return shown(one)
            if (key !== undefined) return shown(keyed.find(key) ?? fresh)
            const circuits = all()
            return { keys: circuits.length, notClosed: circuits.filter(({ state }) => state !== "closed").length }
          }
        }
      })
  })
}
