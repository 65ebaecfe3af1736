/**
 * A gate: a policy that decides before a call whether it may go, and is told
 * afterwards how it went.
 *
 * **Details**
 *
 * Breakers, bulkheads, concurrency limits and load shedders are gates. `enter` is
 * one synchronous block that looks and takes: it returns a token (a number that
 * `leave` gets back), a `Refused`, or a {@link Ticket} for a call that waits. Gates
 * that stand next to each other in a stack share one frame, which leaves every gate
 * that was entered, in reverse, exactly once, however the call ended. A gate need
 * not know about fibers, and cannot lose a permit.
 *
 * **Gotchas**
 *
 * Neither `enter` nor `leave` may throw or wait. Times are milliseconds since the
 * epoch on Effect's `Clock`.
 *
 * **Example** (every other call)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Gate, Policy, Refused } from "@failsoft/core"
 *
 * const everyOther = Policy.fromInstance({
 *   kind: "everyOther",
 *   marks: ["unbounded"],
 *   make: () => Effect.sync(() => {
 *     let calls = 0
 *     const gate: Gate.Gate = {
 *       enter: () => ++calls % 2 === 1 ? 0 : Refused.make({ policy: "everyOther", reason: "NOT_THIS_ONE" }),
 *       leave: () => {}
 *     }
 *     return { form: { _tag: "Gate", gate }, state: () => ({ calls }) }
 *   })
 * })
 * console.log(everyOther.parts[0]?.kind)
 * ```
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import type { Row } from "./Policy.ts"
import type { Refused } from "./Refused.ts"

/**
 * How a call ended, as far as a gate may judge the downstream by it:
 * `answered` and `permanent` are the downstream's own words, `failed` a transient
 * error, `overloaded` one that says "too much", `timedOut` an attempt over its
 * limit, `violated` a response against the contract. `refused` (by a policy
 * within), `aborted` (the caller went away, or its deadline passed) and `died` (a
 * defect) say nothing about the downstream.
 *
 * @category models
 * @since 0.1.0
 */
export type Verdict =
  | "answered"
  | "permanent"
  | "failed"
  | "overloaded"
  | "timedOut"
  | "violated"
  | "refused"
  | "aborted"
  | "died"

/**
 * One attempt as it stands before a gate: its row, the time, and the key (a
 * tenant, a host) for gates that keep a state per key.
 *
 * @category models
 * @since 0.1.0
 */
export interface Attempt {
  readonly row: Row
  /** Milliseconds since the epoch. */
  readonly now: number
  /** The deadline of the call in milliseconds since the epoch, `Infinity` without one. */
  readonly deadlineAt: number
  /** The key of the call, `""` without one. */
  readonly key: () => string
  /** A number from 0 to 1 of Effect's `Random`. */
  readonly random: () => number
  /**
   * Asks that the attempt go on when its caller goes away, for at most so many
   * milliseconds: its outcome is worth knowing.
   */
  readonly outlive: (millis: number) => void
}

/**
 * The place of a waiting call. Whoever settles it sets `token` or `refusal` and
 * calls `notify`; it is settled at most once.
 *
 * @category models
 * @since 0.1.0
 */
export class Ticket {
  /** The longest wait in milliseconds. */
  readonly waitMillis: number
  /** The token of a call that may go. */
  token = -1
  /** Why it may not. */
  refusal: Refused | undefined = undefined
  /** Whether to enter the same gate again. */
  again = false
  /** Wakes the waiting call; set by who waits. */
  notify: (() => void) | undefined = undefined
  /** Lets it wait for so many milliseconds from now instead; set by who waits, where it can. */
  rearm: ((millis: number) => void) | undefined = undefined

  constructor(waitMillis: number) {
    this.waitMillis = waitMillis
  }

  /** Whether it is decided. */
  get settled(): boolean {
    return this.again || this.token >= 0 || this.refusal !== undefined
  }

  /** Lets the waiting call go. */
  grant(token: number): void {
    this.token = token
    this.notify?.()
  }

  /** Sends the waiting call to the gate once more. */
  retry(): void {
    this.again = true
    this.notify?.()
  }

  /** Refuses the waiting call. */
  refuse(refusal: Refused): void {
    this.refusal = refusal
    this.notify?.()
  }
}

/**
 * A gate.
 *
 * @category models
 * @since 0.1.0
 */
export interface Gate {
  /** Looks and takes: a token of at least 0, a refusal, or a ticket to wait with. */
  readonly enter: (attempt: Attempt) => number | Refused | Ticket
  /**
   * Whether `enter` would refuse now: for those who would spare what an attempt costs
   * before it comes so far. It takes nothing.
   */
  readonly refuses?: (attempt: Attempt) => boolean
  /**
   * Gives back what the token stands for. `startedAt` is when the attempt passed the
   * last gate beside this one, `now` when it ended: between them it was the
   * downstream's. Where it never got so far, `startedAt` is -1.
   */
  readonly leave: (attempt: Attempt, token: number, verdict: Verdict, now: number, startedAt: number) => void
  /**
   * Whether its token stands for what runs (a permit) rather than for a judgement. A
   * promise that was given up and still runs keeps such a token until it has settled.
   */
  readonly holds?: boolean
  /**
   * The wait of a ticket is over, by the clock. It may be settled here, or rearmed to
   * wait on; a ticket that is neither is abandoned.
   */
  readonly due?: (ticket: Ticket, now: number) => void
  /** Adds to the context of what runs within: what it is to know or to tell. */
  readonly within?: (attempt: Attempt, context: Context.Context<never>) => Context.Context<never>
  /** Takes a ticket back that nobody waits with any more; the refusal of one that waited too long. */
  readonly abandon?: (attempt: Attempt, ticket: Ticket, now: number) => Refused
}
