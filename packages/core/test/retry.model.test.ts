/** Random calls through the retry and through a plain loop that says what must happen and when. */
import { Call, Deadline, Policy, Refused, Signal } from "@failsoft/core"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import { assert, describe, it } from "vitest"
import { type Choices, search } from "./history.ts"

/** One attempt: how long it takes, and how it ends. */
type Op = {
  readonly takes: number
  readonly ends: "answer" | "permanent" | "refusal" | "transient" | "die"
  readonly applied: "no" | "unknown"
  readonly retryAfterMillis?: number
  readonly pushback?: "do-not-retry" | "overloaded"
}

interface Knobs {
  readonly times: number
  readonly base: number
  readonly delayMin: number
  readonly delayMax: number
  readonly backoff: "full" | "decorrelated" | "exponential"
  readonly unsentOnly: boolean
  readonly deadline: number
  readonly random: number
}

const op = (of: Choices): Op => ({
  takes: of.pick([0, 0, 1, 30]),
  ends: of.pick([
    "answer",
    "permanent",
    "refusal",
    "die",
    "transient",
    "transient",
    "transient",
    "transient",
    "transient"
  ]),
  applied: of.pick(["no", "no", "no", "unknown"]),
  ...(of.chance(0.2) ? { retryAfterMillis: of.pick([0, 40, 100_000]) } : {}),
  ...(of.chance(0.15) ? { pushback: of.pick(["do-not-retry", "overloaded"]) } : {})
})

const knobs = (of: Choices): Knobs => ({
  times: of.between(0, 5),
  base: of.pick([1, 10, 50]),
  delayMin: of.pick([0, 0, 5]),
  delayMax: of.pick([20, 100, 1000]),
  backoff: of.pick(["full", "decorrelated", "exponential"]),
  unsentOnly: of.chance(0.5),
  deadline: of.pick([20, 100, 400, Number.POSITIVE_INFINITY]),
  random: of.next()
})

type History = readonly [Knobs, ...ReadonlyArray<Op>]
const isKnobs = (of: Knobs | Op): of is Knobs => "times" in of

/** When each attempt begins, why it ends early, and when all is over: as a loop. */
const expected = (of: Knobs, ops: ReadonlyArray<Op>): string => {
  const log: Array<string> = []
  let now = 0
  let previous = of.base
  for (let attempt = 0; ; attempt++) {
    const op = ops[Math.min(attempt, ops.length - 1)]
    if (op === undefined) return "no script"
    log.push(`${attempt} at ${now}`)
    now += op.takes
    const stop = (why: string) => [...log, `${why} at ${now}`].join(", ")
    if (op.ends !== "transient") return stop(op.ends)
    if (attempt >= of.times) return stop("transient")
    const ceiling = of.base * 2 ** attempt
    const asked = {
      exponential: ceiling,
      full: of.random * Math.min(of.delayMax, ceiling),
      decorrelated: of.base + of.random * Math.max(0, previous * 3 - of.base)
    }[of.backoff]
    const wait = Math.min(of.delayMax, Math.max(of.delayMin, op.retryAfterMillis ?? 0, Math.min(of.delayMax, asked)))
    if (of.unsentOnly && op.applied !== "no") return stop("denied may-be-applied")
    if (op.pushback === "do-not-retry") return stop("denied callee")
    if (op.pushback === "overloaded" && op.retryAfterMillis === undefined) return stop("denied callee")
    if (now + wait >= of.deadline) return stop("denied deadline")
    previous = wait
    now += wait
  }
}

/** A clock on which a sleep takes no time but its own. */
const handClock = () => {
  let now = 0
  const nanos = () => BigInt(Math.round(now * 1e6))
  const pass = (millis: number) =>
    Effect.sync(() => {
      now += millis
    })
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => now,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) => pass(Duration.toMillis(duration))
  }
  return { clock, pass, now: () => now }
}

class Failed {
  readonly op: Op
  readonly applied: Op["applied"]
  readonly retryAfterMillis: number | undefined
  readonly pushback: Op["pushback"]
  constructor(op: Op) {
    this.op = op
    this.applied = op.applied
    this.retryAfterMillis = op.retryAfterMillis
    this.pushback = op.pushback
  }
}

