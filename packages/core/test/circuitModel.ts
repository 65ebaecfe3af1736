/**
 * A circuit as a plain record of all that happened. Every question is answered by
 * looking through the whole of it: no counters, no ring, no tokens.
 */
import type { Gate } from "@failsoft/core"

export interface Knobs {
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
  readonly probeMaxMillis: number
  readonly ramp: boolean
}

type State = "closed" | "open" | "half-open" | "ramp"

/** A stretch of time in one state. A ramp has rounds. */
interface Era {
  readonly state: State
  readonly since: number
  readonly openFor: number
  readonly byHand: boolean
  readonly forgets: boolean
  /** Timeouts opened it: it probes with one call. */
  readonly single: boolean
  readonly rounds: Array<{ readonly allowed: number; refused: boolean }>
}

/** A call that was let through and counts. */
interface Flight {
  readonly era: Era
  readonly round: number
  readonly at: number
  left: boolean
  heard:
    | {
        readonly at: number
        readonly failed: boolean
        readonly timedOut: boolean
        readonly waited: number
        readonly slow: boolean
        readonly bad: boolean
        readonly lowest: boolean
      }
    | undefined
}

export class CircuitModel {
  private readonly knobs: () => Knobs
  private readonly eras: Array<Era> = [
    { state: "closed", since: 0, openFor: 0, byHand: false, forgets: false, single: false, rounds: [] }
  ]
  private flights: Array<Flight> = []
  /** The order in which outcomes came, for windows by count. */
  private readonly heard: Array<Flight> = []
  /** What was heard before it was switched off makes no row with what comes after. */
  private unseenFrom = 0

  constructor(knobs: () => Knobs) {
    this.knobs = knobs
  }

  get state(): State {
    return this.era.state
  }

  /** Whether a probe is on its way. */
  get probing(): boolean {
    return this.state === "half-open" && this.inFlight() > 0
  }

  private get era(): Era {
    const last = this.eras.at(-1)
    if (last === undefined) throw new Error("there is always an era")
    return last
  }

  private outcomes() {
    return this.heard.filter(({ era }) => era === this.era).flatMap(({ heard }) => heard ?? [])
  }

  private row() {
    const all = this.heard.slice(this.unseenFrom)
    return all.filter(({ era }) => era === this.era).flatMap(({ heard }) => heard ?? [])
  }

  private inFlight(): number {
    return this.flights.filter(({ era, left }) => era === this.era && !left).length
  }

  /** The outcomes of this era that its window reaches. */
  private window(now: number) {
    const { windowCalls, windowMillis } = this.knobs()
    const all = this.outcomes()
    if (windowCalls > 0) return all.slice(-windowCalls)
    const width = Math.ceil(windowMillis / 10)
    return all.filter(({ at }) => Math.floor(now / width) - Math.floor(at / width) < 10)
  }

  private turn(state: State, now: number, random: number, by: "itself" | "hand" | "reset" = "itself"): void {
    const seen = this.outcomes()
    const last = seen.at(-1)
    const bad = seen.filter(({ failed }) => failed)
    const probesHung =
      by === "itself" && this.state === "half-open" && bad.length > 0 && bad.every(({ timedOut }) => timedOut)
    const otherHung =
      by === "itself" &&
      (last?.timedOut ?? false) &&
      (this.state === "closed" ? this.hangs(now) : this.state === "ramp" && this.relapses())
    const spread = this.openTime(now) * (1 + this.knobs().jitter * (2 * random - 1))
    // The time that probes hung is open time as well; a tenth of that always stays.
    const openFor = Math.max(spread / 10, spread - (probesHung ? Math.max(0, bad.at(-1)?.waited ?? 0) : 0))
    const single = state === "half-open" ? this.era.single : state === "open" && (probesHung || otherHung)
    const rounds = state === "ramp" ? [{ allowed: this.knobs().probes, refused: false }] : []
    this.eras.push({
      state,
      since: now,
      openFor: state === "open" ? openFor : 0,
      byHand: by !== "itself",
      forgets: by === "reset",
      single,
      rounds
    })
  }

