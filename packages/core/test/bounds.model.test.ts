/**
 * Random stacks of deadlines, timeouts and a plain retry around attempts that take
 * their time, and a model that knows no fibers: it adds up milliseconds.
 */
import { assert, describe, it } from "@effect/vitest"
import { Call, Deadline, Policy, Transient } from "@failsoft/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { type Choices, choices } from "./history.ts"
import { ending, living } from "./kit.ts"

type Layer =
  | { readonly kind: "deadline"; readonly millis: number; readonly dark: boolean }
  | { readonly kind: "timeout"; readonly millis: number }
  | { readonly kind: "retry"; readonly times: number; readonly waitMillis: number }

/** One attempt: it never ends where it takes for ever. */
interface Attempt {
  readonly takes: number
  readonly ends: "answered" | "permanent" | "Transient"
}

interface History {
  readonly stack: ReadonlyArray<Layer>
  readonly attempts: ReadonlyArray<Attempt>
  /** The caller's own deadline. */
  readonly callers: number
}

const forever = Number.POSITIVE_INFINITY

// Times of different remainders, so that seldom two things happen at once.
const layer = (of: Choices, nth: number): Layer => {
  const kind = of.pick(["deadline", "deadline", "timeout", "timeout", "retry"] as const)
  if (kind === "retry") return { kind, times: of.between(0, 3), waitMillis: 7 }
  const millis = 100 * of.between(1, 9) + 11 * (nth + 1)
  return kind === "timeout" ? { kind, millis } : { kind, millis, dark: of.chance(0.25) }
}

const history = (of: Choices): History => ({
  stack: Array.from({ length: of.between(1, 4) }, (_, nth) => layer(of, nth)),
  attempts: Array.from({ length: 6 }, () => ({
    takes: of.chance(0.15) ? forever : 10 * of.between(0, 60) + 1,
    ends: of.pick(["answered", "permanent", "Transient", "Transient"])
  })),
  callers: of.chance(0.3) ? 100 * of.between(1, 15) + 63 : forever
})

interface Ended {
  readonly at: number
  readonly ends: string
}

/** What a call becomes that begins at a time, must be over by another, and is cut by what stands around it. */
const expected = ({ attempts, callers, stack }: History) => {
  let asked = 0
  // Two things at the very same moment: either may come first.
  let tied = false
  const run = (depth: number, from: number, until: number, cut: number): Ended => {
    const layer = stack[depth]
    if (layer === undefined) {
      const { ends, takes } = attempts[Math.min(asked++, attempts.length - 1)] ?? { ends: "answered", takes: 0 }
      return { at: from + takes, ends }
    }
    if (layer.kind === "deadline") {
      const at = layer.dark ? until : Math.min(until, from + layer.millis)
      if (at <= from) return { at: from, ends: "DEADLINE_EXCEEDED" }
      const ended = run(depth + 1, from, at, Math.min(cut, at))
      tied ||= ended.at === at && at !== forever
      return ended.at < at ? ended : { at, ends: "DEADLINE_EXCEEDED" }
    }
    if (layer.kind === "timeout") {
      const ended = run(depth + 1, from, until, Math.min(cut, from + layer.millis))
      tied ||= ended.at === from + layer.millis
      return ended.at < from + layer.millis ? ended : { at: from + layer.millis, ends: "TimedOut" }
    }
    let ended = run(depth + 1, from, until, cut)
    for (let left = layer.times; left > 0 && passes(ended.ends); left--) {
      const next = ended.at + layer.waitMillis
      tied ||= next === until
      if (next >= until) break
      // Whoever cuts it has done so by then.
      tied ||= next === cut
      if (next >= cut) return { at: next, ends: "cut" }
      ended = run(depth + 1, next, until, cut)
    }
    return ended
  }
  const ended = run(0, 0, callers, callers)
  return { ended, asked, tied }
}

/** What a retry asks again after. */
const passes = (ends: string) => ends === "Transient" || ends === "TimedOut"

