/**
 * Virtual time: a heap of timers. Timers move on one line of time that only goes
 * forward; what the clock on the wall shows may jump, as real ones do.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** One timer; `tie` orders those of one moment, `nth` those that tie. */
interface Timer {
  readonly at: number
  readonly tie: number
  readonly nth: number
  fire: (() => void) | undefined
}

const before = (a: Timer, b: Timer): boolean =>
  a.at !== b.at ? a.at < b.at : a.tie !== b.tie ? a.tie < b.tie : a.nth < b.nth

/** The clock of one simulation. */
export class SimClock implements Clock.Clock {
  /** Milliseconds since the simulation began. */
  elapsed = 0
  /** Timers that somebody still waits for. */
  pending = 0
  private readonly heap: Array<Timer> = []
  private wall: number
  private nth = 0
  private readonly tie: () => number

  constructor(startMillis: number, tie: () => number) {
    this.wall = startMillis
    this.tie = tie
  }

  /** The clock on the wall is set forward, or back. */
  jump(byMillis: number): void {
    this.wall += byMillis
  }

  /** Calls `fire` after so many milliseconds; the function that forgets it. */
  after(millis: number, fire: () => void): () => void {
    const timer: Timer = { at: this.elapsed + Math.max(0, millis), tie: this.tie(), nth: this.nth++, fire }
    this.pending++
    this.push(timer)
    return () => {
      if (timer.fire === undefined) return
      timer.fire = undefined
      this.pending--
    }
  }

  /** Goes on to the next moment at which somebody is waiting, and fires all of its timers; false where there is none. */
  advance(): boolean {
    let first = this.pop()
    while (first !== undefined && first.fire === undefined) first = this.pop()
    if (first === undefined) return false
    this.elapsed = first.at
    // What happens at one moment is ready together, so that it can interleave.
    const due = [first]
    for (let next = this.heap[0]; next?.at === first.at; next = this.heap[0]) {
      this.pop()
      due.push(next)
    }
    for (const timer of due) {
      const { fire } = timer
      if (fire === undefined) continue
      timer.fire = undefined
      this.pending--
      fire()
    }
    return true
  }

  currentTimeMillisUnsafe(): number {
    return this.wall + this.elapsed
  }

  currentTimeNanosUnsafe(): bigint {
    return nanos(this.wall + this.elapsed)
  }

  monotonicTimeNanosUnsafe(): bigint {
    return nanos(this.elapsed)
  }

  readonly currentTimeMillis: Effect.Effect<number> = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos: Effect.Effect<bigint> = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos: Effect.Effect<bigint> = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const forget = this.after(Duration.toMillis(duration), () => resume(Effect.void))
      return Effect.sync(forget)
    })
  }

  private push(timer: Timer): void {
    const { heap } = this
    let at = heap.push(timer) - 1
    while (at > 0) {
      const up = (at - 1) >> 1
      const parent = heap[up]
      if (parent === undefined || before(parent, timer)) break
      heap[at] = parent
      at = up
    }
    heap[at] = timer
  }

  private pop(): Timer | undefined {
    const { heap } = this
    const [first] = heap
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      let child = heap[left]
      let next = left
      const right = heap[left + 1]
      if (child !== undefined && right !== undefined && before(right, child)) {
        child = right
        next = left + 1
      }
      if (child === undefined || before(last, child)) break
      heap[at] = child
      at = next
    }
    heap[at] = last
    return first
  }
}

const nanos = (millis: number): bigint => BigInt(Math.round(millis * 1e6))
