/**
 * Planted bugs: for each law a policy that breaks it in a way that people really
 * write. The tests demand that the law finds it.
 */
import { Call, Knob, Policy, Refused, TimedOut } from "@failsoft/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import { rateWindowMillis, type Spec } from "./scenario.ts"
import { type Maker, sound } from "./world.ts"

/** Replaces the policies of one kind. */
const replacing =
  <K extends Spec["kind"]>(kind: K, make: (spec: Extract<Spec, { kind: K }>) => Policy.Policy): Maker =>
  (spec) =>
    isKind(spec, kind) ? make(spec) : sound(spec)

const isKind = <K extends Spec["kind"]>(spec: Spec, kind: K): spec is Extract<Spec, { kind: K }> => spec.kind === kind

const full = <A, T, P>(): Call.Call<A, T, P | Refused.Refused> =>
  Effect.succeed(Result.fail(Refused.make({ policy: "bulkhead", reason: "BULKHEAD_FULL" })))

/** A bulkhead without a queue whose taking and giving back are up to the bug. */
const bulkhead = (
  permits: number,
  enter: (count: { running: number }, permits: number) => Policy.Interceptor
): Policy.Policy =>
  Policy.fromInstance({
    kind: "bulkhead",
    make: () =>
      Effect.sync(() => {
        const count = { running: 0 }
        const interceptor = enter(count, permits)
        return { form: { _tag: "Wrap", bind: () => interceptor }, state: () => ({ ...count }) }
      })
  })

/** A rate limit without waiting whose counting is up to the bug. */
const rateLimit = (mayGo: (now: number) => boolean, ended: (now: number) => void = () => {}): Policy.Policy =>
  Policy.make(
    "rateLimit",
    () =>
      <A, T, P>(call: Call.Call<A, T, P>) =>
        Effect.flatMap(
          Clock.currentTimeMillis,
          (now): Call.Call<A, T, P | Refused.Refused> =>
            mayGo(now)
              ? Effect.ensuring(call, Effect.map(Clock.currentTimeMillis, ended))
              : Effect.succeed(Result.fail(Refused.make({ policy: "rateLimit", reason: "RATE_LIMITED" })))
        )
  )

/** Marks a permanent outcome while it passes a breaker as if it were a failure. */
class Disguised {
  readonly outcome: unknown
  constructor(outcome: unknown) {
    this.outcome = outcome
  }
}

/** A planted bug and the law that must find it. */
export interface Mutant {
  readonly bug: string
  readonly law: string
  readonly kind: "stormy" | "firm" | "healthy" | "hasty" | "turned"
  readonly maker: Maker
}

/** A bulkhead without a queue that gives back where a call would come in now. */
const misplacing = (permits: number): Policy.Policy =>
  Policy.fromInstance({
    kind: "bulkhead",
    knobs: {
      mode: Knob.word("on", ["on", "dark", "off"]),
      order: Knob.word("fifo", ["fifo", "lifo", "adaptive"]),
      keysMax: Knob.count(0, { least: 0 })
    },
    make: (values) =>
      Effect.sync(() => {
        const running = { one: 0, keyed: 0 }
        const place = () => (values.keysMax > 0 ? "keyed" : "one")
        return {
          form: {
            _tag: "Gate",
            gate: {
              enter: () =>
                running[place()] < permits
                  ? ++running[place()]
                  : Refused.make({ policy: "bulkhead", reason: "BULKHEAD_FULL" }),
              leave: () => {
                running[place()] = Math.max(0, running[place()] - 1)
              }
            }
          },
          state: () => ({ running: running.one + running.keyed })
        }
      })
  })

