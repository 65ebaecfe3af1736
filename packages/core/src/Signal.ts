/**
 * The one stream of events that policies, fallbacks and rings emit.
 *
 * **Details**
 *
 * Metrics, logs, a console and tests are consumers of this stream. `at` is
 * milliseconds since the epoch on Effect's `Clock`; labels are downstream,
 * method, policy and outcome, never ids. A bus without a consumer costs one
 * field read per event.
 *
 * **Gotchas**
 *
 * A ring takes its bus when its layer is built, so provide {@link layer} to the
 * ring and not only to the code that calls it. A consumer runs inside the call:
 * it must be quick. One that throws is counted in `failed` and the call goes on.
 *
 * **Example** (listening)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Signal } from "@failsoft/core"
 *
 * const program = Effect.gen(function*() {
 *   const bus = yield* Signal.Bus
 *   yield* bus.subscribe((signal) => console.log(signal._tag, signal.downstream))
 *   bus.emit({ _tag: "AttemptTimedOut", at: 0, downstream: "payments", method: "charge", limitMillis: 250 })
 * })
 * Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Signal.layer)))
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Quality } from "./Answer.ts"
import type { Scope as DataScope } from "./Contract.ts"
import type { DarkResult } from "./Flag.ts"
import type { Value } from "./Knob.ts"
import type { Refused } from "./Refused.ts"
import type { Mode } from "./ServiceMode.ts"
import type { Origin } from "./Settings.ts"

/**
 * The labels and the time that every signal has.
 *
 * @category models
 * @since 0.1.0
 */
export interface Labels {
  readonly at: number
  readonly downstream: string
  readonly method: string
}

/**
 * How a logical call (all its attempts, and its fallback) ended.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome = "answered" | "permanent" | "degraded" | "unavailable" | "interrupted"

/**
 * The state of a circuit.
 *
 * @category models
 * @since 0.1.0
 */
export type CircuitState = "closed" | "open" | "half-open" | "ramp"

/**
 * Why a circuit changed its state.
 *
 * @category models
 * @since 0.1.0
 */
export type CircuitReason =
  | "failure-rate"
  | "slow-rate"
  | "consecutive-failures"
  | "consecutive-timeouts"
  | "open-time-over"
  | "probes-answered"
  | "probes-failed"
  | "probes-lost"
  | "ramp-complete"
  | "relapse"
  | "reported-healthy"
  | "by-hand"

/**
 * How the calls of a method went of late: the shares of those without an answer over
 * 10 s and over 5 min, the mean of the answers' times in milliseconds (nothing before
 * the first), and whether this is a `spike` (only the short share is high), `persistent`
 * (both) or `recovering` (only the long one). High is a tenth and more.
 *
 * @category models
 * @since 0.1.0
 */
export interface Seen {
  readonly errorRate: number
  readonly errorRateLong: number
  readonly meanMillis?: number
  readonly outage: "none" | "spike" | "persistent" | "recovering"
}

/**
 * Everything that the parts of this package tell.
 *
 * @category models
 * @since 0.1.0
 */
