/**
 * Runs an effect to its end in virtual time, exactly repeatable.
 *
 * **Details**
 *
 * One synchronous pump runs every task that is ready; when none is, the clock goes on
 * to the next timer, and all timers of that moment become ready together. A seeded
 * scheduler may make a fiber yield at any operation, as on a busy machine: that finds
 * state which changes one step before its finalizer is in place. Yielding loses no
 * virtual time. Where nothing is ready and nobody sleeps, that is a deadlock, and is
 * reported at once.
 *
 * While the pump runs, the globals of time and chance are trapped (`Date`,
 * `Math.random`, `setTimeout` and their like).
 *
 * **Gotchas**
 *
 * A promise cannot settle while the pump runs: real I/O is a deadlock here. Give the
 * program fakes.
 *
 * **Example** (an hour in no time)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Pump } from "@failsoft/core/testing"
 *
 * const pump = Pump.make({ seed: 1 })
 * const ended = pump.run(Effect.delay(Effect.succeed("late"), "1 hour"))
 * console.log(ended._tag, pump.elapsedMillis())
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import type * as Scheduler from "effect/Scheduler"
import { choices, draw } from "./Draw.ts"
import { SimClock } from "./internal/clock.ts"
import { type Mode, type Trapped, Traps } from "./internal/traps.ts"

export { type Trapped, UncontrolledTime } from "./internal/traps.ts"

/**
 * How a pump runs. The same options and the same program give the same run.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default 1. */
  readonly seed?: number
  /** The chance of a yield at any operation, from 0 up to 1. Default 0. */
  readonly preemption?: number
  /** What the clock shows at the start, in milliseconds since the epoch. Default the first of January 2026. */
  readonly startMillis?: number
  /**
   * What a call of a trapped global does: `throw` in one's own code and a virtual value in
   * libraries, `virtual` everywhere, or `off`, the real thing. Default `throw`.
   */
  readonly traps?: Mode
  /**
   * Whom a fiber works for, as a number: yields are drawn apart for each. Default the
   * same for all.
   */
  readonly ownerOf?: (fiber: Fiber.Fiber<unknown, unknown>) => number
}

/**
 * How a run ended.
 *
 * @category models
 * @since 0.1.0
 */
export type Ended<A, E> =
  | { readonly _tag: "Ended"; readonly exit: Exit.Exit<A, E> }
  /** Nothing is ready, nobody sleeps, and the effect has not ended; so many of its fibers wait. */
  | { readonly _tag: "Deadlock"; readonly atMillis: number; readonly fibers: number }

/**
 * A pump with its clock.
 *
 * @category models
 * @since 0.1.0
 */
export interface Pump {
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Ended<A, E>
  /** Milliseconds since the start; the clock on the wall may show something else. */
  readonly elapsedMillis: () => number
  /** Sets the clock on the wall forward or back; timers do not care. */
  readonly jumpClock: (byMillis: number) => void
  /** How many fibers live. */
  readonly fibers: () => number
  /** How many timers are pending. */
  readonly timers: () => number
  /** What one's own code reached for although it is trapped; the first 100. */
  readonly trapped: () => ReadonlyArray<Trapped>
}

const newYear2026 = 1_767_225_600_000

/** Effect's own default: after so many operations a fiber yields in any case. */
const operationsMax = 2048

/** A queue without shifting. */
class Tasks {
  private tasks: Array<() => void> = []
  private head = 0

  add(task: () => void): void {
    this.tasks.push(task)
  }

  runAll(): void {
    for (let task = this.tasks[this.head]; task !== undefined; task = this.tasks[this.head]) {
      this.head++
      task()
      if (this.head > 1024) {
        this.tasks = this.tasks.slice(this.head)
        this.head = 0
      }
    }
    this.tasks.length = this.head = 0
  }
}

/** When a fiber yields next, and the state of the chance that decides on it. */
interface Gap {
  left: number
  state: number
}

/** A fiber carries its gap: a map from fibers would cost more than all the rest. */
interface Gapped extends Fiber.Fiber<unknown, unknown> {
  "~failsoft/gap"?: Gap
}

