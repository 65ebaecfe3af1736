/** Random attempts through the hedge, and through a model that puts all their moments in order. */
import { Call, Policy, Refused } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "vitest"
import { type Choices, choices } from "./history.ts"
import { ending, living } from "./kit.ts"

interface Attempt {
  readonly millis: number
  readonly ends: "answered" | "permanent" | "fails" | "refused"
}

interface Case {
  readonly delay: number
  readonly hedgesMax: number
  readonly attempts: ReadonlyArray<Attempt>
}

const draw = (of: Choices): Case => ({
  // Even delays and odd times: no attempt begins at the moment at which another ends.
  delay: 2 * of.between(5, 50),
  hedgesMax: of.between(0, 4),
  attempts: Array.from({ length: 5 }, () => ({
    millis: 2 * of.between(0, 120) + 1,
    ends: of.pick(["answered", "answered", "permanent", "fails", "fails", "refused"])
  }))
})

const word = (ends: Attempt["ends"], nth: number) =>
  ends === "fails" ? `Failed${nth}` : ends === "refused" ? `REFUSED_${nth}` : ends

/** What should come of it: the outcome, when, and how many were sent. Nothing where two end at once. */
const expected = ({ attempts, delay, hedgesMax }: Case): string | undefined => {
  const all = attempts
    .slice(0, 1 + hedgesMax)
    .map((attempt, nth) => ({ ...attempt, nth, starts: nth * delay, at: nth * delay + attempt.millis }))
  const ends = all.toSorted((a, b) => a.at - b.at)
  if (new Set(ends.map(({ at }) => at)).size < ends.length) return undefined
  // After the first that failed or was refused nothing more is sent.
  const firstEnd = Math.min(...all.map(({ at }) => at))
  const sent = ends.filter(({ starts }) => starts < firstEnd)
  const decisive = sent.find(({ ends }) => ends === "answered" || ends === "permanent")
  const failed = sent.filter(({ ends }) => ends === "fails").at(-1)
  const first = sent.find(({ nth }) => nth === 0)
  const told = decisive ?? failed ?? first
  const end = decisive ?? sent.at(-1)
  return told && `${word(told.ends, told.nth)} after ${end?.at}, ${sent.length} sent`
}

const outcome = (ends: Attempt["ends"], nth: number): Call.Call<string, { readonly _tag: string }, unknown> => {
  switch (ends) {
    case "answered":
      return Call.answer("well")
    case "permanent":
      return Call.permanent("declined")
    case "fails":
      return Call.transient({ _tag: word(ends, nth) })
    case "refused":
      return Call.permanent(Refused.make({ policy: "within", reason: word(ends, nth) }))
  }
}

const happens = (of: Case, options: Policy.HedgeOptions) =>
  Effect.gen(function* () {
    const { intercept } = yield* living(
      Policy.hedge({ delay: of.delay, hedgesMax: of.hedgesMax, budgetPerSecond: 1000, ...options })
    )
    let sent = 0
    let running = 0
    const call = Effect.suspend(() => {
      const nth = sent++
      running++
      const { ends, millis } = of.attempts[nth] ?? { ends: "fails", millis: 1 }
      return Effect.ensuring(
        Effect.delay(outcome(ends, nth), millis),
        Effect.sync(() => running--)
      )
    })
    const fiber = yield* Effect.forkChild(ending(intercept(call)))
    yield* Effect.yieldNow
    let millis = 0
    while (fiber.pollUnsafe() === undefined) {
      yield* TestClock.adjust("1 millis")
      millis++
    }
    const left = running
    yield* TestClock.adjust("1 second")
    return `${yield* Fiber.join(fiber)} after ${millis}, ${sent} sent${left > 0 ? `, ${left} run on` : ""}`
  }).pipe(Effect.scoped, Effect.provide(TestClock.layer()))

/** The first case of so many on which the two differ. */
const search = async (cases: number, options: Policy.HedgeOptions = {}): Promise<string | undefined> => {
  for (let seed = 1; seed <= cases; seed++) {
    const of = draw(choices(seed))
    const should = expected(of)
    if (should === undefined) continue
    const does = await Effect.runPromise(happens(of, options))
    if (does !== should) return `seed ${seed}: ${does}, in the model ${should}\n${JSON.stringify(of)}`
  }
  return undefined
}

describe("the hedge against its model", () => {
  it("agrees over 250 random calls", async () => {
    assert.isUndefined(await search(250))
  })

  it.each<[string, Policy.HedgeOptions]>([
    ["hedges once more", { hedgesMax: 5 }],
    ["hedges too early", { delay: 9 }],
    ["has no budget", { budgetRatio: 0, budgetPerSecond: 0 }],
    ["never hedges", { hedgesMax: 0 }]
  ])("finds one that %s", async (_, options) => {
    assert.isDefined(await search(250, options))
  })
})
