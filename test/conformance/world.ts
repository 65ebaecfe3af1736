/**
 * A gate (a breaker, a bulkhead, a limit) and what happens to it, step by step in virtual time. The words:
 *
 * - `3 fail`: three calls that pass and end so: ok, slow, permanent, fail, slow-fail, timeout, overloaded,
 *   violation, inner-refusal, abort, die
 * - `begin a`, `end a fail`: a call that passes, and how it ends
 * - `queues a`, `queues a 200`: a call that waits, for at most so many milliseconds; `leaves a`: it waits no more
 * - `runs a`, `woken a`: who waited was let go, or asks again
 * - `rejects`, `5 rejects`, `rejects 800`: calls that are refused, with the milliseconds until it makes sense again
 * - `wait 1000`, `set permits=2`, `hand open`: time passes, a knob is turned, an operator acts
 * - `burst 10 50 ok`: ten calls at once that take 50 ms and end so
 * - `is open`, `limit 10`: what state it must be in
 * - `limit grows`, `limit shrinks`, `limit stays`: beside where it last was
 */
import { Gate, Policy, Refused } from "@failsoft/core"
import * as Effect from "effect/Effect"

const verdicts: Readonly<Record<string, Gate.Verdict>> = {
  ok: "answered",
  slow: "answered",
  permanent: "permanent",
  fail: "failed",
  "slow-fail": "failed",
  timeout: "timedOut",
  overloaded: "overloaded",
  violation: "violated",
  "inner-refusal": "refused",
  abort: "aborted",
  die: "died"
}

const silent = { active: false, failed: 0, emit: () => {}, subscribe: () => Effect.void }

class World {
  private now = 1_000_000
  private readonly instance: Policy.Instance
  private readonly gate: Gate.Gate
  private readonly row: Policy.Row = { downstream: "d", method: "m", bus: silent }
  private readonly random: number
  private limit: number
  private readonly calls = new Map<string, { readonly token: number | Gate.Ticket; readonly at: number }>()

  constructor(policy: Policy.Policy, random: number) {
    this.random = random
    const { parts } = Effect.runSync(Effect.scoped(Policy.build(policy, this.row)))
    const instance = parts[0]?.instance
    if (instance?.form._tag !== "Gate") throw new Error("the policy is not a gate")
    this.instance = instance
    this.gate = instance.form.gate
    this.limit = Number(instance.state()["limit"])
  }

  private attempt(): Gate.Attempt {
    const { now, random, row } = this
    return { row, now, deadlineAt: Number.POSITIVE_INFINITY, key: () => "", random: () => random, outlive: () => {} }
  }

  private enter() {
    return this.gate.enter(this.attempt())
  }

  private leave(token: number, word: string, startedAt: number): void {
    const verdict = verdicts[word]
    if (verdict === undefined) throw new Error(`there is no outcome ${word}`)
    this.gate.leave(this.attempt(), token, verdict, this.now, startedAt)
  }

  /** A whole call. What is slow takes just as long as slow means. */
  private call(word: string): string | undefined {
    const token = this.enter()
    if (typeof token !== "number") return token instanceof Refused.Refused ? "was refused" : "had to wait"
    const takes = word.startsWith("slow") ? Number(this.instance.values["slowMillis"]) : 0
    this.now += takes
    this.leave(token, word, this.now - takes)
    return undefined
  }

  private rejects(expected: string | undefined): string | undefined {
    const got = this.enter()
    if (!(got instanceof Refused.Refused)) return "was not refused"
    if (expected === undefined || got.retryAfterMillis === Number(expected)) return undefined
    return `says to come again after ${got.retryAfterMillis} ms`
  }

  private begins(name: string, waits: boolean, millis: string | undefined): string | undefined {
    const token = this.enter()
    if (token instanceof Refused.Refused) return "was refused"
    if (waits !== token instanceof Gate.Ticket) return waits ? "did not wait" : "had to wait"
    this.calls.set(name, { token, at: this.now })
    if (millis !== undefined && token instanceof Gate.Ticket && token.waitMillis !== Number(millis)) {
      return `waits for ${token.waitMillis} ms`
    }
    return undefined
  }

  /** So many at once, each of which takes so long and ends so. */
  private burst(calls: number, millis: number, word: string): string | undefined {
    const tokens: Array<number> = []
    for (let nth = 1; nth <= calls; nth++) {
      const token = this.enter()
      if (typeof token !== "number")
        return `call ${nth} at once ${token instanceof Gate.Ticket ? "had to wait" : "was refused"}`
      tokens.push(token)
    }
    const startedAt = this.now
    this.now += millis
    for (const token of tokens) this.leave(token, word, startedAt)
    return undefined
  }

  private limits(expected: string): string | undefined {
    const before = this.limit
    this.limit = Number(this.instance.state()["limit"])
    const moves = this.limit > before ? "grows" : this.limit < before ? "shrinks" : "stays"
    return expected === moves || Number(expected) === this.limit ? undefined : `it ${moves}: ${before} to ${this.limit}`
  }

  private named(name: string) {
    const call = this.calls.get(name)
    if (call === undefined) throw new Error(`there is no call ${name}`)
    return call
  }

  /** Does one step; what went otherwise. */
  step(text: string): string | undefined {
    const counted = /^(\d+) (.+)$/.exec(text)
    if (counted !== null) {
      for (let nth = 1; nth <= Number(counted[1]); nth++) {
        const wrong = this.step(counted[2] ?? "")
        if (wrong !== undefined) return `call ${nth} ${wrong}`
      }
      return undefined
    }
    const [word = "", first = "", second, third] = text.split(" ")
    switch (word) {
      case "wait":
        this.now += Number(first)
        return undefined
      case "is": {
        const { circuit } = this.instance.state()
        return circuit === first ? undefined : `is ${String(circuit)}`
      }
      case "rejects":
        return this.rejects(first === "" ? undefined : first)
      case "begin":
        return this.begins(first, false, undefined)
      case "queues":
        return this.begins(first, true, second)
      case "end": {
        const { at, token } = this.named(first)
        this.leave(typeof token === "number" ? token : token.token, second ?? "ok", at)
        return undefined
      }
      case "leaves": {
        const { token } = this.named(first)
        if (token instanceof Gate.Ticket) this.gate.abandon?.(this.attempt(), token, this.now)
        return undefined
      }
      case "runs":
      case "woken": {
        const { token } = this.named(first)
        if (token instanceof Gate.Ticket) this.gate.due?.(token, this.now)
        const does = token instanceof Gate.Ticket && (word === "runs" ? token.token >= 0 : token.again)
        return does ? undefined : "still waits"
      }
      case "burst":
        return this.burst(Number(first), Number(second), third ?? "ok")
      case "limit":
        return this.limits(first)
      case "set": {
        const [name = "", value = ""] = first.split("=")
        this.instance.assign({ [name]: Number.isNaN(Number(value)) ? value : Number(value) })
        return undefined
      }
      case "hand":
        this.instance.controls[first]?.(this.row, this.now)
        return undefined
      default:
        return this.call(word)
    }
  }
}

/** Runs the steps; the first that went otherwise. */
export const run = (policy: Policy.Policy, random: number, steps: string): string | undefined => {
  const world = new World(policy, random)
  for (const step of steps.split("; ")) {
    const wrong = world.step(step)
    if (wrong !== undefined) return `${step}: ${wrong}`
  }
  return undefined
}
