/**
 * Scenarios of one call through a stack, in virtual time. An attempt of the script is `ok`, `permanent`, `refused`,
 * `die`, `hang`, or `fail`, with how long it takes (`fail 50`) and what the error says: `after=1500` (come again after
 * so many milliseconds), `never`, `overloaded`, `unsent`. The last attempt repeats. The result is the times at which
 * attempts began and how the call ended: `0 100 300, answered at 300`.
 */
import { Call, Deadline, Policy, Refused, RetryBudget, Signal, Transient } from "@failsoft/core"
import { Pump, Repeat } from "@failsoft/core/testing"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import type { Scenario } from "./scenario.ts"
import type { Source } from "./sources.ts"

type Outcome = Call.Call<string, Transient.Transient, string | Refused.Refused>

const attempt = (text: string): Outcome => {
  const [word = "", ...rest] = text.split(" ")
  const takes = Number(rest.find((of) => /^\d+$/.test(of)) ?? 0)
  const after = rest.find((of) => of.startsWith("after="))?.slice("after=".length)
  const outcome = (): Outcome => {
    switch (word) {
      case "ok":
        return Call.answer("answer")
      case "permanent":
        return Call.permanent("permanent")
      case "refused":
        return Call.permanent(Refused.make({ policy: "bulkhead", reason: "BULKHEAD_FULL" }))
      case "die":
        return Effect.die("a bug")
      case "hang":
        return Effect.never
      default:
        return Call.transient(
          new Transient.Transient({
            cause: "connection_terminated",
            applied: rest.includes("unsent") ? "no" : "unknown",
            ...(after === undefined ? {} : { retryAfterMillis: Number(after) }),
            ...(rest.includes("never") ? { pushback: "do-not-retry" } : {}),
            ...(rest.includes("overloaded") ? { pushback: "overloaded" } : {})
          })
        )
    }
  }
  return takes > 0 ? Effect.delay(outcome(), takes) : outcome()
}

const ending = (exit: Exit.Exit<Effect.Success<Call.Call<unknown, unknown, unknown>>, unknown>): string => {
  if (Exit.isFailure(exit)) {
    const [reason] = exit.cause.reasons
    if (reason?._tag !== "Fail") return reason?._tag === "Die" ? "died" : "interrupted"
    const { error } = reason
    return typeof error === "object" && error !== null && "_tag" in error && error._tag === "TimedOut"
      ? "timed out"
      : "failed"
  }
  if (exit.value._tag === "Success") return "answered"
  return exit.value.failure instanceof Refused.Refused ? exit.value.failure.reason : "permanent"
}

const happens = (
  policy: Policy.Policy,
  script: ReadonlyArray<string>,
  random: number,
  callerDeadline: number
): string => {
  const program = Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const now = () => clock.currentTimeMillisUnsafe()
    const starts: Array<number> = []
    const call: Outcome = Effect.suspend(() => {
      const step = script[Math.min(starts.length, script.length - 1)] ?? "ok"
      starts.push(now())
      return attempt(step)
    })
    const bus = yield* Signal.make
    const { intercept } = yield* Policy.build(policy, { downstream: "d", method: "m", bus })
    const exit = yield* Effect.exit(intercept(call))
    return `${starts.join(" ")}${starts.length > 0 ? ", " : ""}${ending(exit)} at ${now()}`
  })
  const randomness: typeof Random.Random.Service = { nextDoubleUnsafe: () => random, nextIntUnsafe: () => 0 }
  const exit = Repeat.checked(() =>
    Pump.run(
      Effect.scoped(program).pipe(
        Effect.provideService(Random.Random, randomness),
        Effect.provideService(Deadline.Deadline, callerDeadline)
      ),
      { startMillis: 0 }
    )
  )
  return Exit.isSuccess(exit) ? exit.value : "died"
}

/** One call through a policy. */
export const stack = (
  says: string,
  source: Source,
  policy: readonly [text: string, value: Policy.Policy],
  script: string,
  result: string,
  options: { readonly random?: number; readonly callerDeadline?: number; readonly differs?: string } = {}
): Scenario => ({
  says,
  source,
  policy: policy[0],
  steps: `${script} → ${result}`,
  ...(options.differs === undefined ? {} : { differs: options.differs }),
  run: () => {
    const { callerDeadline = Number.POSITIVE_INFINITY, random = 0.5 } = options
    const got = happens(policy[1], script.split("; "), random, callerDeadline)
    return got === result ? undefined : got
  }
})

/** A retry budget: `10 calls`, `2 retries`, `denied`, `wait 1000`. */
export const budget = (
  says: string,
  source: Source,
  options: { readonly ratio: number; readonly perSecond: number },
  steps: string,
  extra: { readonly differs?: string } = {}
): Scenario => ({
  says,
  source,
  policy: `RetryBudget.make(ratio: ${options.ratio}, perSecond: ${options.perSecond})`,
  steps,
  ...extra,
  run: () => {
    let now = 1_000_000
    const budgets = Effect.runSync(Effect.scoped(RetryBudget.make(options).build))
    const of = budgets("d")
    const size = { budgetRatio: options.ratio, budgetPerSecond: options.perSecond }
    for (const step of steps.split("; ")) {
      const [first = "", second = ""] = step.split(" ")
      if (first === "wait") now += Number(second)
      else if (first === "denied") {
        if (of.take(now, size)) return `${step}: a retry was granted`
      } else {
        for (let nth = 1; nth <= Number(first); nth++) {
          if (second.startsWith("call")) of.earn(now)
          else if (!of.take(now, size)) return `${step}: retry ${nth} was denied`
        }
      }
    }
    return undefined
  }
})
