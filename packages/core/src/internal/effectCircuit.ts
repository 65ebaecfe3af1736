/**
 * Effect's circuit breaker (`effect/persistence`, experimental in 4.1) behind the few
 * words that our adapter needs of it: the one place that an upgrade touches.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as EffectBreaker from "effect/persistence/CircuitBreaker"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { CircuitReason, CircuitState } from "../Signal.ts"
import { connect, isAway } from "./sharedStore.ts"

/** The layer of a store: Effect's in memory or on Redis, with its connection. */
export type CircuitStore = Layer.Layer<EffectBreaker.CircuitBreakerStore, unknown>

/** The knobs, as they are now. */
export interface SharedCircuitValues {
  readonly failureRate: number
  readonly windowCalls: number
  readonly minimumCalls: number
  readonly consecutiveFailures: number
  readonly openMillis: number
  readonly openMaxMillis: number
  readonly storeLimitMillis: number
  readonly onStoreAway: string
}

/** A change of state that this process made. */
export interface Moved {
  readonly key: string
  readonly from: CircuitState
  readonly to: CircuitState
  readonly reason: CircuitReason
  readonly openMillis: number | undefined
}

/** Why a call was not let through: the state of the circuit, or that nobody knows it. */
export class Rejected {
  readonly state: "open" | "half-open" | "unknown"
  readonly retryAfterMillis: number | undefined

  constructor(state: Rejected["state"], retryAfterMillis?: number) {
    this.state = state
    this.retryAfterMillis = retryAfterMillis
  }
}

/** What a call says about the downstream: nothing, that it is well, or that it is not. */
export type Outcome =
  | { readonly says: "nothing" }
  | { readonly says: "well" }
  | { readonly says: "unwell"; readonly retryAfterMillis: number | undefined }

/** The breaker of one policy. */
export interface SharedCircuit {
  readonly run: <A, E>(
    call: Effect.Effect<A, E>,
    key: string,
    judge: (exit: Exit.Exit<A, E>) => Outcome
  ) => Effect.Effect<A, E | Rejected>
  readonly isAway: () => boolean
}

const states = { Closed: "closed", Open: "open", HalfOpen: "half-open" } as const

/** Admits everything and records nothing, where the store is away. */
const unknownGeneration = -1
const unrecorded: EffectBreaker.Admission = {
  generation: unknownGeneration,
  probe: false,
  consecutiveOpenings: 0,
  transition: undefined
}

/** Makes the breaker over a store; `moved` hears of each change of state that this process makes. */
export const makeSharedCircuit = (
  store: CircuitStore,
  values: SharedCircuitValues,
  moved: (of: Moved) => void
): Effect.Effect<SharedCircuit, never, Scope.Scope> =>
  Effect.gen(function* () {
    const shared = yield* connect(EffectBreaker.CircuitBreakerStore, store, isRejection)
    const trips = (): EffectBreaker.TripPolicy =>
      values.consecutiveFailures > 0
        ? EffectBreaker.consecutive(values.consecutiveFailures)
        : EffectBreaker.rate({
            threshold: values.failureRate,
            size: values.windowCalls,
            minimumCalls: values.minimumCalls
          })
    const tell = (transition: EffectBreaker.Transition | undefined) =>
      Effect.sync(() => {
        if (transition !== undefined) moved(movement(transition, values.consecutiveFailures > 0))
      })
    const notAllowed = () =>
      new EffectBreaker.CircuitBreakerError({
        reason: new EffectBreaker.CircuitBreakerStoreError({ message: "the store is away" })
      })
    const watched = EffectBreaker.CircuitBreakerStore.of({
      admit: (key) =>
        shared
          .ask((of) => of.admit(key), values.storeLimitMillis)
          .pipe(
            Effect.tap(({ transition }) => tell(transition)),
            Effect.catchIf(isAway, () =>
              values.onStoreAway === "allow" ? Effect.succeed(unrecorded) : Effect.fail(notAllowed())
            )
          ),
      record: (outcome) =>
        outcome.generation === unknownGeneration
          ? Effect.succeed(undefined)
          : shared
              // The knobs may have been turned since Effect took them.
              .ask((of) => of.record({ ...outcome, tripPolicy: trips() }), values.storeLimitMillis)
              .pipe(
                Effect.tap(tell),
                Effect.catchIf(isAway, () => Effect.succeed(undefined))
              ),
      state: (key) =>
        shared
          .ask((of) => of.state(key), values.storeLimitMillis)
          .pipe(Effect.catchIf(isAway, () => Effect.succeed<EffectBreaker.State>({ _tag: "Closed", key })))
    })
    const breaker = yield* EffectBreaker.make({
      tripPolicy: trips(),
      openDuration: Schedule.modifyDelay(Schedule.forever, ({ attempt }) =>
        Effect.succeed(Duration.millis(Math.min(values.openMaxMillis, values.openMillis * 2 ** (attempt - 1))))
      ),
      onStoreError: "fail"
    }).pipe(Effect.provideService(EffectBreaker.CircuitBreakerStore, watched))

    return {
      isAway: shared.isAway,
      run: <A, E>(call: Effect.Effect<A, E>, key: string, judge: (exit: Exit.Exit<A, E>) => Outcome) =>
        breaker
          .execute(call, {
            key,
            classify: (exit: Exit.Exit<A, E>) => {
              const outcome = judge(exit)
              if (outcome.says === "nothing") return EffectBreaker.ignored
              if (outcome.says === "well") return EffectBreaker.success
              const { retryAfterMillis } = outcome
              return EffectBreaker.failure(
                retryAfterMillis === undefined ? {} : { retryAfter: Math.min(values.openMaxMillis, retryAfterMillis) }
              )
            }
          })
          .pipe(
            Effect.mapError((error): E | Rejected =>
              error instanceof EffectBreaker.CircuitBreakerError ? rejected(error) : error
            )
          )
    }
  })

/** The circuit's own answer, rather than a store that is not well. */
const isRejection = (error: unknown): boolean =>
  error instanceof EffectBreaker.CircuitBreakerError && error.reason._tag !== "CircuitBreakerStoreError"

const rejected = ({ reason }: EffectBreaker.CircuitBreakerError): Rejected => {
  switch (reason._tag) {
    case "CircuitOpen":
      return new Rejected("open", Math.ceil(Duration.toMillis(reason.retryAfter)))
    case "CircuitHalfOpen":
      return new Rejected("half-open")
    case "CircuitBreakerStoreError":
      return new Rejected("unknown")
  }
}

const movement = (of: EffectBreaker.Transition, inARow: boolean): Moved => ({
  key: of.key,
  from: states[of.from],
  to: states[of.to],
  reason:
    of.to === "HalfOpen"
      ? "open-time-over"
      : of.to === "Closed"
        ? "probes-answered"
        : of.from === "HalfOpen"
          ? "probes-failed"
          : inARow
            ? "consecutive-failures"
            : "failure-rate",
  openMillis: of.to === "Open" ? Duration.toMillis(of.retryAfter) : undefined
})
