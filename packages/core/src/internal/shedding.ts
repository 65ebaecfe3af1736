/**
 * Who comes in when not all can: a limit with a part kept for those above, a short
 * queue governed by CoDel, and a level set by the event loop's delay.
 *
 * Everything is a synchronous decision over a handful of counters. A class is its
 * rank: 0 is the most important. Each rule is monotonic in the rank (what admits a
 * rank admits all above it), so nobody is shed in a state that would let somebody
 * less important in.
 */
import { type Attempt, Ticket } from "../Gate.ts"
import * as Refused from "../Refused.ts"
import { type Concurrency, type ConcurrencyValues } from "./concurrency.ts"
import { type DelayLevel, type DelayValues, levelMax } from "./delayLevel.ts"

/** The knobs, as they are now. */
export interface SheddingValues extends DelayValues, ConcurrencyValues {
  readonly mode: string
  readonly defaultShare: number
  readonly sheddableShare: number
  readonly queueMax: number
  readonly queueTargetMillis: number
  readonly queueIntervalMillis: number
  readonly retryAfterMillis: number
}

/** Why a request was shed. */
export type ShedCause = "concurrency" | "queue-time" | "displaced" | "event-loop"

/** The priorities by their rank. */
export const ranks = ["critical", "default", "sheddable"] as const

/** The token of a request that took no place, and of one that did. */
const untaken = 0
const taken = 1

/** A request that waits. */
class Waiting extends Ticket {
  readonly attempt: Attempt
  readonly rank: number
  constructor(attempt: Attempt, rank: number, waitMillis: number) {
    super(waitMillis)
    this.attempt = attempt
    this.rank = rank
  }
}

/** The counters and the three queues. */
export class Shedding {
  running = 0
  waiting = 0
  shed = 0
  /** When somebody came or went last. */
  private latest = 0
  /** Since when the queue has not been empty; where it is, of no meaning. */
  private busySince = 0
  private readonly queues = ranks.map(() => new Set<Waiting>())
  private readonly values: SheddingValues
  private readonly delay: DelayLevel
  private readonly concurrency: Concurrency
  private readonly tell: (attempt: Attempt, refused: Refused.Refused, dark: boolean) => void

  constructor(
    values: SheddingValues,
    delay: DelayLevel,
    concurrency: Concurrency,
    tell: (attempt: Attempt, refused: Refused.Refused, dark: boolean) => void
  ) {
    this.values = values
    this.delay = delay
    this.concurrency = concurrency
    this.tell = tell
  }

  get limit(): number {
    return this.values.algorithm === "fixed" ? this.values.limitMax : this.concurrency.permits
  }

  /** How many may run when one of this rank is let in; the first of a rank always finds one. */
  private places(rank: number): number {
    const share = rank === 0 ? 1 : rank === 1 ? this.values.defaultShare : this.values.sheddableShare
    return Math.max(1, Math.floor(this.limit * share))
  }

  private barred(rank: number): boolean {
    return this.delay.level > levelMax - 1 - rank
  }

  /** Whether it would be refused now, neither let in nor let wait. */
  refuses(attempt: Attempt): boolean {
    if (this.values.mode !== "on") return false
    const rank = rankOf(attempt.key())
    this.look(attempt.now)
    if (this.barred(rank)) return true
    if (this.running < this.places(rank) || this.waiting < this.values.queueMax) return false
    return !this.queues.some((queue, lower) => lower > rank && queue.size > 0)
  }

  /** The time goes on: the event loop's delay is judged, and who may not come any more need not wait. */
  private look(now: number): void {
    this.latest = now
    const before = this.delay.level
    if (this.delay.at(now) > before) this.turnAway(now)
  }

  /** Looks and takes in one synchronous block. */
  enter(attempt: Attempt): number | Refused.Refused | Ticket {
    const { values } = this
    if (values.mode === "off") return untaken
    const rank = rankOf(attempt.key())
    this.look(attempt.now)
    if (this.barred(rank)) return this.orDark(attempt, rank, "event-loop")
    if (this.running < this.places(rank)) return this.take()
    if (values.mode === "dark") {
      return this.running < this.places(rank) + values.queueMax
        ? this.take()
        : this.orDark(attempt, rank, "concurrency")
    }
    if (this.waiting >= values.queueMax && !this.displace(attempt.now, rank)) {
      return this.refuse(attempt, rank, "concurrency")
    }
    return this.wait(attempt, rank)
  }

  leave(token: number, now: number): void {
    if (token === untaken) return
    this.running = Math.max(0, this.running - 1)
    this.latest = now
    this.serve()
  }