const call = (op: Op): Call.Call<string, Failed, string | Refused.Refused> => {
  switch (op.ends) {
    case "answer":
      return Call.answer("answer")
    case "permanent":
      return Call.permanent("permanent")
    case "refusal":
      return Call.permanent(Refused.make({ policy: "bulkhead", reason: "BULKHEAD_FULL" }))
    case "transient":
      return Call.transient(new Failed(op))
    case "die":
      return Effect.die("bug")
  }
}

/** What the policy does with the same script. */
const happens = (of: Knobs, ops: ReadonlyArray<Op>, make: (of: Knobs) => Policy.Policy): string => {
  const { clock, now, pass } = handClock()
  const log: Array<string> = []
  let attempt = 0
  const scripted = Effect.suspend(() => {
    log.push(`${attempt} at ${now()}`)
    const op = ops[Math.min(attempt++, ops.length - 1)]
    return op === undefined ? Effect.die("no script") : Effect.andThen(pass(op.takes), call(op))
  })
  const program = Effect.gen(function* () {
    const bus = yield* Signal.make
    let ended = ""
    yield* bus.subscribe((signal) => {
      if (signal._tag === "RetryDenied") ended = `denied ${signal.reason}`
    })
    const { intercept } = yield* Policy.build(make(of), { downstream: "d", method: "m", bus })
    const exit = yield* Effect.exit(intercept(scripted))
    if (Exit.isSuccess(exit)) {
      const outcome = exit.value._tag === "Success" ? exit.value.success : exit.value.failure
      ended = typeof outcome === "string" ? outcome : "refusal"
    } else if (ended === "") ended = exit.cause.reasons[0]?._tag === "Fail" ? "transient" : "die"
    return [...log, `${ended} at ${now()}`].join(", ")
  })
  const random: typeof Random.Random.Service = {
    nextDoubleUnsafe: () => of.random,
    nextIntUnsafe: () => Math.floor(of.random * Number.MAX_SAFE_INTEGER)
  }
  return Effect.runSync(
    Effect.scoped(program).pipe(
      Effect.provideService(Clock.Clock, clock),
      Effect.provideService(Random.Random, random),
      Effect.provideService(Deadline.Deadline, of.deadline)
    )
  )
}

const options = ({ backoff, base, delayMax, delayMin, times }: Knobs) => ({ backoff, base, delayMax, delayMin, times })
const sound = (of: Knobs): Policy.Policy =>
  of.unsentOnly ? Policy.retryUnsent(options(of)) : Policy.retry(options(of))

const history = (of: Choices): History => [knobs(of), ...Array.from({ length: of.between(1, 6) }, () => op(of))]

/** To the microsecond: the two add the same numbers in different orders. */
const rounded = (log: string) => log.replace(/at ([\d.e-]+)/g, (_, at: string) => `at ${Number(at).toFixed(3)}`)

const reached = new Set<string>()

const differs =
  (make: (of: Knobs) => Policy.Policy) =>
  (ops: ReadonlyArray<Knobs | Op>): string | undefined => {
    const of = ops.find(isKnobs)
    const script = ops.filter((op): op is Op => !isKnobs(op))
    if (of === undefined || script.length === 0) return undefined
    const wanted = rounded(expected(of, script))
    reached.add(/, ([a-z -]+) at [^,]*$/.exec(wanted)?.[1] ?? "")
    const got = rounded(happens(of, script, make))
    return got === wanted ? undefined : `wanted ${wanted}, got ${got}`
  }

describe("the retry against its model", () => {
  it("agrees over 3000 random calls, which end in every way", () => {
    reached.clear()
    assert.isUndefined(search<Knobs | Op>(3000, history, differs(sound)))
    assert.deepEqual([...reached].sort(), [
      "answer",
      "denied callee",
      "denied deadline",
      "denied may-be-applied",
      "die",
      "permanent",
      "refusal",
      "transient"
    ])
  })

  const mutants: Readonly<Record<string, (of: Knobs) => Policy.Policy>> = {
    "asks once too often": (of) => sound({ ...of, times: of.times + 1 }),
    "has no cap": (of) => sound({ ...of, delayMax: 1_000_000 }),
    "has no floor": (of) => sound({ ...of, delayMin: 0 }),
    "repeats what may have been applied": (of) => sound({ ...of, unsentOnly: false }),
    "does not grow its waits": (of) => sound({ ...of, delayMax: Math.min(of.delayMax, of.base) })
  }
  it.each(Object.entries(mutants))("finds a retry that %s", (_bug, mutant) => {
    assert.isDefined(search<Knobs | Op>(2000, history, differs(mutant)))
  })
})
