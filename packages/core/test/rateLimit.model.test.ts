/**
 * Random histories through the rate limit and through a model that lives each millisecond, and that finds out how long
 * a call must wait by living on until it is served.
 */
import { Gate, Policy, RateLimit, Refused } from "@failsoft/core"
import { assert, describe, it } from "vitest"
import { attemptAt, type Choices, choices, livingGate, search } from "./history.ts"

type Knobs = {
  readonly permits: number
  readonly burst: number
  readonly windowMillis: number
  readonly waitMaxMillis: number
}

type Op =
  | { readonly does: "arrive" }
  | { readonly does: "pass"; readonly millis: number }
  | { readonly does: "answer" | "unsent" | "goAway"; readonly nth: number }
  | { readonly turn: Partial<Knobs> }

type Algorithm = NonNullable<RateLimit.Options["algorithm"]>

const initial: Knobs = { permits: 3, burst: 2, windowMillis: 20, waitMaxMillis: 0 }

/** Where calls wait, permits are only turned up: whoever was promised a turn still gets it. */
const history = (of: Choices): ReadonlyArray<Op> => {
  const waits = of.chance(0.6)
  const start: Partial<Knobs> = {
    permits: of.between(1, 5),
    burst: of.between(1, 6),
    windowMillis: of.between(5, 40),
    waitMaxMillis: waits ? of.between(5, 80) : 0
  }
  const ops = Array.from({ length: of.between(10, 60) }, (): Op => {
    const roll = of.next()
    if (roll < 0.45) return { does: "arrive" }
    if (roll < 0.75) return { does: "pass", millis: of.between(1, 15) }
    if (roll < 0.83) return { does: "answer", nth: of.between(0, 9) }
    if (roll < 0.9) return { does: "unsent", nth: of.between(0, 9) }
    if (roll < 0.96) return { does: "goAway", nth: of.between(0, 9) }
    return { turn: waits ? { permits: 9 } : { permits: of.between(1, 9), burst: of.between(1, 6) } }
  })
  return [{ turn: start }, ...ops]
}

interface Modelled {
  readonly since: number
  is: "waiting" | "sent" | "ended" | "refused" | "gone"
  sentAt: number
}

/** All calls ever, and a tub of `permits` drops a millisecond of which a call takes `windowMillis`. */
class Model {
  knobs = initial
  now = 0
  drops = Number.POSITIVE_INFINITY
  calls: Array<Modelled> = []
  readonly algorithm: Algorithm

  constructor(algorithm: Algorithm) {
    this.algorithm = algorithm
  }

  turn(knobs: Partial<Knobs>) {
    // A larger tub is not fuller for that.
    this.mayGo()
    const before = this.knobs.windowMillis
    this.knobs = { ...this.knobs, ...knobs }
    this.drops *= this.knobs.windowMillis / before
    this.settle()
  }

  mayGo(): boolean {
    const { burst, permits, windowMillis } = this.knobs
    this.drops = Math.min(this.drops, burst * windowMillis)
    if (this.algorithm === "token-bucket") return this.drops >= windowMillis
    const recent = this.calls.filter(
      ({ is, sentAt }) => (is === "sent" || is === "ended") && sentAt > this.now - windowMillis
    )
    return recent.length < permits
  }

  /** Who may go goes, in order of arrival. */
  settle() {
    for (const call of this.calls) {
      if (call.is !== "waiting") continue
      if (!this.mayGo()) return
      call.is = "sent"
      call.sentAt = this.now
      this.drops -= this.knobs.windowMillis
    }
  }

  tick() {
    this.now++
    this.drops += this.knobs.permits
    this.settle()
  }

  giveBack(call: Modelled) {
    call.is = "gone"
    this.drops += this.knobs.windowMillis
    this.settle()
  }

  /** The milliseconds that one more call would wait. */
  foreseen(): number {
    const copy = new Model(this.algorithm)
    copy.knobs = this.knobs
    copy.now = this.now
    copy.drops = this.drops
    copy.calls = this.calls.map((call) => ({ ...call }))
    const one: Modelled = { since: this.now, is: "waiting", sentAt: 0 }
    copy.calls.push(one)
    copy.settle()
    while (one.is === "waiting") copy.tick()
    return copy.now - this.now
  }

