/** A share of the calls hangs, the others are answered at once: what a run of timeouts that opens the breaker costs there. */
import { Call, Policy, Signal } from "@failsoft/core"
import { Pump } from "@failsoft/core/testing"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import { row } from "../overhead/table.ts"
import { exponential, randomFrom } from "./random.ts"

const seeds = [1, 2, 3]
const untilMillis = 60_000
const answerMillis = 20
const runs = [8, 4, 12]
const faults = [
  { share: 1 / 3, perSecond: 10 },
  { share: 1 / 3, perSecond: 30 },
  { share: 1 / 2, perSecond: 10 },
  { share: 1 / 2, perSecond: 30 }
]

/** The share of the calls that is answered, and how often the circuit opens. */
const lived = (share: number, perSecond: number, run: number, seed: number) => {
  const pump = Pump.make({ seed })
  const random = randomFrom(seed)
  const call = Effect.suspend(() =>
    random() < share ? Effect.never : Effect.delay(Call.answer("answered"), answerMillis)
  )
  const ended = pump.run(
    Effect.gen(function* () {
      const bus = yield* Signal.make
      let opened = 0
      yield* bus.subscribe((signal) => {
        if (signal._tag === "CircuitChanged" && signal.to === "open") opened++
      })
      const { intercept, parts } = yield* Policy.build(Policy.standard(), { downstream: "shop", method: "get", bus })
      for (const { instance, part } of parts) {
        if (part.kind === "circuitBreaker") instance.assign({ consecutiveTimeouts: run })
      }
      let calls = 0
      let answered = 0
      for (let at = exponential(random, 1000 / perSecond); at < untilMillis; at = pump.elapsedMillis()) {
        calls++
        const counted = Effect.map(Effect.result(intercept(call)), (result) => {
          // A refusal is a value as well.
          if (Result.isSuccess(result) && Result.isSuccess(result.success)) answered++
        })
        yield* Effect.forkChild(counted)
        yield* Effect.sleep(exponential(random, 1000 / perSecond))
      }
      yield* Effect.sleep(2000)
      return { answered: answered / calls, opened: (opened * 60_000) / untilMillis }
    }).pipe(Effect.scoped, Random.withSeed(`hang ${seed}`))
  )
  if (ended._tag === "Ended" && Exit.isSuccess(ended.exit)) return ended.exit.value
  throw new Error("a call is always answered, refused or given up")
}

/** The other table of docs/policies/standard.md. */
export const partialHangTable = (): string => {
  const columns = runs.map((run) => `${run} timeouts`)
  const cell = (share: number, perSecond: number, run: number) => {
    const all = seeds.map((seed) => lived(share, perSecond, run, seed))
    const mean = (of: (one: (typeof all)[number]) => number) => all.reduce((sum, one) => sum + of(one), 0) / all.length
    return `${mean(({ answered }) => answered).toFixed(3)}, opens ${mean(({ opened }) => opened).toFixed(1)}`
  }
  return [
    row("share that hangs, calls per second", columns),
    row(
      "---",
      columns.map(() => "---")
    ),
    ...faults.map(({ perSecond, share }) =>
      row(
        `${share.toFixed(2)}, ${perSecond}`,
        runs.map((run) => cell(share, perSecond, run))
      )
    )
  ].join("\n")
}