/** A bulkhead without a queue that begins to count anew when its knobs are turned. */
const forgetful = (permits: number): Policy.Policy =>
  Policy.fromInstance({
    kind: "bulkhead",
    knobs: { permits: Knob.count(permits), queueMax: Knob.count(0, { least: 0 }), waitMaxMillis: Knob.millis(1) },
    make: (values) =>
      Effect.sync(() => {
        let running = 0
        return {
          form: {
            _tag: "Gate",
            gate: {
              enter: () =>
                running < values.permits ? ++running : Refused.make({ policy: "bulkhead", reason: "BULKHEAD_FULL" }),
              leave: () => {
                running--
              }
            }
          },
          changed: () => {
            running = 0
          },
          state: () => ({ running })
        }
      })
  })

/** A breaker that is made anew when its knobs are turned. */
const rebuilt = (spec: Spec): Policy.Policy => {
  const [part] = sound(spec).parts
  const [spare] = sound(spec).parts
  if (part === undefined || spare === undefined) return sound(spec)
  return {
    parts: [
      {
        ...part,
        build: Effect.gen(function* () {
          const first = yield* part.build
          const second = yield* spare.build
          let now = first
          if (first.form._tag !== "Gate" || second.form._tag !== "Gate") return first
          const [one, other] = [first.form.gate, second.form.gate]
          const gate = () => (now === first ? one : other)
          return {
            ...first,
            form: {
              _tag: "Gate" as const,
              gate: {
                enter: (attempt) => gate().enter(attempt),
                leave: (attempt, token, verdict, at, startedAt) => gate().leave(attempt, token, verdict, at, startedAt)
              }
            },
            assign: (values: Policy.Facts) => {
              Object.assign(first.values, values)
              now = second
            },
            state: () => now.state()
          }
        })
      }
    ]
  }
}