  arrive(): { readonly call: Modelled; readonly waitMillis: number } {
    const waitMillis = this.foreseen()
    const call: Modelled = {
      since: this.now,
      is: waitMillis <= this.knobs.waitMaxMillis ? "waiting" : "refused",
      sentAt: 0
    }
    this.calls.push(call)
    this.settle()
    return { call, waitMillis }
  }
}

type Values = (of: Knobs) => Knobs
type Mutant = (gate: Gate.Gate) => Gate.Gate

const differs =
  (algorithm: Algorithm, values: Values = (of) => of, mutant: Mutant = (gate) => gate) =>
  (ops: ReadonlyArray<Op>): string | undefined => {
    const model = new Model(algorithm)
    const { gate: real, instance, row } = livingGate(Policy.rateLimit({ permits: 3, algorithm }))
    const gate = mutant(real)
    instance.assign({ ...values(initial) })
    const held = new Map<Modelled, number | Gate.Ticket>()
    const alarms = new Map<Gate.Ticket, number>()

    const look = (now: number) => real instanceof RateLimit.RateLimit && real.look("", now)

    /** Every alarm that is due rings, as the frame of an attempt does it. */
    const ring = () => {
      for (let turns = 0; turns < 100; turns++) {
        const [due] = [...alarms].filter(([ticket, at]) => at <= model.now && !ticket.settled)
        if (due === undefined) return
        const [ticket] = due
        alarms.delete(ticket)
        gate.due?.(ticket, model.now)
        if (!ticket.settled && !alarms.has(ticket))
          ticket.refusal = gate.abandon?.(attemptAt(row, model.now), ticket, model.now)
      }
    }

    const wrong = (): string | undefined => {
      for (const [nth, call] of model.calls.entries()) {
        const ticket = held.get(call)
        if (!(ticket instanceof Gate.Ticket) || call.is === "gone" || call.is === "ended") continue
        const is = ticket.token >= 0 ? "sent" : ticket.refusal === undefined ? "waiting" : "refused"
        if (is !== call.is) return `at ${model.now} call ${nth} is ${is}, in the model ${call.is}`
      }
      return undefined
    }

    for (const [at, op] of ops.entries()) {
      if ("turn" in op) {
        // A bucket learns of the moment of a turn only where somebody asks it.
        look(model.now)
        model.turn(op.turn)
        instance.assign({ ...values(model.knobs) })
        look(model.now)
      } else if (op.does === "arrive") {
        const { call, waitMillis } = model.arrive()
        const admitted = gate.enter(attemptAt(row, model.now))
        const is = typeof admitted === "number" ? "sent" : admitted instanceof Gate.Ticket ? "waiting" : "refused"
        if (is !== call.is) return `step ${at}: the call is ${is}, in the model ${call.is}`
        if (admitted instanceof Refused.Refused) {
          if (admitted.retryAfterMillis === waitMillis) continue
          return `step ${at}: to come again after ${admitted.retryAfterMillis} ms, in the model ${waitMillis}`
        }
        held.set(call, admitted)
        if (admitted instanceof Gate.Ticket) {
          alarms.set(admitted, model.now + admitted.waitMillis)
          admitted.rearm = (millis) => alarms.set(admitted, model.now + millis)
        }
      } else if (op.does === "pass") {
        for (let left = op.millis; left > 0; left--) {
          model.tick()
          ring()
          const found = wrong()
          if (found !== undefined) return found
        }
      } else {
        const those = model.calls.filter(({ is }) => is === (op.does === "goAway" ? "waiting" : "sent"))
        const call = those[op.nth % Math.max(1, those.length)]
        const token = call === undefined ? undefined : held.get(call)
        if (call === undefined || token === undefined) continue
        const attempt = attemptAt(row, model.now)
        if (op.does === "goAway") {
          call.is = "gone"
          if (token instanceof Gate.Ticket) {
            alarms.delete(token)
            gate.abandon?.(attempt, token, model.now)
          }
        } else {
          const sent = op.does === "answer"
          if (sent) call.is = "ended"
          else model.giveBack(call)
          const number = typeof token === "number" ? token : token.token
          gate.leave(attempt, number, sent ? "answered" : "refused", model.now, sent ? call.sentAt : -1)
        }
      }
      ring()
      const found = wrong()
      if (found !== undefined) return `step ${at}: ${found}`
    }
    return undefined
  }