const policyOf = (layer: Layer): Policy.Policy => {
  switch (layer.kind) {
    case "deadline":
      return Policy.deadline(layer.millis, { mode: layer.dark ? "dark" : "on" })
    case "timeout":
      return Policy.timeout(layer.millis)
    case "retry":
      return Policy.retry({
        times: layer.times,
        base: layer.waitMillis,
        delayMax: layer.waitMillis,
        backoff: "exponential"
      })
  }
}

const attempted = ({ ends, takes }: Attempt): Call.Call<string, Transient.Transient, string> => {
  if (takes === forever) return Effect.never
  const ended: Call.Call<string, Transient.Transient, string> =
    ends === "answered"
      ? Call.answer("good")
      : ends === "permanent"
        ? Call.permanent("declined")
        : Call.transient(new Transient.Transient({ cause: "reset", applied: "unknown" }))
  return Effect.delay(ended, takes)
}

/** The longest of a history, in which something ends it. */
const quietMillis = 20_000

/** What differs from the model first, in so many histories. */
const firstOf = (of: (layer: Layer) => Policy.Policy, histories: number) =>
  Effect.gen(function* () {
    for (let seed = 1; seed <= histories; seed++) {
      const story = history(choices(seed))
      const { asked, ended, tied } = expected(story)
      if (tied) continue
      let calls = 0
      const call = Effect.suspend(() =>
        attempted(story.attempts[Math.min(calls++, story.attempts.length - 1)] ?? { takes: 0, ends: "answered" })
      )
      const startedAt = yield* Clock.currentTimeMillis
      const got = yield* Effect.scoped(
        Effect.gen(function* () {
          const { intercept } = yield* living(Policy.stack(...story.stack.map(of)))
          const fiber = yield* Effect.forkChild(
            Effect.zip(ending(intercept(call)), Clock.currentTimeMillis).pipe(
              Effect.provideService(Deadline.Deadline, startedAt + story.callers)
            )
          )
          yield* TestClock.adjust(quietMillis)
          const exit = fiber.pollUnsafe()
          yield* Fiber.interrupt(fiber)
          return exit?._tag === "Success" ? { ends: exit.value[0], at: exit.value[1] - startedAt } : undefined
        })
      )
      const where = `seed ${seed}: ${JSON.stringify(story)}`
      if (ended.at === forever) {
        if (got !== undefined) return `${where}\nended with ${got.ends} at ${got.at}, and never in the model`
      } else if (got?.ends !== ended.ends || got.at !== ended.at || calls !== asked) {
        return `${where}\n${got?.ends} at ${got?.at} after ${calls} attempts, in the model ${ended.ends} at ${ended.at} after ${asked}`
      }
    }
    return undefined
  })

describe("deadlines and timeouts against their model", () => {
  it.effect("agree over 1500 random stacks", () =>
    Effect.map(firstOf(policyOf, 1500), (found) => assert.isUndefined(found))
  )

  const bugs: Readonly<Record<string, (layer: Layer) => Policy.Policy>> = {
    "a deadline that is a little too long": (of) =>
      policyOf(of.kind === "deadline" ? { ...of, millis: of.millis + 1 } : of),
    "a deadline that is never dark": (of) => policyOf(of.kind === "deadline" ? { ...of, dark: false } : of),
    "a timeout that is a little too short": (of) =>
      policyOf(of.kind === "timeout" ? { ...of, millis: of.millis - 1 } : of),
    "a timeout that ends as a deadline does": (of) =>
      of.kind === "timeout" ? Policy.deadline(of.millis, { name: "timeout" }) : policyOf(of),
    "a retry that waits beyond the deadline": (of) =>
      of.kind === "retry" ? policyOf({ ...of, waitMillis: 1 }) : policyOf(of)
  }
  it.effect.each(Object.keys(bugs))("and the planted bug is found: %s", (name) =>
    Effect.map(firstOf(bugs[name] ?? policyOf, 1500), (found) => assert.isDefined(found))
  )
})
