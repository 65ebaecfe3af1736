/**
 * The moment by which the current request must be answered.
 *
 * **Details**
 *
 * It lives in the fiber's context as milliseconds since the epoch on Effect's
 * `Clock`, so every downstream call and every retry below sees it; a nested
 * deadline can only be earlier. `Infinity` means that there is none. On the wire
 * it travels as the time left, never as a moment, since clocks differ.
 *
 * **Gotchas**
 *
 * What cannot be interrupted is waited for, beyond the deadline too.
 * Setting the deadline does not interrupt anything: {@link within} and
 * `Policy.deadline` do both.
 *
 * **Example** (time left for the work below)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Deadline } from "@failsoft/core"
 *
 * const program = Deadline.remainingMillis.pipe(
 *   Deadline.within("2 seconds", () => Effect.succeed(0))
 * )
 * Effect.runPromise(program).then((left) => console.log(left <= 2000))
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { toMillis } from "./internal/duration.ts"
import { type Entry, Timers } from "./internal/timers.ts"

/**
 * The deadline of the current fiber: milliseconds since the epoch, `Infinity`
 * where there is none.
 *
 * @category references
 * @since 0.1.0
 */
export const Deadline: Context.Reference<number> = Context.Reference<number>("@failsoft/core/Deadline", {
  defaultValue: () => Infinity
})

/**
 * The milliseconds that are left, never negative, `Infinity` without a deadline.
 *
 * @category accessors
 * @since 0.1.0
 */
export const remainingMillis: Effect.Effect<number> = Effect.withFiber((fiber) => {
  const at = fiber.getRef(Deadline)
  return Effect.succeed(at === Infinity ? at : Math.max(0, at - fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()))
})

/**
 * Runs the effect with at most this much time, interrupts it at its end, and
 * then runs `onSpent`. Where the fiber's own deadline is earlier, that one holds;
 * where it is spent already, the effect does not start.
 *
 * @category combinators
 * @since 0.1.0
 */
export const within =
  <A2, E2, R2>(duration: Duration.Input, onSpent: () => Effect.Effect<A2, E2, R2>) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A | A2, E | E2, R | R2> => {
    const limit = toMillis(duration)
    return Effect.withFiber((fiber): Effect.Effect<A | A2, E | E2, R | R2> => {
      const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
      const at = Math.min(fiber.getRef(Deadline), now + limit)
      if (at <= now) return onSpent()
      return Effect.timeoutOrElse(Effect.provideService(self, Deadline, at), { duration: at - now, orElse: onSpent })
    })
  }

/**
 * Something that is due at a moment. The fields belong to the list that it is in; they
 * begin as 0, `undefined` and `"no"`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Alarm extends Entry {}

/**
 * Many alarms with one sleeper, on the clock of those who set them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Alarms {
  /** Sets an alarm for so many milliseconds after `now`. */
  readonly add: (alarm: Alarm, fiber: Fiber.Fiber<unknown, unknown>, now: number, millis: number) => void
  /** Takes it back; where it has rung or was never set, nothing happens. */
  readonly remove: (alarm: Alarm) => void
}

/**
 * An empty list of alarms: for edges that give each of many requests a deadline.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeAlarms = (): Alarms => {
  const timers = new Timers()
  return {
    add: (alarm, fiber, now, millis) => timers.add(alarm, fiber, fiber.getRef(Clock.Clock), now, millis),
    remove: (alarm) => timers.remove(alarm)
  }
}
