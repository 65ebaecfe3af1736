/**
 * One circuit: a state machine that is told what comes and how it ended, and knows
 * nothing of fibers. A breaker has one, or one per key.
 *
 * - *closed*: everything passes; outcomes are counted, and a rate that is reached trips it.
 * - *open*: nothing passes until its time is over.
 * - *half-open*: a few probes pass; the same rates, taken over the probes, decide. Where
 *   timeouts opened it, or kept it open, a single one passes: such a call may keep a slow
 *   downstream at work long after its caller gave up, a failure at once does not.
 * - *ramp*: a few calls at once, twice as many after each round of good answers, until
 *   a round passes in which nobody had to be refused. Success drives it, not a clock,
 *   so a healthy downstream is back after a few round trips and a cold one is spared.
 *   Only calls that began in a round count as its answers: what is still in flight when
 *   the ramp falls back must not lift it again.
 */
import { type Attempt, Ticket, type Verdict } from "../Gate.ts"
import type { Refused } from "../Refused.ts"
import type { CircuitReason, CircuitState } from "../Signal.ts"
import { ByCount, ByTime, type Outcomes, type Sums } from "./outcomes.ts"
import { refusal, told } from "./refuse.ts"

/** The knobs of a circuit, as they are now. */
export interface CircuitValues {
  readonly mode: string
  readonly failureRate: number
  readonly slowRate: number
  readonly slowMillis: number
  readonly minimumCalls: number
  readonly consecutiveFailures: number
  readonly consecutiveTimeouts: number
  readonly windowMillis: number
  readonly windowCalls: number
  readonly openMillis: number
  readonly openMaxMillis: number
  readonly jitter: number
  readonly stableMillis: number
  readonly probes: number
  readonly probeWaitMillis: number
  readonly probeMaxMillis: number
  readonly ramp: boolean
}

/** How many calls may wait for the outcome of a probe. */
const waitersMax = 1000

/** The token of a call whose outcome says nothing: generations begin at 1. */
const uncounted = 0

/** A token is its generation times this, and the round of the ramp that it began in. */
const roundsPerGeneration = 1024

/** The generations of one breaker: circuits that come and go never share one. */
export interface Generations {
  last: number
}

/** Where a change of state is told. */
export type Where = Pick<Attempt, "row" | "now" | "random">

/** The attempt's place at a later time. */
const at = (attempt: Where, now: number): Where => ({ row: attempt.row, now, random: () => attempt.random() })

const makeWindow = (values: CircuitValues): Outcomes =>
  values.windowCalls > 0 ? new ByCount(values.windowCalls) : new ByTime(values.windowMillis)

/** By how much a difference of two times may be more than what was added: they are numbers with a fraction. */
const roundingMillis = 1

/** However long a probe has hung, so much of the open time is left, or many instances would probe without a pause. */
const leastOpen = 0.1

/** How long a call had waited when it ran out of time, in milliseconds; nothing for any other outcome. */
type Waited = number | undefined

/** One circuit. */
export class Circuit {
  state: CircuitState = "closed"
  probing = 0
  private readonly policy: string
  private readonly key: string | undefined
  private readonly values: CircuitValues
  private window: Outcomes
  /** Each change of state begins a new generation: results of older ones are late. */
  private generation: number
  private readonly generations: Generations
  private consecutive = 0
  /** How many of those ran out of time. */
  private timeouts = 0
  /** When anything but a timeout was last heard while it was closed. */
  private heardAt = Number.NEGATIVE_INFINITY
  /** Whether it was opened, or kept open, by timeouts: it probes with a single call. */
  private single = false
  private openUntil = 0
  private openFor = 0
  /** How many times it tripped without a stable period in between. */
  private trips = 0
  private closedAt = 0
  /** When the last probe, or call of the ramp, was let through. */
  private letThroughAt = 0
  private good = 0
  private bad = 0
  /** How many of the bad ran out of time, and how long the last of them had waited. */
  private hung = 0
  private hungMillis = 0
  private slow = 0
  private allowed = 0
  private running = 0
  private rampSince = 0
  private round = 0
  private roundGood = 0
  private roundRefused = false
  /** What was counted when it tripped: the reason of every refusal until it closes. */
  private trippedBy: Sums = { calls: 0, failures: 0, slow: 0 }
  private readonly waiting = new Set<Ticket>()

  constructor(policy: string, key: string | undefined, values: CircuitValues, generations: Generations) {
    this.policy = policy
    this.key = key
    this.values = values
    this.window = makeWindow(values)
    this.generations = generations
    this.generation = ++generations.last
  }