  /** The ticket's wait is over, or its client went away. */
  abandon(attempt: Attempt, ticket: Ticket, now: number): Refused.Refused {
    if (!(ticket instanceof Waiting)) return this.record(attempt, 0, "queue-time", now)
    // A timer may ring within the millisecond before.
    const late = now - ticket.attempt.now >= ticket.waitMillis - 1
    const refused = this.record(attempt, ticket.rank, "queue-time", now)
    if (this.remove(ticket) && late) this.told(attempt, refused, false)
    return refused
  }

  /** Gives free places to those who wait, the most important first: a place passes on directly. */
  serve(): void {
    for (const [rank, queue] of this.queues.entries()) {
      while (queue.size > 0 && (this.values.mode !== "on" || this.running < this.places(rank))) {
        const ticket = this.next(queue)
        if (ticket === undefined) break
        this.remove(ticket)
        ticket.grant(this.take())
      }
    }
  }

  private take(): number {
    this.running++
    return taken
  }

  /** While the queue stands its head has little time left: who came last still has. */
  private next(queue: Set<Waiting>): Waiting | undefined {
    if (this.latest - this.busySince <= this.values.queueIntervalMillis) {
      const [first] = queue
      return first
    }
    return [...queue].at(-1)
  }

  /**
   * CoDel: while the queue has been empty within the interval, a wait may last until the
   * interval is over; once it stands, only as long as the target. Nobody waits longer than its caller.
   */
  private wait(attempt: Attempt, rank: number): Ticket {
    const { queueIntervalMillis, queueTargetMillis } = this.values
    if (this.waiting === 0) this.busySince = attempt.now
    const standsIn = this.busySince + queueIntervalMillis - attempt.now
    const left = Math.max(0, attempt.deadlineAt - attempt.now)
    const ticket = new Waiting(attempt, rank, Math.min(left, Math.max(queueTargetMillis, standsIn)))
    this.queues[rank]?.add(ticket)
    this.waiting++
    return ticket
  }

  /** Makes room for one of this rank: the oldest of the least important, if that is less important. */
  private displace(now: number, rank: number): boolean {
    for (let lower = this.queues.length - 1; lower > rank; lower--) {
      const [oldest] = this.queues[lower] ?? []
      if (oldest === undefined) continue
      this.dismiss(oldest, "displaced", now)
      return true
    }
    return false
  }

  /** The level has risen. */
  private turnAway(now: number): void {
    for (const [rank, queue] of this.queues.entries()) {
      if (this.barred(rank)) for (const ticket of [...queue]) this.dismiss(ticket, "event-loop", now)
    }
  }

  private dismiss(ticket: Waiting, cause: ShedCause, now: number): void {
    this.remove(ticket)
    const refused = this.record(ticket.attempt, ticket.rank, cause, now)
    this.told(ticket.attempt, refused, false)
    ticket.refuse(refused)
  }

  private remove(ticket: Waiting): boolean {
    const removed = this.queues[ticket.rank]?.delete(ticket) ?? false
    if (removed) this.waiting--
    return removed
  }

  private orDark(attempt: Attempt, rank: number, cause: ShedCause): number | Refused.Refused {
    if (this.values.mode !== "dark") return this.refuse(attempt, rank, cause)
    this.told(attempt, this.record(attempt, rank, cause, attempt.now), true)
    return this.take()
  }

  private refuse(attempt: Attempt, rank: number, cause: ShedCause): Refused.Refused {
    const refused = this.record(attempt, rank, cause, attempt.now)
    this.told(attempt, refused, false)
    return refused
  }

  private told(attempt: Attempt, refused: Refused.Refused, dark: boolean): void {
    this.shed++
    this.tell(attempt, refused, dark)
  }

  private record(attempt: Attempt, rank: number, cause: ShedCause, now: number): Refused.Refused {
    return new Refused.Refused({
      policy: "loadShedding",
      reason: "LOAD_SHED",
      retryAfterMillis: this.values.retryAfterMillis,
      ...(attempt.deadlineAt === Number.POSITIVE_INFINITY
        ? {}
        : { deadlineLeftMillis: Math.max(0, attempt.deadlineAt - now) }),
      state: {
        priority: ranks[rank] ?? "default",
        cause,
        running: this.running,
        waiting: this.waiting,
        limit: this.limit,
        places: this.places(rank),
        level: this.delay.level,
        delayMillis: Math.round(this.delay.delayMillis)
      }
    })
  }
}

/** An unknown word is a request like most. */
const rankOf = (priority: string): number => (priority === "critical" ? 0 : priority === "sheddable" ? 2 : 1)
