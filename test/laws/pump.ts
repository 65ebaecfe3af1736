/**
 * Virtual time without a real moment in it: one synchronous pump runs every task
 * that is ready, and only when none is does the clock go on to the next timer. So a
 * fiber that yields, at whatever operation, loses no virtual time.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"

interface Timer {
  readonly at: number
  readonly fire: () => void
}

/** Runs an effect to its end in virtual time. `preempts` decides at each operation whether the fiber yields. */
export const runVirtually = <A, E>(effect: Effect.Effect<A, E>, preempts: () => boolean): Exit.Exit<A, E> => {
  const tasks: Array<() => void> = []
  const timers = new Set<Timer>()
  let now = 0

  const dispatcher: Scheduler.SchedulerDispatcher = {
    scheduleTask: (task) => void tasks.push(task),
    flush: () => {}
  }
  const scheduler: Scheduler.Scheduler = {
    executionMode: "async",
    shouldYield: (fiber: Fiber.Fiber<unknown, unknown>) => fiber.currentOpCount >= 2048 || preempts(),
    makeDispatcher: () => dispatcher
  }
  const nanos = () => BigInt(Math.round(now * 1e6))
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => now,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) =>
      Effect.callback<void>((resume) => {
        const timer: Timer = { at: now + Duration.toMillis(duration), fire: () => resume(Effect.void) }
        timers.add(timer)
        return Effect.sync(() => timers.delete(timer))
      })
  }

  /** All timers of the next moment, in the order in which they were set. */
  const nextMoment = (): ReadonlyArray<Timer> => {
    let at = Number.POSITIVE_INFINITY
    for (const timer of timers) at = Math.min(at, timer.at)
    return [...timers].filter((timer) => timer.at === at)
  }

  const fiber = Effect.runFork(Effect.provideService(effect, Clock.Clock, clock), { scheduler })
  for (;;) {
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) task()
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return exit
    const due = nextMoment()
    const [first] = due
    if (first === undefined) throw new Error(`deadlock at ${now} ms: nothing is ready and nobody sleeps`)
    now = first.at
    // What happens at one moment is ready together, so that it can interleave.
    for (const timer of due) {
      timers.delete(timer)
      timer.fire()
    }
  }
}