  /** Follows a window of another length or kind; what was counted stays, as far as it reaches. */
  resize(): void {
    const { windowCalls, windowMillis } = this.values
    const next = makeWindow(this.values)
    this.window.copyTo(next, windowCalls > 0 ? windowCalls : windowMillis)
    this.window = next
  }

  private get token(): number {
    return this.generation * roundsPerGeneration + this.round
  }

  /** Whether the call may pass: looks and takes in one synchronous block. */
  enter(attempt: Attempt): number | Refused | Ticket {
    const { mode } = this.values
    if (mode === "off") {
      // What it does not see may end any row.
      this.consecutive = this.timeouts = 0
      return uncounted
    }
    if (mode === "forced-open") return this.refusal(attempt, undefined)
    if (mode === "forced-closed") return this.state === "closed" ? this.token : uncounted
    const admitted = this.admit(attempt)
    if (mode !== "dark" || typeof admitted === "number") return admitted
    // In the dark it says what it would do, and lets pass without counting.
    if (admitted instanceof Ticket) this.waiting.delete(admitted)
    else told(attempt.row, attempt.now, admitted, true)
    return uncounted
  }

  private admit(attempt: Attempt): number | Refused | Ticket {
    const { now } = attempt
    // A clock that was set back must not keep it open for longer than it opened for (a sum of times is rounded).
    if (this.state === "open" && (now >= this.openUntil || this.openUntil - now > this.openFor + roundingMillis)) {
      this.change(attempt, "half-open", "open-time-over")
    }
    switch (this.state) {
      case "closed":
        return this.token
      case "open":
        return this.refusal(attempt, Math.max(1, this.openUntil - now))
      case "half-open":
        return this.probe(attempt)
      case "ramp":
        return this.climb(attempt)
    }
  }

  private climb(attempt: Attempt): number | Refused | Ticket {
    if (this.running >= this.allowed) {
      if (this.lost(attempt.now)) {
        this.change(attempt, "half-open", "probes-lost")
        return this.probe(attempt)
      }
      this.roundRefused = true
      return this.refusal(attempt, undefined)
    }
    this.running++
    this.letThroughAt = attempt.now
    return this.token
  }

  /** Calls whose end nobody saw for so long must not hold its places for ever. */
  private lost(now: number): boolean {
    return now - this.letThroughAt >= this.values.probeMaxMillis || now < this.letThroughAt
  }

  /** How many probes a round has. */
  private probes(): number {
    return this.single ? 1 : this.values.probes
  }

  private probe(attempt: Attempt): number | Refused | Ticket {
    const { mode, probeMaxMillis, probeWaitMillis } = this.values
    const { now } = attempt
    const probes = this.probes()
    const taken = this.probing + this.good + this.bad
    if (taken >= probes) {
      if (this.probing === 0) {
        // The knob was turned to fewer than have come back: those decide.
        this.judgeProbes(at(attempt, now))
        return this.admit(attempt)
      }
      if (this.lost(now)) this.change(attempt, "half-open", "probes-lost")
      else if (probeWaitMillis > 0 && this.waiting.size < waitersMax) {
        const ticket = new Ticket(probeWaitMillis)
        this.waiting.add(ticket)
        return ticket
      } else return this.refusal(attempt, undefined)
    }
    this.probing++
    this.letThroughAt = now
    // Under sparse traffic a probe may be all that there is: its outcome counts, whether its caller waits or not.
    // In the dark no call may behave otherwise than without a breaker.
    if (mode !== "dark") attempt.outlive(probeMaxMillis)
    return this.token
  }

  /** A waiting call that waits no more. */
  abandon(attempt: Attempt, ticket: Ticket): Refused {
    this.waiting.delete(ticket)
    return this.refusal(attempt, undefined)
  }

  /** How a call that passed has ended. */
  leave(attempt: Where, token: number, verdict: Verdict, now: number, startedAt: number): void {
    // A result from before the last change of state is late and changes nothing.
    const round = token - this.generation * roundsPerGeneration
    if (round < 0 || round >= roundsPerGeneration) return
    const { mode, slowMillis } = this.values
    if (mode === "off") this.consecutive = this.timeouts = 0
    const heard = verdict !== "refused" && verdict !== "aborted" && verdict !== "died"
    const spoke = heard && startedAt >= 0 && mode !== "off"
    const failed = spoke && verdict !== "answered" && verdict !== "permanent"
    const slow = spoke && slowMillis > 0 && now - startedAt >= slowMillis
    const waited = verdict === "timedOut" ? Math.max(0, now - startedAt) : undefined
    switch (this.state) {
      case "half-open":
        this.probing--
        if (spoke) this.probed(at(attempt, now), failed, slow, waited)
        else this.wake()
        return
      case "ramp":
        this.running--
        if (spoke) this.ramped(at(attempt, now), failed, slow, waited, round === this.round)
        return
      case "closed":
        if (spoke) this.counted(attempt, now, failed, slow, waited)
        return
      case "open":
        return
    }
  }

