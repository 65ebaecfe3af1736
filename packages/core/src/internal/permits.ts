/**
 * Permits with a bounded queue before them: what bulkheads and concurrency limits
 * share. The number of permits is read at each decision, so it may change while
 * calls run.
 */
import { type Attempt, Ticket } from "../Gate.ts"
import type { Refused } from "../Refused.ts"
import { refusal, told } from "./refuse.ts"

/** The rules, as they are now. */
export interface PermitRules {
  readonly policy: string
  /** The reason of a refusal where the queue is full, and where the wait was too long. */
  readonly full: string
  readonly late: string
  readonly permits: () => number
  readonly queueMax: () => number
  readonly waitMillis: () => number
  readonly order: () => string
  readonly mode: () => string
  /** What a refusal shows besides; by default who runs, who waits and how many may. */
  readonly state?: (permits: Permits) => Readonly<Record<string, number | string | boolean>>
}

/** The token of a call that took no permit. */
const untaken = 0

/** Permits and their queue. */
export class Permits {
  running = 0
  /** A Set keeps the order of arrival and lets an interrupted waiter leave in one step. */
  private readonly queue = new Set<Ticket>()
  /** The same tickets with the latest last; those that left are still in it for a while. */
  private latest: Array<Ticket> = []
  private readonly rules: PermitRules
  private readonly token: number

  /** `token`, above 0 and of no others, is what a call gets that took a permit of these. */
  constructor(rules: PermitRules, token: number) {
    this.rules = rules
    this.token = token
  }

  get waiting(): number {
    return this.queue.size
  }

  /** Looks and takes in one synchronous block. */
  enter(attempt: Attempt): number | Refused | Ticket {
    const { rules } = this
    const mode = rules.mode()
    if (mode === "off") return untaken
    if (this.running < rules.permits()) {
      this.running++
      return this.token
    }
    if (mode === "dark") {
      // It counts whom it would refuse, and those who pass count as running.
      if (this.running >= rules.permits() + rules.queueMax()) {
        told(attempt.row, attempt.now, this.refusal(attempt, rules.full), true)
      }
      this.running++
      return this.token
    }
    if (this.queue.size >= rules.queueMax()) return this.refusal(attempt, rules.full)
    const ticket = new Ticket(rules.waitMillis())
    this.queue.add(ticket)
    this.latest.push(ticket)
    if (this.latest.length > 2 * this.queue.size + 16) this.latest = [...this.queue]
    return ticket
  }

  leave(token: number): void {
    // A permit of a key that was forgotten meanwhile is not one of these.
    if (token !== this.token) return
    this.running--
    this.serve()
  }

  abandon(attempt: Attempt, ticket: Ticket): Refused {
    this.queue.delete(ticket)
    return this.refusal(attempt, this.rules.late)
  }

  /** Gives free permits to those who wait: the permit passes on directly, so nobody overtakes the queue. */
  serve(): void {
    while (this.queue.size > 0 && (this.running < this.rules.permits() || this.rules.mode() !== "on")) {
      const ticket = this.next()
      if (ticket === undefined) return
      this.queue.delete(ticket)
      this.running++
      ticket.grant(this.token)
    }
  }

  private next(): Ticket | undefined {
    const order = this.rules.order()
    // While the queue is long its head has little time left: the latest is served while it still has.
    const lifo = order === "lifo" || (order === "adaptive" && this.queue.size * 2 > this.rules.queueMax())
    if (!lifo) {
      const [first] = this.queue
      return first
    }
    let last = this.latest.pop()
    while (last !== undefined && !this.queue.has(last)) last = this.latest.pop()
    return last
  }

  private refusal(attempt: Attempt, reason: string): Refused {
    return refusal(attempt, {
      policy: this.rules.policy,
      reason,
      state: this.rules.state?.(this) ?? {
        running: this.running,
        waiting: this.queue.size,
        permits: this.rules.permits()
      }
    })
  }
}
