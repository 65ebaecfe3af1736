/**
 * One plain breaker with switches. Set in one way it is ours, set in another it is a peer's: so whatever differs
 * between us and a peer is a switch, and has a name.
 */

/** What may be otherwise. Each is a line of the documentation. */
export interface Switches {
  /** Opens above its threshold instead of at it. */
  readonly above: boolean
  /** A good answer may open it, where it makes the minimum of calls full. */
  readonly goodTrips: boolean
  /** The downstream's final word counts as a failure. */
  readonly finalFails: boolean
  /** A caller who goes away counts as a failure. */
  readonly abortFails: boolean
  /** Results from before the last change of state count: not at all, those of calls that began closed, or all. */
  readonly late: "ignored" | "began-closed" | "all"
  /** Others wait for a probe instead of being refused. */
  readonly waits: boolean
  /** A probe goes on when its caller goes away. */
  readonly outlives: boolean
  /** Open time begins when a probe was cut by its time limit, instead of when it began. */
  readonly opensAnew: boolean
  /** The probe that closed it is the first call of the new window. */
  readonly probeCounts: boolean
  /** The rate is taken over the calls that began, refused ones too, instead of those that ended. */
  readonly startCounts: boolean
  /** What was counted before a trip still counts after recovery. */
  readonly keeps: boolean
  /** The buckets of the window turn with the age of the breaker instead of the clock. */
  readonly ownBuckets: boolean
}

export const ours: Switches = {
  above: false,
  goodTrips: false,
  finalFails: false,
  abortFails: false,
  late: "ignored",
  waits: false,
  outlives: true,
  opensAnew: false,
  probeCounts: false,
  startCounts: false,
  keeps: false,
  ownBuckets: false
}

/** The same numbers for all. A window of 0 calls is one by time: ten buckets of a second. */
export const numbers = { rate: 0.5, minimum: 3, openMillis: 1000, bucketMillis: 1000, limitMillis: 3000 } as const

export type Outcome = "ok" | "fail" | "permanent"
export type Status = "passes" | "refused" | "waits"

interface Flight {
  readonly era: number
  readonly probe: boolean
  /** When its time limit cuts it. */
  readonly until: number
  gone: boolean
}

export class Machine {
  private readonly of: Switches
  private readonly windowCalls: number
  private readonly createdAt: number
  /** How many calls were cut. */
  cut = 0
  private state: "closed" | "open" | "half-open" = "closed"
  private era = 0
  private openedAt = 0
  private probing: number | undefined
  private readonly flights = new Map<number, Flight>()
  private readonly statuses = new Map<number, Status>()
  private counted: Array<{ readonly at: number; readonly is: "began" | "good" | "bad" }> = []

  constructor(of: Switches, windowCalls: number, createdAt: number) {
    this.of = of
    this.windowCalls = windowCalls
    this.createdAt = createdAt
  }

  /** Where each call stands. */
  seen(): ReadonlyMap<number, Status> {
    return this.statuses
  }

  private turn(state: "closed" | "open" | "half-open", now: number): void {
    this.state = state
    this.era++
    this.probing = undefined
    if (state === "open") this.openedAt = now
    if (state === "closed" && !this.of.keeps) this.counted = []
    // Who waited asks again, in order; not when it has only begun to probe.
    const waiting = [...this.statuses].filter(([, status]) => status === "waits").map(([id]) => id)
    if (state !== "half-open") for (const id of waiting) this.ask(id, now)
  }

  /** When the next call is cut by its time limit. */
  nextCut(): number {
    return Math.min(...[...this.flights.values()].map(({ until }) => until))
  }

  /** Time passes: calls that take too long are cut, in order, and fail. */
  pass(now: number): void {
    for (let at = this.nextCut(); at <= now; at = this.nextCut()) {
      for (const [id, { until }] of [...this.flights]) {
        if (until !== at) continue
        this.cut++
        this.end(id, "fail", at, numbers.limitMillis)
      }
    }
  }

  begin(id: number, now: number): void {
    this.counted.push({ at: now, is: "began" })
    this.ask(id, now)
  }

  private ask(id: number, now: number): void {
    if (this.state === "open" && now - this.openedAt >= numbers.openMillis) this.turn("half-open", now)
    if (this.state === "open") this.statuses.set(id, "refused")
    else if (this.state === "half-open" && this.probing !== undefined) {
      this.statuses.set(id, this.of.waits ? "waits" : "refused")
    } else {
      const probe = this.state === "half-open"
      if (probe) this.probing = id
      this.statuses.set(id, "passes")
      this.flights.set(id, { era: this.era, probe, until: now + numbers.limitMillis, gone: false })
    }
  }

  abort(id: number, now: number): void {
    const flight = this.flights.get(id)
    if (flight === undefined || flight.gone) return
    flight.gone = true
    if (this.of.outlives && flight.probe && flight.era === this.era) return
    this.flights.delete(id)
    if (this.of.abortFails) this.heard(id, flight, true, now)
    else if (this.probing === id) this.probing = undefined
  }

  end(id: number, outcome: Outcome, now: number, cutAfter = 0): void {
    const flight = this.flights.get(id)
    if (flight === undefined) return
    this.flights.delete(id)
    this.heard(id, flight, outcome === "fail" || (outcome === "permanent" && this.of.finalFails), now, cutAfter)
  }

  private heard(id: number, flight: Flight, bad: boolean, now: number, cutAfter = 0): void {
    const { late } = this.of
    // Whoever opens up by a timer is half-open also while nobody asks.
    if (late === "all" && this.state === "open" && now - this.openedAt > numbers.openMillis) this.turn("half-open", now)
    const isLate = flight.era !== this.era
    if (isLate && (late === "ignored" || (late === "began-closed" && flight.probe))) return
    this.counted.push({ at: now, is: bad ? "bad" : "good" })
    if (this.state === "half-open" && (this.probing === id || late === "all")) {
      this.turn(bad ? "open" : "closed", now)
      if (bad && !this.of.opensAnew) this.openedAt -= Math.min(cutAfter, 0.9 * numbers.openMillis)
      if (!bad && this.of.probeCounts) this.counted.push({ at: now, is: "good" })
    } else if ((bad || this.of.goodTrips) && this.state !== "open" && this.trips(now)) this.turn("open", now)
  }

  private trips(now: number): boolean {
    const { above, ownBuckets, startCounts } = this.of
    const { bucketMillis, minimum, rate } = numbers
    const bucket = (at: number) => Math.floor((at - (ownBuckets ? this.createdAt : 0)) / bucketMillis)
    const recent = this.counted.filter(({ at }) => this.windowCalls > 0 || bucket(now) - bucket(at) < 10)
    const ended = recent.filter(({ is }) => is !== "began")
    const window = this.windowCalls > 0 ? ended.slice(-this.windowCalls) : ended
    const bad = window.filter(({ is }) => is === "bad").length
    const all = startCounts ? recent.filter(({ is }) => is === "began").length : window.length
    if (all < minimum || bad === 0) return false
    return above ? bad / all > rate : bad / all >= rate
  }
}