  /** A good answer never trips it, so the window is summed only where something was wrong. */
  private counted(attempt: Where, now: number, failed: boolean, slow: boolean, waited: Waited): void {
    this.window.record(now, failed, slow)
    this.consecutive = failed ? this.consecutive + 1 : 0
    if (!failed) this.timeouts = 0
    else if (waited !== undefined) this.timeouts++
    if (waited === undefined) this.heardAt = now
    if ((!failed && !slow) || this.values.mode === "forced-closed") return
    const reason = this.tripped(now, waited)
    if (reason !== undefined) this.change(at(attempt, now), "open", reason, waited)
  }

  private tripped(now: number, waited: Waited): CircuitReason | undefined {
    const { failureRate, slowRate, minimumCalls, consecutiveFailures, consecutiveTimeouts } = this.values
    // First, since a single probe follows it.
    if (consecutiveTimeouts > 0 && this.timeouts >= consecutiveTimeouts && this.silent(now, waited)) {
      return "consecutive-timeouts"
    }
    if (consecutiveFailures > 0 && this.consecutive >= consecutiveFailures) return "consecutive-failures"
    const { calls, failures, slow } = this.window.sums(now)
    if (calls < minimumCalls) return undefined
    if (failures / calls >= failureRate) return "failure-rate"
    return slowRate > 0 && slow / calls >= slowRate ? "slow-rate" : undefined
  }

  /**
   * Whether nothing else was heard for half of the time that the last timeout waited. A burst that
   * came at once times out at once as well, while a downstream that is well goes on answering others.
   */
  private silent(now: number, waited: Waited): boolean {
    if (waited === undefined) return false
    // What was heard in the future was heard before the clock was set back.
    return now < this.heardAt || now - this.heardAt >= waited / 2
  }

  private probed(where: Where, failed: boolean, slow: boolean, waited: Waited): void {
    if (failed) this.bad++
    else this.good++
    if (failed && waited !== undefined) {
      this.hung++
      this.hungMillis = waited
    }
    if (slow) this.slow++
    this.judgeProbes(where)
  }

  private judgeProbes(where: Where): void {
    const { failureRate, slowRate, ramp } = this.values
    const probes = this.probes()
    const left = Math.max(0, probes - this.good - this.bad)
    const mayReach = (count: number, rate: number) => rate > 0 && (count + left) / probes >= rate
    const reached = (count: number, rate: number) => rate > 0 && count / probes >= rate
    if (reached(this.bad, failureRate) || reached(this.slow, slowRate)) {
      this.change(where, "open", "probes-failed")
    } else if (!mayReach(this.bad, failureRate) && !mayReach(this.slow, slowRate)) {
      this.change(where, ramp ? "ramp" : "closed", "probes-answered")
    } else this.wake()
  }

  private ramped(where: Where, failed: boolean, slow: boolean, waited: Waited, ofThisRound: boolean): void {
    this.window.record(where.now, failed, slow)
    const bad = failed || (slow && this.values.slowRate > 0)
    const reason = bad ? this.relapsed(where.now, waited, ofThisRound) : this.climbed(ofThisRound)
    // What fails a little for so long is no relapse: the rates of the closed state judge it.
    const held = where.now - this.rampSince >= this.values.stableMillis
    if (reason === "ramp-complete" || (reason === undefined && held)) this.change(where, "closed", "ramp-complete")
    else if (reason !== undefined) this.change(where, "open", reason, waited)
  }

  /** Counts a good answer of a round; complete after one in which all who came could pass: it limits nobody any more. */
  private climbed(ofThisRound: boolean): CircuitReason | undefined {
    this.consecutive = 0
    if (!ofThisRound || ++this.roundGood < this.allowed) return undefined
    if (!this.roundRefused) return "ramp-complete"
    this.begin(this.allowed * 2)
    return undefined
  }