  /** Whether a ramp's smallest rounds say that it is dead. */
  private relapses(): boolean {
    return this.run() >= this.knobs().probes
  }

  /** How many probes a round has. */
  private probes(): number {
    return this.era.single ? 1 : this.knobs().probes
  }

  /** Doubled for each trip since the last stable period. */
  private openTime(now: number): number {
    const { openMaxMillis, openMillis, stableMillis } = this.knobs()
    let trips = 0
    for (const [nth, era] of this.eras.entries()) {
      const next = this.eras[nth + 1]
      const opens = next === undefined || next.state === "open"
      if (era.forgets) trips = 0
      if (era.state === "closed" && opens && (next?.since ?? now) - era.since >= stableMillis) trips = 0
      if (next?.state === "open" && !next.byHand) trips++
    }
    let time = openMillis
    for (let trip = 0; trip < trips && time < openMaxMillis; trip++) time *= 2
    return Math.min(time, Math.max(openMillis, openMaxMillis))
  }

  /** What a call gets: a flight that counts, a passage that does not, or a refusal. */
  enter(now: number, random: number): Flight | "uncounted" | "refused" {
    const { mode } = this.knobs()
    if (mode === "off") {
      this.unseenFrom = this.heard.length
      return "uncounted"
    }
    if (mode === "forced-open") return "refused"
    if (mode === "forced-closed" && this.state !== "closed") return "uncounted"
    if (this.state === "open" && now - this.era.since >= this.era.openFor) this.turn("half-open", now, random)
    // Fewer probes are asked for than have come back: those decide.
    const judged = this.inFlight() === 0 && this.outcomes().length >= this.probes()
    if (this.state === "half-open" && judged) this.judgeProbes(now, random)
    const most = this.most()
    const last = this.flights.filter(({ era }) => era === this.era).at(-1)?.at ?? this.era.since
    if (this.taken() >= most && this.state !== "open" && now - last >= this.knobs().probeMaxMillis) {
      this.turn("half-open", now, random)
    } else if (this.taken() >= most) {
      const round = this.era.rounds.at(-1)
      if (round !== undefined) round.refused = true
      return mode === "dark" ? "uncounted" : "refused"
    }
    const flight: Flight = { era: this.era, round: this.era.rounds.length, at: now, left: false, heard: undefined }
    this.flights.push(flight)
    return flight
  }

  private most(): number {
    if (this.state === "closed") return Number.POSITIVE_INFINITY
    if (this.state === "open") return 0
    return this.state === "ramp" ? (this.era.rounds.at(-1)?.allowed ?? 0) : this.probes()
  }

  private taken(): number {
    return this.inFlight() + (this.state === "half-open" ? this.outcomes().length : 0)
  }

  leave(flight: Flight, verdict: Gate.Verdict, now: number, startedAt: number, random: number): void {
    const { mode, slowMillis, slowRate } = this.knobs()
    flight.left = true
    if (flight.era === this.era && mode === "off") this.unseenFrom = this.heard.length
    if (flight.era !== this.era || mode === "off" || startedAt < 0) return
    if (["refused", "aborted", "died"].includes(verdict)) return
    const failed = !["answered", "permanent"].includes(verdict)
    const slow = slowMillis > 0 && now - startedAt >= slowMillis
    const lowest =
      flight.round === this.era.rounds.length && (this.era.rounds.at(-1)?.allowed ?? 0) <= this.knobs().probes
    flight.heard = {
      at: now,
      failed,
      timedOut: verdict === "timedOut",
      waited: now - startedAt,
      slow,
      bad: failed || (slow && slowRate > 0),
      lowest
    }
    this.heard.push(flight)
    if (this.state === "closed" && (failed || slow) && mode !== "forced-closed" && this.trips(now)) {
      this.turn("open", now, random)
    } else if (this.state === "half-open") this.judgeProbes(now, random)
    else if (this.state === "ramp") this.judgeRamp(now, random, flight)
  }

