import { Gate, Refused, Shedder } from "@failsoft/core"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { attemptAt, livingGate } from "./history.ts"

/** A shedder whose event loop is as late as the test says. */
const shedder = (options: Shedder.Options = {}) => {
  const loop = { delayMillis: 0, asked: 0 }
  const read = Effect.succeed(() => {
    loop.asked++
    return loop.delayMillis
  })
  const policy = Shedder.policy(options)
  const { gate, instance, row } = livingGate({
    ...policy,
    parts: policy.parts.map((part) => ({
      ...part,
      build: Effect.provideService(part.build, Shedder.LoopDelay, read)
    }))
  })
  const enter = (key: Shedder.Priority, now: number) => {
    const attempt = attemptAt(row, now, { key })
    const got = gate.enter(attempt)
    return {
      got,
      attempt,
      leave: (at: number) => typeof got === "number" && gate.leave(attempt, got, "answered", at, now)
    }
  }
  /** Who is let in at this time. */
  const letIn = (now: number) =>
    Shedder.priorities.filter((key) => {
      const { got, leave } = enter(key, now)
      leave(now)
      return typeof got === "number"
    })
  return { gate, instance, row, loop, enter, letIn }
}

const all = ["critical", "default", "sheddable"]

describe("shedding by the event loop's delay", () => {
  it("sheds step by step while the delay stands: sheddable, then default, critical only above its own threshold", () => {
    const { letIn, loop } = shedder()
    assert.deepStrictEqual(letIn(0), all)
    loop.delayMillis = 60
    assert.deepStrictEqual(letIn(100), all)
    assert.deepStrictEqual(letIn(200), ["critical", "default"])
    assert.deepStrictEqual(letIn(300), ["critical"])
    assert.deepStrictEqual(letIn(1000), ["critical"])
    loop.delayMillis = 501
    assert.deepStrictEqual(letIn(1100), [])
    loop.delayMillis = 500
    assert.deepStrictEqual(letIn(1200), ["critical"])
  })

  it("is not moved by one long turn", () => {
    const { letIn, loop } = shedder()
    letIn(0)
    loop.delayMillis = 400
    letIn(100)
    loop.delayMillis = 3
    assert.deepStrictEqual(letIn(200), all)
    loop.delayMillis = 400
    assert.deepStrictEqual(letIn(300), all)
  })

  it("does not flap between half of the threshold and the threshold", () => {
    const { letIn, loop } = shedder()
    letIn(0)
    loop.delayMillis = 60
    letIn(100)
    letIn(200)
    for (let at = 300; at < 2000; at += 100) {
      loop.delayMillis = at % 200 === 0 ? 26 : 49
      assert.deepStrictEqual(letIn(at), ["critical", "default"])
    }
    loop.delayMillis = 24
    assert.deepStrictEqual(letIn(2000), all)
  })

  it("falls by one step per calm window, all at once after a pause", () => {
    const { letIn, loop } = shedder()
    letIn(0)
    loop.delayMillis = 60
    for (const at of [100, 200, 300]) letIn(at)
    loop.delayMillis = 1
    assert.deepStrictEqual(letIn(400), ["critical", "default"])
    loop.delayMillis = 60
    letIn(500)
    letIn(600)
    loop.delayMillis = 1
    assert.deepStrictEqual(letIn(5000), all)
  })

  it("asks once per window, and survives a clock that is set back", () => {
    const { letIn, loop } = shedder()
    for (let at = 1000; at < 1500; at++) letIn(at)
    assert.strictEqual(loop.asked, 5)
    letIn(10)
    loop.delayMillis = 60
    letIn(110)
    assert.deepStrictEqual(letIn(210), ["critical", "default"])
  })

  it("turns those away who wait and may not come any more", () => {
    const { enter, loop } = shedder({ limitMax: 1, limitInitial: 1, limitMin: 1, queueInterval: "10 seconds" })
    enter("critical", 0)
    const { got } = enter("sheddable", 0)
    assert.instanceOf(got, Gate.Ticket)
    loop.delayMillis = 60
    enter("critical", 100)
    assert.isFalse(got instanceof Gate.Ticket && got.settled)
    enter("critical", 200)
    assert.strictEqual(got instanceof Gate.Ticket ? got.refusal?.state?.["cause"] : "", "event-loop")
  })
})

describe("shedding by the queue", () => {
  const one = { limitMax: 1, limitInitial: 1, limitMin: 1, queueMax: 3 } as const

  it("lets a burst wait for the rest of the interval, and a standing queue only for its target", () => {
    const { enter } = shedder(one)
    const first = enter("critical", 0)
    const waits = [0, 40, 99].map((at) => enter("default", at).got)
    assert.deepStrictEqual(
      waits.map((got) => (got instanceof Gate.Ticket ? got.waitMillis : -1)),
      [100, 60, 5]
    )
    first.leave(150)
    assert.deepStrictEqual(
      waits.map((got) => got instanceof Gate.Ticket && got.token >= 0),
      [false, false, true],
      "who came last still has time"
    )
  })

  it("serves the most important first, the oldest of them while the queue is young", () => {
    const { enter } = shedder(one)
    const first = enter("critical", 0)
    const waits = (["sheddable", "critical", "critical"] as const).map((of) => enter(of, 1).got)
    first.leave(2)
    assert.deepStrictEqual(
      waits.map((got) => got instanceof Gate.Ticket && got.settled),
      [false, true, false]
    )
  })

  it("makes room for somebody more important in a full queue, and for nobody else", () => {
    const { enter } = shedder(one)
    enter("critical", 0)
    const waits = (["default", "sheddable", "sheddable"] as const).map((of) => enter(of, 1).got)
    assert.instanceOf(enter("sheddable", 2).got, Refused.Refused)
    assert.instanceOf(enter("critical", 2).got, Gate.Ticket)
    const [, oldest] = waits
    assert.strictEqual(oldest instanceof Gate.Ticket ? oldest.refusal?.state?.["cause"] : "", "displaced")
    assert.instanceOf(enter("default", 2).got, Gate.Ticket)
    assert.instanceOf(enter("default", 2).got, Refused.Refused)
  })

  it("says in the record why", () => {
    const { enter } = shedder({ ...one, queueMax: 0, retryAfter: "2 seconds" })
    enter("critical", 0)
    const { got } = enter("sheddable", 7)
    assert.deepStrictEqual(got instanceof Refused.Refused ? Refused.record(got) : got, {
      policy: "loadShedding",
      reason: "LOAD_SHED",
      retryAfterMillis: 2000,
      state: {
        priority: "sheddable",
        cause: "concurrency",
        running: 1,
        waiting: 0,
        limit: 1,
        places: 1,
        level: 0,
        delayMillis: 0
      }
    })
  })
})

describe("a limit that learns", () => {
  it("shrinks when what runs takes longer", () => {
    const { enter, instance } = shedder({ algorithm: "gradient", limitInitial: 40, limitMin: 4, limitMax: 60 })
    const rounds = (from: number, count: number, millis: number) => {
      let now = from
      for (let round = 0; round < count; round++) {
        const begun = Array.from({ length: 40 }, () => enter("critical", now))
        now += millis
        for (const { leave } of begun) leave(now)
      }
      return now
    }
    const at = rounds(0, 20, 10)
    const before = Number(instance.state()["limit"])
    rounds(at, 20, 200)
    assert.isBelow(Number(instance.state()["limit"]), before)
  })
})