export const mutants: ReadonlyArray<Mutant> = [
  {
    bug: "a retry that takes a permanent outcome for a transient one",
    law: "permanentIsAskedOnce",
    kind: "stormy",
    maker: replacing("retry", ({ times }) =>
      Policy.makeReplaying("retry", () => (call) => {
        const again = (left: number): typeof call =>
          Effect.flatMap(call, (result) =>
            Result.isFailure(result) && left > 0 ? again(left - 1) : Effect.succeed(result)
          )
        return again(times)
      })
    )
  },
  {
    bug: "a retry that asks once too often",
    law: "attemptsAreLimited",
    kind: "stormy",
    maker: replacing("retry", ({ times }) => Policy.retry({ times: times + 1, base: 5, delayMax: 20 }))
  },
  {
    bug: "a hedge once too often",
    law: "attemptsAreLimited",
    kind: "stormy",
    maker: replacing("hedge", (spec) => sound({ ...spec, hedgesMax: spec.hedgesMax + 1 }))
  },
  {
    bug: "a hedge that knows no budget",
    law: "hedgesKeepBudget",
    kind: "stormy",
    maker: replacing("hedge", (spec) => sound({ ...spec, budget: 1_000_000 }))
  },
  {
    bug: "a hedge that asks again after a permanent outcome",
    law: "permanentIsAskedOnce",
    kind: "stormy",
    maker: replacing("hedge", () =>
      Policy.makeReplaying(
        "hedge",
        () => (call) =>
          Effect.flatMap(call, (result) =>
            Result.isFailure(result) && !(result.failure instanceof Refused.Refused)
              ? Effect.delay(call, 1)
              : Effect.succeed(result)
          )
      )
    )
  },
  {
    bug: "a hedge that lets the loser run on",
    law: "nothingRunsAfterwards",
    kind: "stormy",
    maker: replacing("hedge", ({ delayMillis }) =>
      Policy.makeReplaying(
        "hedge",
        () => (call) =>
          Effect.flatMap(Effect.forkDetach(call), (first) =>
            Effect.flatMap(Effect.forkDetach(Effect.delay(call, delayMillis)), (second) =>
              Effect.raceFirst(Fiber.join(first), Fiber.join(second))
            )
          )
      )
    )
  },
  {
    bug: "an adaptive limit that grows beyond its bound",
    law: "permitsHold",
    kind: "stormy",
    maker: replacing("adaptiveLimit", (spec) => sound({ ...spec, permits: spec.permits + 1 }))
  },
  {
    bug: "a deadline that answers and lets the call run on",
    law: "nothingRunsAfterwards",
    kind: "stormy",
    maker: replacing("deadline", ({ millis }) =>
      Policy.make(
        "deadline",
        () => (call) =>
          Effect.flatMap(Effect.forkDetach(call), (fiber) =>
            Fiber.join(fiber).pipe(
              Effect.timeoutOrElse({
                duration: millis,
                orElse: () => Call.permanent(Refused.make({ policy: "deadline", reason: "DEADLINE_EXCEEDED" }))
              })
            )
          )
      )
    )
  },
  {
    bug: "a timeout that forgets the attempt it gave up",
    law: "nothingRunsAfterwards",
    kind: "stormy",
    maker: replacing("timeout", ({ millis }) =>
      Policy.make(
        "timeout",
        () => (call) =>
          Effect.flatMap(Effect.forkDetach(call), (fiber) =>
            Fiber.join(fiber).pipe(
              Effect.timeoutOrElse({
                duration: millis,
                orElse: () => Effect.fail(TimedOut.make({ policy: "timeout", limitMillis: millis }))
              })
            )
          )
      )
    )
  },
  {
    bug: "a deadline twice as long as it says",
    law: "deadlinesHold",
    kind: "stormy",
    maker: replacing("deadline", ({ millis }) => Policy.deadline(millis * 2))
  },
  {
    bug: "a bulkhead that gives back only after an answer",
    law: "everythingIsGivenBack",
    kind: "stormy",
    maker: replacing("bulkhead", ({ permits }) =>
      bulkhead(
        permits,
        (count, most) => (call) =>
          Effect.suspend(() => {
            if (count.running >= most) return full()
            count.running++
            return Effect.tap(call, () => Effect.sync(() => count.running--))
          })
      )
    )
  },
  {
    bug: "a bulkhead that takes its permit one step before it promises to give it back",
    law: "everythingIsGivenBack",
    kind: "hasty",
    maker: replacing("bulkhead", ({ permits }) =>
      bulkhead(
        permits,
        (count, most) => (call) =>
          Effect.flatMap(
            Effect.sync(() => count.running < most && ++count.running > 0),
            (taken) =>
              taken
                ? Effect.ensuring(
                    call,
                    Effect.sync(() => count.running--)
                  )
                : full()
          )
      )
    )
  },
  {
    bug: "a bulkhead that looks first and takes later",
    law: "permitsHold",
    kind: "stormy",
    maker: replacing("bulkhead", ({ permits }) =>
      bulkhead(
        permits,
        (count, most) => (call) =>
          Effect.flatMap(
            Effect.andThen(
              Effect.yieldNow,
              Effect.sync(() => count.running < most)
            ),
            (free) =>
              free
                ? Effect.andThen(
                    Effect.yieldNow,
                    Effect.suspend(() => {
                      count.running++
                      return Effect.ensuring(
                        call,
                        Effect.sync(() => count.running--)
                      )
                    })
                  )
                : full()
          )
      )
    )
  },
  {
    bug: "a bulkhead that is one permit short",
    law: "healthyAnswers",
    kind: "healthy",
    maker: replacing("bulkhead", ({ permits }) =>
      permits === 1 ? Policy.bulkhead() : Policy.bulkhead({ permits: permits - 1, queueMax: 0 })
    )
  },
  {
    bug: "a bulkhead that never wakes who waits in it",
    law: "healthyAnswers",
    kind: "healthy",
    maker: replacing("bulkhead", ({ permits, waitMillis }) =>
      bulkhead(
        permits,
        (count, most) => (call) =>
          Effect.suspend(() => {
            if (count.running >= most) return Effect.flatMap(Effect.sleep(waitMillis), () => full())
            count.running++
            return Effect.ensuring(
              call,
              Effect.sync(() => count.running--)
            )
          })
      )
    )
  },
  {
    bug: "a rate limit that begins anew with each window",
    law: "ratesHold",
    kind: "stormy",
    maker: replacing("rateLimit", ({ permits }) => {
      const window = { nth: -1, count: 0 }
      return rateLimit((now) => {
        const nth = Math.floor(now / rateWindowMillis)
        if (nth !== window.nth) Object.assign(window, { nth, count: 0 })
        return window.count++ < permits
      })
    })
  },
  {
    bug: "a rate limit that looks first and counts when the call has ended",
    law: "ratesHold",
    kind: "stormy",
    maker: replacing("rateLimit", ({ permits }) => {
      const ended: Array<number> = []
      const within = (now: number) => ended.filter((at) => at > now - rateWindowMillis).length
      return rateLimit(
        (now) => within(now) < permits,
        (now) => void ended.push(now)
      )
    })
  },
  {
    bug: "a rate limit that is one permit short",
    law: "healthyAnswers",
    kind: "healthy",
    maker: replacing("rateLimit", ({ permits }) =>
      Policy.rateLimit({ permits: Math.max(1, permits - 1), window: rateWindowMillis })
    )
  },
  {
    bug: "a rate limit that forgets who waits when it goes away",
    law: "everythingIsGivenBack",
    kind: "stormy",
    maker: replacing("rateLimit", (spec) => {
      const limit = sound(spec)
      return {
        parts: limit.parts.map((part) => ({
          ...part,
          build: Effect.map(part.build, (instance) => {
            const { form } = instance
            if (form._tag !== "Gate") return instance
            const { due, enter, leave } = form.gate
            // Without `abandon` its place stays taken, and without `due` nobody is ever served.
            return {
              ...instance,
              form: { _tag: "Gate", gate: { enter, leave, ...(due === undefined ? {} : { due }) } }
            }
          })
        }))
      }
    })
  },
  {
    bug: "a breaker that counts permanent outcomes",
    law: "onlyFailuresOpen",
    kind: "firm",
    maker: replacing("circuitBreaker", (spec) =>
      Policy.around(
        sound(spec),
        (inner) => (call) =>
          inner(
            Effect.flatMap(call, (result) => {
              if (Result.isSuccess(result) || result.failure instanceof Refused.Refused) return Effect.succeed(result)
              return Effect.fail(new Disguised(result.failure))
            })
          ).pipe(
            Effect.catchIf(
              (error) => error instanceof Disguised,
              // What was disguised on the way in is the call's own outcome.
              (disguised) => Effect.succeed(Result.fail(disguised.outcome as never))
            )
          )
      )
    )
  },
  {
    bug: "a breaker that thinks before it refuses",
    law: "refusalsAreInstant",
    kind: "stormy",
    maker: replacing("circuitBreaker", (spec) =>
      Policy.around(
        sound(spec),
        (inner) => (call) =>
          Effect.tap(inner(call), (result) =>
            Result.isFailure(result) && result.failure instanceof Refused.Refused ? Effect.sleep(1) : Effect.void
          )
      )
    )
  },
  {
    bug: "a breaker that loses count of its probes when a caller goes away",
    law: "everythingIsGivenBack",
    kind: "stormy",
    maker: replacing("circuitBreaker", (spec) => {
      let lost = 0
      const breaker = sound(spec)
      const lossy = Policy.around(
        breaker,
        (inner, _, instance) => (call) =>
          Effect.suspend(() => {
            const halfOpen = instance.state()["circuit"] !== "closed"
            return Effect.onInterrupt(inner(call), () =>
              Effect.sync(() => {
                if (halfOpen) lost++
              })
            )
          })
      )
      return {
        parts: lossy.parts.map((part) => ({
          ...part,
          build: Effect.map(part.build, (instance) => ({
            ...instance,
            state: () => ({ ...instance.state(), probing: Number(instance.state()["probing"]) + lost })
          }))
        }))
      }
    })
  },
  {
    bug: "a breaker that never closes again",
    law: "recovers",
    kind: "stormy",
    maker: replacing("circuitBreaker", (spec) =>
      Policy.circuitBreaker({ ...spec, failureRate: 0.5, openFor: "1 hour", window: "1 second" })
    )
  },
  {
    bug: "a bulkhead that counts anew when a knob is turned: too many run",
    law: "permitsHold",
    kind: "turned",
    maker: replacing("bulkhead", ({ permits }) => forgetful(permits))
  },
  {
    bug: "a bulkhead that counts anew when a knob is turned: more is given back than was taken",
    law: "everythingIsGivenBack",
    kind: "turned",
    maker: replacing("bulkhead", ({ permits }) => forgetful(permits))
  },
  {
    bug: "a bulkhead that gives back to another key's permits once keysMax was turned",
    law: "everythingIsGivenBack",
    kind: "turned",
    maker: replacing("bulkhead", ({ permits }) => misplacing(permits))
  },
  {
    bug: "a breaker that is made anew when a knob is turned",
    law: "circuitsMoveStepByStep",
    kind: "turned",
    maker: replacing("circuitBreaker", rebuilt)
  },
  {
    bug: "a bulkhead that refuses in silence",
    law: "refusalsAreToldOnce",
    kind: "stormy",
    maker: replacing("bulkhead", ({ permits }) =>
      bulkhead(
        permits,
        (count, most) => (call) =>
          Effect.suspend(() => {
            if (count.running >= most) return full()
            count.running++
            return Effect.ensuring(
              call,
              Effect.sync(() => count.running--)
            )
          })
      )
    )
  },
  {
    bug: "a breaker that tells its refusals twice",
    law: "refusalsAreToldOnce",
    kind: "stormy",
    maker: replacing("circuitBreaker", (spec) =>
      Policy.around(
        sound(spec),
        (inner, { bus, downstream, method }) =>
          (call) =>
            Effect.tap(inner(call), (result) =>
              Effect.map(Clock.currentTimeMillis, (at) => {
                if (Result.isSuccess(result) || !(result.failure instanceof Refused.Refused)) return
                const { policy, reason } = result.failure
                if (policy !== "circuitBreaker") return
                bus.emit({
                  _tag: "CallRefused",
                  at,
                  downstream,
                  method,
                  policy,
                  reason,
                  dark: false,
                  refused: result.failure
                })
              })
            )
      )
    )
  },
  {
    bug: "a retry that asks again in silence",
    law: "extraAttemptsAreTold",
    kind: "stormy",
    maker: replacing("retry", ({ times }) =>
      Policy.makeReplaying("retry", () => (call) => {
        const again = (left: number): typeof call =>
          Effect.catch(call, (error) => (left > 0 ? Effect.delay(again(left - 1), 5) : Effect.fail(error)))
        return again(times)
      })
    )
  },
  {
    bug: "a retry that tells each of its attempts, the first one too",
    law: "retriesAreToldOnce",
    kind: "stormy",
    maker: replacing("retry", (spec) =>
      Policy.around(
        sound(spec),
        (inner, { bus, downstream, method }) =>
          (call) =>
            inner(
              Effect.tapError(call, () =>
                Effect.map(Clock.currentTimeMillis, (at) =>
                  bus.emit({ _tag: "RetryScheduled", at, downstream, method, attempt: 0, delayMillis: 0, cause: "" })
                )
              )
            )
      )
    )
  },
  {
    bug: "a timeout that tells each cut twice",
    law: "timeoutsAreToldOnce",
    kind: "stormy",
    maker: replacing("timeout", (spec) =>
      Policy.around(
        sound(spec),
        (inner, { bus, downstream, method }) =>
          (call) =>
            Effect.tapError(inner(call), (error) =>
              error instanceof TimedOut.TimedOut
                ? Effect.map(Clock.currentTimeMillis, (at) =>
                    bus.emit({ _tag: "AttemptTimedOut", at, downstream, method, limitMillis: spec.millis })
                  )
                : Effect.void
            )
      )
    )
  }
]
