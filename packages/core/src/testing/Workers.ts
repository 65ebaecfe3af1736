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
 * one. Work that is in progress at the end of the scope is interrupted.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Options,
  there: () => number = () => options.count
): Effect.Effect<Workers, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new Working(options, there)),
    (working) => working.stop
  )

class Working implements Workers {
  private readonly running = new Set<Fiber.Fiber<unknown, unknown>>()
  private readonly queue: Array<() => void> = []
  private readonly options: Options
  private readonly there: () => number
  /** Those in progress, of which one that has just begun is not yet among the running. */
  private begun = 0
  private isWatched = false

  constructor(options: Options, there: () => number) {
    this.options = options
    this.there = there
  }

  readonly busy = () => this.begun
  readonly waiting = () => this.queue.length

  readonly work = <A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E | QueueFull> =>
    Effect.withFiber((caller) =>
      Effect.callback<A, E | QueueFull>((resume) => {
        const begin = () => {
          this.begun++
          // A fiber of its own: the caller may leave.
          const fiber = forkBeside(caller.context, work)
          this.running.add(fiber)
          fiber.addObserver((exit) => {
            this.running.delete(fiber)
            this.begun--
            resume(exit)
            this.next()
          })
        }
        // Who waits comes first, though nobody has seen yet that workers are back.
        this.next()
        if (this.busy() < this.there()) begin()
        else if (this.queue.length < this.options.queueMax) {
          this.queue.push(begin)
          this.watch(caller)
        } else resume(Effect.fail(new QueueFull()))
      })
    )

  readonly stop = Effect.suspend(() => {
    this.queue.length = 0
    return Fiber.interruptAll([...this.running])
  })

  private next(): void {
    while (this.busy() < this.there()) {
      const begin = this.queue.shift()
      if (begin === undefined) return
      begin()
    }
  }

  /** Nobody tells when workers come back: while some are away and somebody waits, it looks. */
  private watch({ context }: Fiber.Fiber<unknown, unknown>): void {
    if (this.isWatched || this.there() >= this.options.count) return
    this.isWatched = true
    const look = Effect.sync(() => {
      this.next()
      this.isWatched = this.queue.length > 0
      return this.isWatched
    })
    forkBeside(context, Effect.repeat(Effect.delay(look, lookMillis), { while: (more) => more }))
  }
}
