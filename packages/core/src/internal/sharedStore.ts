/**
 * A store that processes share, and that may be away: the service starts without it,
 * and no call waits for it for longer than it is told to.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"

/** How long the start waits for the store before it goes on without it. */
const startMillis = 1000
/** How long the end waits for it to close. */
const endMillis = 1000
/** A store that failed is left alone for so long, so that not every call pays for it. */
const restMillis = 1000

/** How it tries to connect: soon at first, every ten seconds in the end. */
const backoff = Schedule.modifyDelay(Schedule.exponential("100 millis"), ({ duration }) =>
  Effect.succeed(Duration.min(duration, Duration.seconds(10)))
)

/** The store, as it is now. */
export interface SharedStore<S> {
  /** Asks the store; fails with `away` where it is away, fails or takes too long. */
  readonly ask: <A, E, R>(
    use: (store: S) => Effect.Effect<A, E, R>,
    limitMillis: number
  ) => Effect.Effect<A, E | Away, R>
  /** Whether the last who asked got no answer. */
  readonly isAway: () => boolean
}

/** The store gave no answer. */
export class Away {
  readonly _tag = "StoreAway"
}

const away = new Away()

/** Whether an error says so. */
export const isAway = (error: unknown): error is Away => error instanceof Away

/**
 * Connects to a store for as long as the scope lasts, and tries on in the background
 * where it cannot. `own` tells the errors that are the store's answer from those that
 * say that it is not well.
 */
export const connect = <Id, S>(
  key: Context.Key<Id, S>,
  layer: Layer.Layer<Id, unknown>,
  own: (error: unknown) => boolean
): Effect.Effect<SharedStore<S>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<Scope.Scope>()
    const known = Context.getOrUndefined(context, Layer.CurrentMemoMap)
    let store: S | undefined
    let awayUntil = Number.NEGATIVE_INFINITY
    let fresh = false
    let open: Scope.Closeable | undefined
    yield* Effect.addFinalizer((exit) => (open === undefined ? Effect.void : closed(open, exit)))
    const once = Effect.gen(function* () {
      const scope = Scope.makeUnsafe()
      open = scope
      // The same layer in two policies is one connection; a second try must not meet the failed first.
      const memo = fresh || known === undefined ? Layer.makeMemoMapUnsafe() : known
      fresh = true
      const exit = yield* Effect.exit(Layer.buildWithMemoMap(layer, memo, scope))
      if (Exit.isSuccess(exit)) {
        store = Context.get(exit.value, key)
        return
      }
      yield* Scope.close(scope, exit)
      yield* Effect.logWarning("a shared store cannot be reached; policies go on without it", exit.cause)
      return yield* Effect.fail(away)
    })
    const tried = yield* Deferred.make<void>()
    const attempt = Effect.ensuring(once, Deferred.succeed(tried, undefined))
    yield* Effect.forkScoped(Effect.retry(attempt, backoff))
    yield* Effect.timeoutOption(Deferred.await(tried), startMillis)

    const failed = (cause: unknown) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const first = awayUntil === Number.NEGATIVE_INFINITY
        awayUntil = now + restMillis
        return Effect.andThen(
          first ? Effect.logWarning("a shared store gives no answer; policies go on without it", cause) : Effect.void,
          Effect.fail(away)
        )
      })
    return {
      isAway: () => store === undefined || awayUntil !== Number.NEGATIVE_INFINITY,
      ask: <A, E, R>(use: (store: S) => Effect.Effect<A, E, R>, limitMillis: number) =>
        Effect.flatMap(Clock.currentTimeMillis, (now): Effect.Effect<A, E | Away, R> => {
          if (store === undefined || now < awayUntil) return Effect.fail(away)
          // Effect's breaker asks where it cannot be interrupted: the limit must be able to.
          return Effect.interruptible(use(store)).pipe(
            Effect.catch(
              (error: E): Effect.Effect<never, E | Away> => (own(error) ? Effect.fail(error) : failed(error))
            ),
            Effect.timeoutOrElse({ duration: limitMillis, orElse: () => failed("it took too long") }),
            Effect.onExit((exit) =>
              Effect.sync(() => {
                if (!answersNothing(exit)) awayUntil = Number.NEGATIVE_INFINITY
              })
            )
          )
        })
    }
  })

/** Whether the store said nothing; a caller that went away knows nothing of it. */
const answersNothing = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && exit.cause.reasons.every((reason) => reason._tag !== "Fail" || isAway(reason.error))

/** A connection may wait for its server while it closes; the end of a service must not. */
const closed = (scope: Scope.Closeable, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
  Effect.flatMap(Effect.forkDetach(Scope.close(scope, exit)), (closing) =>
    Effect.asVoid(Effect.timeoutOption(Effect.interruptible(Fiber.await(closing)), endMillis))
  )