  /** How many were bad in a row; in a ramp only those of its smallest rounds say that it is dead. */
  private run(): number {
    const all = this.row()
    const inRamp = this.state === "ramp"
    const lastGood = all.findLastIndex(({ bad, failed }) => !(inRamp ? bad : failed))
    return all.slice(lastGood + 1).filter(({ lowest }) => !inRamp || lowest).length
  }

  /** How many of those that failed in a row while it was closed ran out of time. */
  private timeouts(): number {
    if (this.state !== "closed") return 0
    const all = this.row()
    return all.slice(all.findLastIndex(({ failed }) => !failed) + 1).filter(({ timedOut }) => timedOut).length
  }

  /** Whether so many ran out of time in a row, and in the second half of the last one's wait nothing else was heard. */
  private hangs(now: number): boolean {
    const { consecutiveTimeouts } = this.knobs()
    const all = this.outcomes()
    const last = all.at(-1)
    if (consecutiveTimeouts === 0 || this.timeouts() < consecutiveTimeouts || !last?.timedOut) return false
    return !all.some(({ at, timedOut }) => !timedOut && now - at < last.waited / 2)
  }

  private trips(now: number): boolean {
    const { consecutiveFailures, failureRate, minimumCalls, slowRate } = this.knobs()
    if (consecutiveFailures > 0 && this.run() >= consecutiveFailures) return true
    if (this.hangs(now)) return true
    const seen = this.window(now)
    if (seen.length < minimumCalls) return false
    const share = (those: ReadonlyArray<unknown>) => those.length / seen.length
    return (
      share(seen.filter(({ failed }) => failed)) >= failureRate ||
      (slowRate > 0 && share(seen.filter(({ slow }) => slow)) >= slowRate)
    )
  }

  private judgeProbes(now: number, random: number): void {
    const { failureRate, ramp, slowRate } = this.knobs()
    const probes = this.probes()
    const seen = this.outcomes()
    const left = Math.max(0, probes - seen.length)
    const failed = seen.filter(({ failed }) => failed).length
    const slow = seen.filter(({ slow }) => slow).length
    const over = (count: number, rate: number) => rate > 0 && count / probes >= rate
    if (over(failed, failureRate) || over(slow, slowRate)) this.turn("open", now, random)
    else if (!over(failed + left, failureRate) && !over(slow + left, slowRate)) {
      this.turn(ramp ? "ramp" : "closed", now, random)
    }
  }

  private judgeRamp(now: number, random: number, flight: Flight): void {
    const { probes, stableMillis } = this.knobs()
    const { rounds, since } = this.era
    const round = rounds.at(-1)
    if (round === undefined || flight.heard === undefined) return
    const own = flight.round === rounds.length
    const ofRound = this.heard.filter(({ era, round: of }) => era === this.era && of === rounds.length)
    const lastBad = ofRound.findLastIndex(({ heard }) => heard?.bad)
    const { bad, lowest } = flight.heard
    const dead = bad && own && lowest && this.run() >= probes
    const good = !bad && own && ofRound.length - 1 - lastBad >= round.allowed
    if (dead || (bad && this.trips(now))) this.turn("open", now, random)
    else if ((good && !round.refused) || now - since >= stableMillis) this.turn("closed", now, random)
    else if (good) rounds.push({ allowed: round.allowed * 2, refused: false })
    else if (bad && own && round.allowed > probes) rounds.push({ allowed: probes, refused: false })
  }

  byHand(act: string, now: number): void {
    if (act === "open") this.turn("open", now, 0.5, "hand")
    if (act === "close") this.turn("closed", now, 0.5, "hand")
    if (act === "reset") this.turn("closed", now, 0.5, "reset")
    if (act === "healthy" && this.state === "open") this.turn("half-open", now, 0.5)
  }
}
