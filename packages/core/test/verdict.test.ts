/** The one word that gates judge by. */
import { Call, ContractViolation, type Gate, Refused, Signal, TimedOut, Transient } from "@failsoft/core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import { judgedBelow, ofRegions, verdictOf } from "../src/internal/verdict.ts"
import { declined } from "./kit.ts"

const ended = (call: Call.Call<unknown, unknown, unknown>) => Effect.runSyncExit(call)
const transient = (pushback?: "overloaded") =>
  new Transient.Transient({ cause: "reset", applied: "unknown", ...(pushback === undefined ? {} : { pushback }) })

const exits: ReadonlyArray<readonly [Gate.Verdict, Parameters<typeof verdictOf>[0]]> = [
  ["answered", ended(Call.answer("well"))],
  ["permanent", ended(declined)],
  ["refused", ended(Call.permanent(Refused.make({ policy: "p", reason: "FULL" })))],
  ["violated", ended(Call.permanent(new ContractViolation.ContractViolation({ detail: "garbled" })))],
  ["failed", Exit.fail(transient())],
  ["overloaded", Exit.fail(transient("overloaded"))],
  ["timedOut", Exit.fail(TimedOut.make({ policy: "timeout", limitMillis: 1 }))],
  ["died", Exit.die("defect")],
  ["aborted", Exit.interrupt()],
  // A failure is more than what came after it.
  ["failed", Exit.failCause(Cause.combine(Cause.die("defect"), Cause.fail(transient())))]
]

describe("a verdict", () => {
  it.each(exits)("is %s", (verdict, exit) => {
    assert.strictEqual(verdictOf(exit), verdict)
  })

  it("of a call over several regions says nothing where a region failed, which was judged there", () => {
    const said = exits.map(([verdict]) => ofRegions(verdict))
    assert.deepEqual(said, [
      "answered",
      "permanent",
      "refused",
      "refused",
      "refused",
      "refused",
      "refused",
      "died",
      "aborted",
      "refused"
    ])
  })

  it("is judged below where there are two regions and more", () => {
    const row = { downstream: "d", method: "m", bus: Effect.runSync(Signal.make) }
    assert.deepEqual(
      [undefined, 0, 1, 2, 3].map((regions) => judgedBelow(regions === undefined ? row : { ...row, regions })),
      [false, false, false, true, true]
    )
  })
})