  /** Falls back to a few calls; the reason to open where even those fail one after another. */
  private relapsed(now: number, waited: Waited, ofThisRound: boolean): CircuitReason | undefined {
    const { probes } = this.values
    if (ofThisRound && this.allowed > probes) this.begin(probes)
    else if (ofThisRound) {
      this.roundGood = 0
      if (++this.consecutive >= probes) return "relapse"
    }
    return this.tripped(now, waited)
  }

  /** Begins a round of the ramp. */
  private begin(allowed: number): void {
    this.allowed = allowed
    this.round = (this.round + 1) % roundsPerGeneration
    this.roundGood = 0
    this.roundRefused = false
  }

  private change(where: Where, to: CircuitState, reason: CircuitReason, waited?: number): void {
    const { now } = where
    const sums = this.judgedBy(now)
    const from = this.state
    // A lost probe says no more than what opened it.
    if (to !== "half-open") this.single = to === "open" && this.hangs(reason, waited)
    this.state = to
    this.generation = ++this.generations.last
    this.letThroughAt = now
    this.probing = this.good = this.bad = this.hung = this.slow = this.running = this.round = 0
    this.consecutive = this.timeouts = 0
    if (to === "open") {
      this.trippedBy = sums
      // While probes hung nobody else was let through: that time counts.
      this.openedAt(where, from, reason, this.single ? this.hungMillis : 0)
    }
    this.hungMillis = 0
    if (to === "ramp") {
      this.window.clear()
      this.rampSince = now
      this.begin(this.values.probes)
    }
    if (to === "closed") {
      this.window.clear()
      this.closedAt = now
    }
    if (where.row.bus.active) this.tell(where, from, reason, sums)
    this.wake()
  }

  /** Whether it opens by timeouts: a run of them, of probes all that were bad, or the last of a ramp that ends. */
  private hangs(reason: CircuitReason, waited: Waited): boolean {
    if (reason === "probes-failed") return this.bad > 0 && this.hung === this.bad
    return reason === "consecutive-timeouts" || (reason === "relapse" && waited !== undefined)
  }

  private judgedBy(now: number): Sums {
    return this.state === "half-open"
      ? { calls: this.good + this.bad, failures: this.bad, slow: this.slow }
      : this.window.sums(now)
  }

  private openedAt({ now, random }: Where, from: CircuitState, reason: CircuitReason, hungMillis: number): void {
    const { openMillis, openMaxMillis, jitter, stableMillis } = this.values
    if (from === "closed" && now - this.closedAt >= stableMillis) this.trips = 0
    const backedOff = Math.min(Math.max(openMillis, openMaxMillis), openMillis * 2 ** Math.min(this.trips, 30))
    // What an operator did says nothing about the downstream.
    if (reason !== "by-hand") this.trips++
    const spread = jitter > 0 ? backedOff * (1 + jitter * (2 * random() - 1)) : backedOff
    this.openFor = Math.max(leastOpen * spread, spread - hungMillis)
    this.openUntil = now + this.openFor
  }

  private tell({ row, now }: Where, from: CircuitState, reason: CircuitReason, sums: Sums): void {
    row.bus.emit({
      _tag: "CircuitChanged",
      at: now,
      downstream: row.downstream,
      method: row.method,
      policy: this.policy,
      from,
      to: this.state,
      reason,
      ...sums,
      ...(this.state === "open" ? { openMillis: this.openFor } : {}),
      ...(this.key === undefined ? {} : { key: this.key })
    })
  }

  /** Those who waited for a probe ask again, now that it is over, or that the knobs were turned. */
  wake(): void {
    for (const ticket of [...this.waiting]) {
      this.waiting.delete(ticket)
      ticket.retry()
    }
  }

  private refusal(attempt: Attempt, retryAfterMillis: number | undefined): Refused {
    const { calls, failures, slow } = this.trippedBy
    const circuit = this.values.mode === "forced-open" ? "forced-open" : this.state
    return refusal(attempt, {
      policy: this.policy,
      reason: "CIRCUIT_OPEN",
      retryAfterMillis,
      key: this.key,
      state: { circuit, calls, failures, slow, probing: this.probing }
    })
  }

  /** Opens it for its usual time. */
  open(where: Where): void {
    this.change(where, "open", "by-hand")
  }

  /** Closes it; what was counted is forgotten. */
  close(where: Where): void {
    this.change(where, "closed", "by-hand")
  }

  /** As if it had just been built. */
  reset(where: Where): void {
    this.trips = 0
    this.change(where, "closed", "by-hand")
  }

  /** The downstream says that it is well: an open circuit probes at once. */
  healthy(where: Where): void {
    if (this.state === "open") this.change(where, "half-open", "reported-healthy")
  }
}
