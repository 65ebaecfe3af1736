import { assert, describe, it } from "vitest"
import { problemsOf } from "../src/faults/playable.ts"

const at = { from: 0, until: 1000 } as const
const clockJump = { kind: "clockJump", byMillis: 1000, from: 0 } as const
const abort = { kind: "abort", percent: 50, afterMillis: 10, ...at } as const

describe("a plan for the downstream servers", () => {
  it("is played with all that HTTP can show", () => {
    assert.isEmpty(
      problemsOf({
        faults: [
          { kind: "hang", target: "catalog", ...at },
          { kind: "down", target: ["catalog.eu", "payments/charge"], ...at, first: 3 },
          { kind: "garbled", target: ["catalog/show", "catalog/price"], ...at, recoverMillis: 500 },
          { kind: "drip", target: "catalog/list", ...at }
        ],
        disturbances: [abort]
      })
    )
  })

  it.each([
    ["a clock that is set", { faults: [], disturbances: [abort, clockJump] }, /a clockJump cannot be shown over HTTP/],
    [
      "an end before the beginning",
      { faults: [{ kind: "hang", target: "catalog", from: 5, until: 5 }] },
      /hang must end after it begins \(5 ms\)/
    ],
    [
      "an unknown downstream",
      { faults: [{ kind: "hang", target: "catalogue", ...at }] },
      /there is no catalogue; there are identity, catalog\.eu/
    ],
    [
      "an unknown method",
      { faults: [{ kind: "hang", target: "catalog/prize", ...at }] },
      /there is no catalog\/prize; catalog has show, price, list/
    ],
    [
      "one of two methods that are the same request",
      { faults: [{ kind: "hang", target: "catalog/price", ...at }] },
      /^catalog\/show and catalog\/price are the same request over HTTP, so hang must target both$/
    ]
  ] as const)("is refused for %s, in one sentence", (_, plan, says) => {
    const [problem, ...others] = problemsOf(plan)
    assert.match(String(problem), says)
    assert.isEmpty(others)
  })
})
