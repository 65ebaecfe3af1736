/**
 * A downstream that has real work to do: so many workers, and a queue with an end.
 *
 * **Details**
 *
 * A request is worked on by one worker; while all are busy it waits, first come, first
 * served, and is refused where the queue is full. A worker finishes what it has begun,
 * whether its caller is still there or not, and a queue does not know who has left, as
 * with most servers. So work that nobody waits for any more takes the place of work that
 * somebody does: what keeps an outage going after its cause is gone.
 *
 * Of a plan's faults, `capacity` and `coldStart` of the whole downstream say how many
 * workers are there, and `slow` how long each takes.
 *
 * **Gotchas**
 *
 * What is waiting when workers come back begins within 20 ms.
 *
 * **Example** (the third request finds the queue full)
 *
 * ```ts
 * import { Workers } from "@failsoft/core/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const workers = yield* Workers.make({ count: 1, queueMax: 1 })
 *   const one = workers.work(Effect.as(Effect.sleep("10 millis"), "done"))
 *   const refused = Effect.catchTag(one, "QueueFull", () => Effect.succeed("refused"))
 *   console.log(yield* Effect.all([refused, refused, refused], { concurrency: "unbounded" }))
 * })
 * await Effect.runPromise(Effect.scoped(program))
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { forkBeside } from "../internal/fork.ts"

/**
 * How many work at once, and how many may wait. `queueMax` 0 refuses whoever finds no
 * worker.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly count: number
  readonly queueMax: number
  /** Told when a piece of work ends: how long it took, and whether its caller had gone by then. */
  readonly onWorked?: (millis: number, isWasted: boolean) => void
}

/**
 * No worker was free, and there was no room to wait.
 *
 * @category errors
 * @since 0.1.0
 */
export class QueueFull extends Schema.TaggedError<QueueFull>()("QueueFull", {}) {}

/**
 * Running workers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Workers {
  /** Waits for a worker, and for its work. Who is interrupted leaves; the work stays. */
  readonly work: <A, E>(work: Effect.Effect<A, E>) => Effect.Effect<A, E | QueueFull>
  readonly busy: () => number
  readonly waiting: () => number
}

const lookMillis = 20

/**
 * Starts them; `there` says how many of the `count` are there at this moment, at least
 * one. At the end of the scope work in progress is interrupted, and so is who waits.
 * Throws where there is no worker at all.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Options,
  there: () => number = () => options.count
): Effect.Effect<Workers, never, Scope.Scope> => {
  const { count, queueMax } = options
  if (!(count >= 1) || !(queueMax >= 0)) {
    throw new Error(`workers need a count of 1 or more and a queueMax of 0 or more, but have ${count} and ${queueMax}`)
  }
  return Effect.acquireRelease(
    Effect.sync(() => new Working(options, there)),
    (working) => working.stop
  )
}

/** Who waits for a worker. */
interface Waiting {
  readonly begin: () => void
  readonly leave: () => void
}

class Working implements Workers {
  private readonly running = new Set<Fiber.Fiber<unknown, unknown>>()
  private readonly queue: Array<Waiting> = []
  private readonly options: Options
  private readonly there: () => number
  /** Those in progress, of which one that has just begun is not yet among the running. */
  private begun = 0
  private isLooking = false
  private isStopped = false
  private watching: Fiber.Fiber<unknown> | undefined

  constructor(options: Options, there: () => number) {
    this.options = options
    this.there = there
  }

  readonly busy = () => this.begun
  readonly waiting = () => this.queue.length

  readonly work = <A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E | QueueFull> =>
    Effect.withFiber((caller) =>
      Effect.callback<A, E | QueueFull>((resume) => {
        const { context } = caller
        const clock = caller.getRef(Clock.Clock)
        let isGone = false
        const begin = () => {
          const from = clock.monotonicTimeNanosUnsafe()
          this.begun++
          // A fiber of its own: the caller may leave.
          const fiber = forkBeside(context, work)
          this.running.add(fiber)
          fiber.addObserver((exit) => {
            this.running.delete(fiber)
            this.begun--
            this.options.onWorked?.(Number(clock.monotonicTimeNanosUnsafe() - from) / 1e6, isGone)
            resume(exit)
            this.next(context)
          })
        }
        if (this.isStopped) {
          resume(Effect.interrupt)
          return
        }
        // Who waits comes first, though nobody has seen yet that workers are back.
        this.next(context)
        if (this.busy() < this.there()) begin()
        else if (this.queue.length < this.options.queueMax) {
          this.queue.push({ begin, leave: () => resume(Effect.interrupt) })
          this.watch(context)
        } else resume(Effect.fail(new QueueFull()))
        return Effect.sync(() => {
          isGone = true
        })
      })
    )

  readonly stop = Effect.suspend(() => {
    this.isStopped = true
    for (const { leave } of this.queue.splice(0)) leave()
    const all = [...this.running, ...(this.watching === undefined ? [] : [this.watching])]
    return Fiber.interruptAll(all)
  })

  /** A loop: work that ends at once would call itself for each that waits. */
  private next(context: Context.Context<never>): void {
    if (this.isLooking) return
    this.isLooking = true
    while (this.queue.length > 0 && this.busy() < this.there()) this.queue.shift()?.begin()
    this.isLooking = false
    this.watch(context)
  }

  /** Nobody tells when workers come back: while some are away and somebody waits, it looks. */
  private watch(context: Context.Context<never>): void {
    if (this.watching !== undefined || !this.mustWatch()) return
    const look = Effect.sync(() => {
      this.next(context)
      return this.mustWatch()
    })
    const looking = Effect.repeat(Effect.delay(look, lookMillis), { while: (more) => more })
    this.watching = forkBeside(
      context,
      Effect.onExit(looking, () =>
        Effect.sync(() => {
          this.watching = undefined
        })
      )
    )
  }

  private mustWatch(): boolean {
    return !this.isStopped && this.queue.length > 0 && this.there() < this.options.count
  }
}