describe.each(["sliding-window", "token-bucket"] as const)("the rate limit against its model (%s)", (algorithm) => {
  it("agrees over 2000 random histories", () => {
    assert.isUndefined(search(2000, history, differs(algorithm)))
  })

  const mutants: Readonly<Record<string, (ops: ReadonlyArray<Op>) => string | undefined>> = {
    "has one permit more": differs(algorithm, (of) => ({ ...of, permits: of.permits + 1, burst: of.burst + 1 })),
    "has a window that is shorter by a millisecond": differs(algorithm, (of) => ({
      ...of,
      windowMillis: of.windowMillis - 1
    })),
    "lets nobody wait": differs(algorithm, (of) => ({ ...of, waitMaxMillis: 0 })),
    "keeps the place of who went away": differs(algorithm, undefined, ({ abandon: _, ...gate }) => gate),
    "never wakes who waits": differs(algorithm, undefined, ({ due: _, ...gate }) => gate),
    "gives back what was sent": differs(algorithm, undefined, (gate) => ({
      ...gate,
      leave: (attempt, token, verdict, now) => gate.leave(attempt, token, verdict, now, -1)
    })),
    "keeps what was not sent": differs(algorithm, undefined, (gate) => ({
      ...gate,
      leave: (attempt, token, verdict, now) => gate.leave(attempt, token, verdict, now, now)
    }))
  }
  it.each(Object.entries(mutants))("finds one that %s", (_bug, mutant) => {
    assert.isDefined(search(2000, history, mutant))
  })
})

describe("a sliding window of many permits", () => {
  const [permits, windowMillis] = [1000, 1000]

  /** When calls went that came at these times. */
  const gone = (arrivals: ReadonlyArray<number>, window: number) => {
    const { gate, row } = livingGate(Policy.rateLimit({ permits, window }))
    return arrivals.filter((at) => typeof gate.enter(attemptAt(row, at)) === "number")
  }

  /** Whether more than the permits went in any window. */
  const tooMany = (times: ReadonlyArray<number>) =>
    times.some((at, nth) => {
      const later = times[nth + permits]
      return later !== undefined && later - at < windowMillis
    })

  const crowd = (seed: number) => {
    const of = choices(seed)
    let at = 0
    return Array.from({ length: 20_000 }, () => {
      at += of.chance(0.01) ? of.between(0, 300) : of.chance(0.4) ? 1 : 0
      return at
    })
  }

  it("holds in any window, though calls share entries", () => {
    for (let seed = 1; seed <= 20; seed++) assert.isFalse(tooMany(gone(crowd(seed), windowMillis)), `seed ${seed}`)
  })

  it("finds one whose window is shorter by more than the span of an entry", () => {
    assert.isTrue(Array.from({ length: 20 }, (_, nth) => gone(crowd(nth + 1), windowMillis - 9)).some(tooMany))
  })

  it("lets nearly as many go as there are permits, where more come all the time", () => {
    const sent = gone(
      Array.from({ length: 100_000 }, (_, nth) => Math.floor(nth / 5)),
      windowMillis
    )
    assert.isAbove(sent.length, 0.99 * 20 * permits)
    assert.isAtMost(sent.length, 20 * permits)
  })
})

describe.each(["sliding-window", "token-bucket"] as const)("a clock that is set back (%s)", (algorithm) => {
  it("gives nothing, and locks nobody out for longer", () => {
    const { gate, row } = livingGate(Policy.rateLimit({ permits: 1, window: 100, algorithm }))
    const goes = (at: number) => typeof gate.enter(attemptAt(row, at)) === "number"
    assert.isTrue(goes(1_000_000))
    assert.isFalse(goes(1_000_050))
    assert.isFalse(goes(5000))
    assert.isFalse(goes(5049))
    // What was waited before the turn counts.
    assert.isTrue(goes(5100))
  })
})

describe("keys that are turned on while calls run", () => {
  it("a call gives nothing back to a key that has not counted it", () => {
    const { gate, instance, row } = livingGate(
      Policy.rateLimit({ permits: 2, algorithm: "token-bucket", window: 1000 })
    )
    const before = gate.enter(attemptAt(row, 0))
    instance.assign({ keysMax: 1 })
    const attempt = attemptAt(row, 0, { key: "a" })
    for (let nth = 0; nth < 2; nth++) gate.leave(attempt, Number(gate.enter(attempt)), "answered", 0, 0)
    gate.leave(attempt, Number(before), "refused", 0, -1)
    assert.instanceOf(gate.enter(attempt), Refused.Refused)
  })
})