/**
 * Yields after gaps of geometric length, so that each operation has the same chance. Each
 * fiber has a stream of its own, keyed by whom it works for: what one request does not do
 * any more leaves the others as they were.
 */
class Preemption implements Scheduler.Scheduler {
  readonly executionMode = "async" as const
  private readonly dispatcher: Scheduler.SchedulerDispatcher
  private readonly rate: number
  private readonly seed: number
  private readonly ownerOf: (fiber: Fiber.Fiber<unknown, unknown>) => number
  private readonly fibers = new Map<number, number>()

  constructor(tasks: Tasks, seed: number, probability: number, ownerOf: Options["ownerOf"]) {
    this.dispatcher = { scheduleTask: (task) => tasks.add(task), flush: () => {} }
    this.seed = seed
    this.rate = probability > 0 ? Math.log1p(-Math.min(0.999, probability)) : 0
    this.ownerOf = ownerOf ?? (() => 0)
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    if (this.rate === 0) return fiber.currentOpCount >= operationsMax
    const carrier: Gapped = fiber
    const gap = carrier["~failsoft/gap"] ?? this.begin(carrier)
    if (--gap.left > 0) return fiber.currentOpCount >= operationsMax
    this.next(gap)
    return true
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this.dispatcher
  }

  private begin(fiber: Gapped): Gap {
    const owner = this.ownerOf(fiber)
    const nth = this.fibers.get(owner) ?? 0
    this.fibers.set(owner, nth + 1)
    const gap = { left: 0, state: Math.floor(draw(this.seed, owner, nth) * 0x1_0000_0000) | 1 }
    this.next(gap)
    fiber["~failsoft/gap"] = gap
    return gap
  }

  /** The next gap, by xorshift32. */
  private next(gap: Gap): void {
    gap.state ^= gap.state << 13
    gap.state ^= gap.state >>> 17
    gap.state ^= gap.state << 5
    const chance = (gap.state >>> 0) / 0x1_0000_0000
    gap.left = 1 + Math.floor(Math.log1p(-chance) / this.rate)
  }
}

/**
 * A pump for one run.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Pump => {
  const seed = options.seed ?? 1
  const tasks = new Tasks()
  const clock = new SimClock(options.startMillis ?? newYear2026, choices(seed ^ 0x7ead).next)
  const scheduler = new Preemption(tasks, seed, options.preemption ?? 0, options.ownerOf)
  const traps = new Traps(clock, options.traps ?? "throw", choices(seed ^ 0xda7e).next)
  let fibers = 0
  const metrics: Metric.FiberRuntimeMetricsService = {
    recordFiberStart: () => void fibers++,
    recordFiberEnd: () => void fibers--
  }
  const context = Context.make(Clock.Clock, clock).pipe(Context.add(Metric.FiberRuntimeMetrics, metrics))

  const run = <A, E>(effect: Effect.Effect<A, E>): Ended<A, E> => {
    const restore = traps.install()
    try {
      const fiber = Effect.runForkWith(context)(effect, { scheduler })
      for (;;) {
        tasks.runAll()
        const exit = fiber.pollUnsafe()
        if (exit !== undefined) return { _tag: "Ended", exit }
        if (!clock.advance()) return { _tag: "Deadlock", atMillis: clock.elapsed, fibers }
      }
    } finally {
      restore()
    }
  }

  return {
    run,
    elapsedMillis: () => clock.elapsed,
    jumpClock: (byMillis) => clock.jump(byMillis),
    fibers: () => fibers,
    timers: () => clock.pending,
    trapped: () => traps.trapped
  }
}

/**
 * Runs an effect to its end with a pump of its own; a deadlock throws.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <A, E>(effect: Effect.Effect<A, E>, options: Options = {}): Exit.Exit<A, E> => {
  const ended = make(options).run(effect)
  if (ended._tag === "Ended") return ended.exit
  throw new Error(`deadlock at ${ended.atMillis} ms: nothing is ready and nobody sleeps; ${ended.fibers} fibers wait`)
}
