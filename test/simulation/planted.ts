/** Bugs that people really write, each planted into a service that is otherwise right. */
import { type Call, type Gate, Knob, Policy, Refused } from "@failsoft/core"
import { Traffic } from "@failsoft/core/testing"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { Bank, service } from "./service.ts"

const permits = 4

const full = <A, T, P>(): Call.Call<A, T, P | Refused.Refused> =>
  Effect.succeed(Result.fail(Refused.make({ policy: "bulkhead", reason: "BULKHEAD_FULL" })))

/** A bulkhead without a queue, made by hand from effects. */
const bulkhead = (make: (count: { running: number }) => Policy.Interceptor): Policy.Policy<"unbounded"> =>
  Policy.fromInstance({
    kind: "bulkhead",
    marks: ["unbounded"],
    knobs: { permits: Knob.count(permits) },
    make: () =>
      Effect.sync(() => {
        const count = { running: 0 }
        const interceptor = make(count)
        return { form: { _tag: "Wrap", bind: () => interceptor }, state: () => ({ ...count }) }
      })
  })

/** Entering and leaving of a breaker as textbooks show it: one probe at a time. */
interface Slots {
  readonly herd: boolean
  readonly keepsLostSlots: boolean
}

/** A textbook's breaker: five failures in a row open it for a second. */
const textbook = ({ herd, keepsLostSlots }: Slots): Policy.Policy<"unbounded"> =>
  Policy.fromInstance({
    kind: "circuitBreaker",
    marks: ["unbounded"],
    knobs: { probes: Knob.count(1) },
    make: () =>
      Effect.sync(() => {
        let circuit: "closed" | "open" | "half-open" = "closed"
        let failures = 0
        let openUntil = 0
        let probing = 0
        const move = ({ row }: Gate.Attempt, to: typeof circuit, at: number) => {
          const { downstream, method } = row
          const from = circuit
          circuit = to
          row.bus.emit({
            _tag: "CircuitChanged",
            at,
            downstream,
            method,
            policy: "circuitBreaker",
            from,
            to,
            reason: "failure-rate",
            calls: 0,
            failures,
            slow: 0
          })
        }
        const gate: Gate.Gate = {
          enter: (attempt) => {
            if (circuit === "open" && attempt.now >= openUntil) move(attempt, "half-open", attempt.now)
            if (circuit === "closed") return 0
            if (circuit === "half-open" && (herd || probing === 0)) {
              probing++
              return 1
            }
            return Refused.make({ policy: "circuitBreaker", reason: "CIRCUIT_OPEN" })
          },
          leave: (attempt, token, verdict, now) => {
            const lost = verdict === "aborted" || verdict === "refused"
            if (token === 1 && !(lost && keepsLostSlots)) probing--
            if (lost) return
            const failed = verdict === "failed" || verdict === "timedOut" || verdict === "violated"
            failures = failed ? failures + 1 : 0
            if (circuit === "half-open" && token === 1) move(attempt, failed ? "open" : "closed", now)
            else if (circuit === "closed" && failures >= 5) move(attempt, "open", now)
            else return
            openUntil = now + 1000
          }
        }
        return { form: { _tag: "Gate", gate }, state: () => ({ circuit }) }
      })
  })

/** The textbook's breaker without a bug, to show that it is the bug that is found. */
export const textbookBreaker = () => textbook({ herd: false, keepsLostSlots: false })

/** A bug, where it is, the rules that may find it, and within how many runs. */
export interface Planted {
  readonly bug: string
  readonly rules: ReadonlyArray<string>
  /** What finds it as well, and is left out. */
  readonly except?: ReadonlyArray<string>
  readonly within: number
  readonly requestsMax: number
  readonly service: () => ReturnType<typeof service>
}

export const planted: ReadonlyArray<Planted> = [
  {
    bug: "a permit is not given back when the caller goes away",
    rules: ["every permit is given back"],
    within: 40,
    requestsMax: 1,
    service: () =>
      service({
        bulkhead: bulkhead((count) => <A, T, P>(call: Call.Call<A, T, P>) => {
          const back = Effect.sync(() => count.running--)
          return Effect.suspend((): Call.Call<A, T, P | Refused.Refused> => {
            if (count.running >= permits) return full()
            count.running++
            return Effect.tapError(
              Effect.tap(call, () => back),
              () => back
            )
          })
        })
      })
  },
  {
    bug: "a permanent error is asked for again",
    rules: ["a final word is never asked for again"],
    within: 140,
    requestsMax: 1,
    service: () =>
      service({
        retry: Policy.makeReplaying("retry", () => (call) => {
          const again = (left: number): typeof call =>
            Effect.flatMap(call, (result) =>
              Result.isFailure(result) && left > 0 ? again(left - 1) : Effect.succeed(result)
            )
          return again(2)
        })
      })
  },
  {
    bug: "a half-open circuit lets everybody in",
    rules: ["a circuit lets nothing pass but its probes"],
    within: 20,
    requestsMax: 8,
    service: () => service({ breaker: textbook({ herd: true, keepsLostSlots: false }) })
  },
  {
    bug: "a write that may be applied is sent again after its answer was lost",
    rules: ["an unsafe write is sent once"],
    // A repetition of one's own tells nobody, which is seen before the write is applied twice.
    except: ["each attempt has a call, a retry or a hedge"],
    within: 70,
    requestsMax: 1,
    service: () => service({ once: Policy.make("again", () => (call) => Effect.catch(call, () => call)) })
  },
  {
    bug: "a fallback that does not say so",
    rules: ["a degraded answer says so"],
    within: 10,
    requestsMax: 1,
    service: () => {
      const of = service()
      const hidden = Traffic.make("POST /orders", ({ nth }) =>
        Bank.use((bank) => bank.charge({ order: `order-${nth}`, card: "good" })).pipe(
          Effect.catchTag("Unavailable", () => Effect.succeed("charged"))
        )
      )
      return { ...of, traffic: [hidden, of.traffic[1], of.traffic[2]] as const }
    }
  },
  {
    bug: "a breaker keeps the slot of a probe that was given up",
    rules: ["full quality is back in time"],
    within: 600,
    requestsMax: 60,
    service: () => service({ breaker: textbook({ herd: false, keepsLostSlots: true }) })
  },
  {
    bug: "a permit is taken one step before its finalizer is in place",
    rules: ["every permit is given back"],
    within: 180,
    requestsMax: 4,
    service: () =>
      service({
        bulkhead: bulkhead(
          (count) => (call) =>
            Effect.flatMap(
              Effect.sync(() => count.running < permits && ++count.running > 0),
              (taken) =>
                taken
                  ? Effect.ensuring(
                      call,
                      Effect.sync(() => count.running--)
                    )
                  : full()
            )
        )
      })
  },
  {
    bug: "a permit is looked for in one step and taken in the next",
    rules: ["attempts stay within the permits"],
    within: 180,
    requestsMax: 14,
    service: () =>
      service({
        bulkhead: bulkhead(
          (count) => (call) =>
            Effect.flatMap(
              Effect.sync(() => count.running < permits),
              (free) =>
                free
                  ? Effect.acquireUseRelease(
                      Effect.sync(() => count.running++),
                      () => call,
                      () => Effect.sync(() => count.running--)
                    )
                  : full()
            )
        )
      })
  }
]
