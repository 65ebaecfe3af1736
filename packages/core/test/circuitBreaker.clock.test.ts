/** The breaker at the times of a real clock, where an open time with a fraction is rounded when it is added. */
import { Policy, Refused } from "@failsoft/core"
import { assert, describe, it } from "vitest"
import { attemptAt, choices, livingGate } from "./history.ts"

describe("an open circuit", () => {
  it("stays open for its open time, whatever the jitter and the date", () => {
    const of = choices(1)
    for (let nth = 0; nth < 500; nth++) {
      const now = 1_764_040_000_000 + of.between(0, 1e9)
      const { gate, row } = livingGate(Policy.circuitBreaker({ minimumCalls: 1, openFor: 500, jitter: 0.1 }))
      const attempt = attemptAt(row, now, { random: of.next() })
      const token = gate.enter(attempt)
      assert.isNumber(token)
      if (typeof token === "number") gate.leave(attempt, token, "failed", now, now)
      for (const later of [0, 1, 449]) {
        assert.instanceOf(gate.enter(attemptAt(row, now + later)), Refused.Refused, `${later} ms after ${now}`)
      }
      assert.isNumber(gate.enter(attemptAt(row, now + 551)))
    }
  })
})