export type Signal =
  | (Labels & { readonly _tag: "CallEnded"; readonly outcome: Outcome; readonly durationMillis: number })
  | (Labels & { readonly _tag: "AttemptTimedOut"; readonly limitMillis: number })
  | (Labels & {
      readonly _tag: "RetryScheduled"
      readonly attempt: number
      readonly delayMillis: number
      readonly cause: string
    })
  /** A transient error was not retried although retries were left, and why. */
  | (Labels & {
      readonly _tag: "RetryDenied"
      readonly attempt: number
      readonly reason: "budget" | "deadline" | "callee" | "schedule" | "may-be-applied"
    })
  | (Labels & { readonly _tag: "Hedged"; readonly delayMillis: number })
  | (Labels & { readonly _tag: "HedgeWon" })
  /** An extra attempt was due and was not sent, and why. */
  | (Labels & { readonly _tag: "HedgeDenied"; readonly reason: "budget" })
  /** With `dark`, the policy only counted, and the call went on. */
  | (Labels & {
      readonly _tag: "CallRefused"
      readonly policy: string
      readonly reason: string
      readonly dark: boolean
      readonly refused: Refused
    })
  /** An edge turned a request away before its handler: `downstream` is the edge, `method` the route, `reason` the cause. */
  | (Labels & {
      readonly _tag: "RequestShed"
      readonly policy: string
      readonly priority: string
      readonly reason: string
      readonly dark: boolean
      readonly refused: Refused
    })
  | (Labels & {
      readonly _tag: "CircuitChanged"
      readonly policy: string
      readonly from: CircuitState
      readonly to: CircuitState
      readonly reason: CircuitReason
      /** Calls, failures and slow calls of the window that it was judged by. */
      readonly calls: number
      readonly failures: number
      readonly slow: number
      /** How long it stays open at most before it probes. */
      readonly openMillis?: number
      readonly key?: string
    })
  /** A limit that follows what it observes has moved: a concurrency limit in calls, a timeout in milliseconds. */
  | (Labels & { readonly _tag: "LimitMoved"; readonly policy: string; readonly from: number; readonly to: number })
  /** A provider said that its quota is spent, so nothing is sent for so many milliseconds. */
  | (Labels & {
      readonly _tag: "QuotaSpent"
      readonly policy: string
      readonly resetMillis: number
      readonly key?: string
    })
  /** A region did not take a call, and another was asked at once. */
  | (Labels & {
      readonly _tag: "FailedOver"
      readonly from: string
      readonly to: string
      readonly reason: string
    })
  /** A method answers for its caller, and nobody said who that is: nothing is remembered, nothing remembered is found. */
  | (Labels & { readonly _tag: "CallerUnknown"; readonly scope: DataScope })
  /** A method promises monotonic reads, and nobody said whose session it is: nothing is checked. */
  | (Labels & { readonly _tag: "SessionUnknown" })
  /** A step's answer was older than what the session had been shown, by so many milliseconds: it was passed over. */
  | (Labels & {
      readonly _tag: "ReadTooOld"
      readonly step: string
      readonly behindMillis: number
      readonly reason: string
    })
  | (Labels & { readonly _tag: "ContractViolated"; readonly detail: string })
  /** A fallback answered: which step, why, and how its downstream does at the time. */
  | (Labels & {
      readonly _tag: "AnswerDegraded"
      readonly quality: Quality
      readonly reason: string
      readonly step?: string
      readonly seen?: Seen
    })
  /** One side of a rollout answered: which flag, which side, and its step. */
  | (Labels & {
      readonly _tag: "VariantAnswered"
      readonly flag: string
      readonly variant: "stable" | "candidate"
      readonly step: string
    })
  /** The candidate of a rollout ran in the dark: how it compared with what was answered. */
  | (Labels & { readonly _tag: "DarkCompared"; readonly flag: string; readonly result: DarkResult })
  /** A cache answered with what counts as fresh. With `dark` it only would have, and `differs` says whether that was another answer. */
  | (Labels & {
      readonly _tag: "CacheHit"
      readonly ageMillis: number
      readonly kind: "answer" | "permanent"
      readonly dark: boolean
      readonly differs?: boolean
    })
  /** A cache answered with what is stale: while it is refreshed, or because the downstream had no answer. */
  | (Labels & {
      readonly _tag: "CacheStaleHit"
      readonly ageMillis: number
      readonly on: "revalidating" | "error"
      readonly reason: string
    })
  /** A cache had to load; `collapsed` waits for a load that was under way. */
  | (Labels & {
      readonly _tag: "CacheMiss"
      /** `too-old`: older than what the session was shown. */
      readonly why: "absent" | "expired" | "too-old"
      readonly collapsed: boolean
    })
  /** A cache did not keep an entry, and why: for want of room, or because it cannot be written or read as the contract says. */
  | (Labels & {
      readonly _tag: "CacheDropped"
      readonly why: "full" | "too-large" | "too-many-tags" | "unencodable" | "undecodable"
    })
  /** What the service as a whole can do has changed: `downstream` is the service, `causes` are the methods that are lost. */
  | (Labels & {
      readonly _tag: "ModeChanged"
      readonly from: Mode
      readonly to: Mode
      readonly by: "observed" | "operator"
      readonly causes: ReadonlyArray<string>
    })
  /** A knob was turned while the service runs; `names` are all the names of its one value. */
  | (Labels & {
      readonly _tag: "SettingChanged"
      readonly names: ReadonlyArray<string>
      readonly from: Value
      readonly to: Value
      readonly origin: Origin
      readonly by: string
    })

/**
 * Where signals go: `active` is false as long as nobody listens.
 *
 * @category services
 * @since 0.1.0
 */
export interface SignalBus {
  readonly active: boolean
  /** How many times a listener threw. */
  readonly failed: number
  readonly emit: (signal: Signal) => void
  /** Listens until the scope closes. At most 64 listeners; one more is a defect. */
  readonly subscribe: (listener: (signal: Signal) => void) => Effect.Effect<void, never, Scope.Scope>
}

const listenersMax = 64

const inert: SignalBus = { active: false, failed: 0, emit: () => {}, subscribe: () => Effect.void }

/**
 * The bus of the current context; without a layer it drops everything.
 *
 * @category references
 * @since 0.1.0
 */
export const Bus: Context.Reference<SignalBus> = Context.Reference<SignalBus>("@failsoft/core/Signal/Bus", {
  defaultValue: () => inert
})

/**
 * A bus of its own.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<SignalBus> = Effect.sync(() => {
  let listeners: ReadonlyArray<(signal: Signal) => void> = []
  let failed = 0
  return {
    get active() {
      return listeners.length > 0
    },
    get failed() {
      return failed
    },
    emit: (signal) => {
      for (const listener of listeners) {
        try {
          listener(signal)
        } catch {
          failed++
        }
      }
    },
    subscribe: (listener) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          if (listeners.length >= listenersMax) {
            throw new Error(`a signal bus takes at most ${listenersMax} listeners; close a scope that holds one`)
          }
          const own = (signal: Signal) => listener(signal)
          listeners = [...listeners, own]
          return own
        }),
        (own) =>
          Effect.sync(() => {
            listeners = listeners.filter((other) => other !== own)
          })
      ).pipe(Effect.asVoid)
  }
})

/**
 * A bus for the layers below it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = Layer.effect(Bus, make)
