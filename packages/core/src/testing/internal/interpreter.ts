/**
 * Lives through a plan: which of its faults meet a call now, what they do to it, and
 * the call with that done to it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Contract from "../../Contract.ts"
import { ContractViolation } from "../../ContractViolation.ts"
import { Transient } from "../../Transient.ts"
import { draw } from "../Draw.ts"
import type { Plan, PlannedFault } from "../Fault.ts"
import { type Decision, decide } from "./decide.ts"

/** The request of the simulated traffic that a fiber works for; -1 where it works for none. */
export const CurrentRequest: Context.Reference<number> = Context.Reference<number>(
  "@failsoft/core/testing/CurrentRequest",
  { defaultValue: () => -1 }
)

type Raw = Effect.Effect<unknown, unknown>

/** The errors of a method's transport, in the contract's own words. */
export interface Words {
  readonly transient: (of: ConstructorParameters<typeof Transient>[0]) => unknown
  /** How many bytes an answer has. */
  readonly bytes: (value: unknown) => number
}

/** A fault, the targets it is for, and the calls that it has met. */
interface Active {
  readonly fault: PlannedFault
  readonly nth: number
  readonly targets: ReadonlyArray<string>
  met: number
}

/** What a call meets, and what of it is a name for the trace. */
export interface Met {
  readonly decision: Decision
  readonly delayMillis: number
  /** The kinds of the faults that had a part in it. */
  readonly kinds: ReadonlyArray<PlannedFault["kind"]>
  /** When the fault that decided ends, in milliseconds since the start. */
  readonly until: number
}

const well: Met = { decision: { _tag: "Serve", delayMillis: 0 }, delayMillis: 0, kinds: [], until: 0 }

/** One byte of an answer that drips takes so long. */
const dripMillis = 200

/** A plan that is being lived through. */
export class Interpreter {
  private readonly active: ReadonlyArray<Active>
  private readonly seed: number
  private readonly elapsed: () => number
  private readonly inFlight = new Map<string, number>()
  /** The faults that may meet a method at some time, by its name. */
  private readonly byMethod = new Map<string, ReadonlyArray<Active>>()
  /** How many calls each request has made to each method, so that draws have a key. */
  private readonly asked = new Map<string, number>()

  constructor(plan: Plan, seed: number, elapsed: () => number) {
    this.seed = seed
    this.elapsed = elapsed
    this.active = plan.faults.map((fault, nth) => ({
      fault,
      nth,
      targets: typeof fault.target === "string" ? [fault.target] : fault.target,
      met: 0
    }))
  }

  /** One whose time begins now, on the clock of the fiber that makes it. */
  static make(plan: Plan, seed: number): Effect.Effect<Interpreter> {
    return Effect.clockWith((clock) =>
      Effect.sync(() => {
        const start = clock.monotonicTimeNanosUnsafe()
        return new Interpreter(plan, seed, () => Number(clock.monotonicTimeNanosUnsafe() - start) / 1e6)
      })
    )
  }

  /** The raw calls of a contract, each with the faults that it meets. */
  around<M extends Contract.Methods>(contract: Contract.Contract<M>, raw: Contract.RawCalls<M>): Contract.RawCalls<M> {
    const calls: Record<string, unknown> = {}
    for (const [name, method] of Object.entries(contract.methods)) {
      const of = (raw as Readonly<Record<string, (payload: unknown) => Raw>>)[name]
      const words = wordsOf(method)
      calls[name] = (payload: unknown): Raw =>
        Effect.withFiber((fiber) => {
          const request = fiber.getRef(CurrentRequest)
          return this.call(
            contract.name,
            name,
            request,
            words,
            () => of?.(payload) ?? Effect.never,
            () => {}
          )
        })
    }
    // Each call stands for the raw call of the same name.
    return calls as Contract.RawCalls<M>
  }

  /** One call: `serve` is what the downstream does with it. */
  call(
    downstream: string,
    method: string,
    request: number,
    words: Words,
    serve: () => Raw,
    onMet: (met: Met) => void
  ): Raw {
    const faults = this.of(downstream, method)
    if (faults.length === 0) {
      onMet(well)
      return serve()
    }
    // The count and its finalizer are one step.
    return Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        const running = (this.inFlight.get(downstream) ?? 0) + 1
        this.inFlight.set(downstream, running)
        const met = this.meet(faults, `${downstream}/${method}`, request, running)
        onMet(met)
        return Effect.onExit(restore(this.done(met, words, serve)), () =>
          Effect.sync(() => this.inFlight.set(downstream, (this.inFlight.get(downstream) ?? 1) - 1))
        )
      })
    )
  }

  private of(downstream: string, method: string): ReadonlyArray<Active> {
    const name = `${downstream}/${method}`
    const known = this.byMethod.get(name)
    if (known !== undefined) return known
    const faults = this.active.filter(({ targets }) => targets.some((of) => of === downstream || of === name))
    this.byMethod.set(name, faults)
    return faults
  }

  private meet(faults: ReadonlyArray<Active>, name: string, request: number, inFlight: number): Met {
    const now = this.elapsed()
    const key = `${request} ${name}`
    const nth = this.asked.get(key) ?? 0
    this.asked.set(key, nth + 1)
    let delayMillis = 0
    const kinds: Array<PlannedFault["kind"]> = []
    for (const active of faults) {
      const { fault } = active
      if (now < fault.from || now >= fault.until + (fault.recoverMillis ?? 0)) continue
      if (fault.first !== undefined && active.met >= fault.first) continue
      // A fault that fades meets fewer and fewer.
      const fading = (now - fault.until) / (fault.recoverMillis ?? 1)
      if (now >= fault.until && draw(this.seed, active.nth, request, nth, "fade") < fading) continue
      active.met++
      const decision = decide(fault, {
        elapsedMillis: now - fault.from,
        inFlight,
        // Targets of one fault share their luck: they fail together.
        draw: draw(this.seed, active.nth, request, nth, fault.kind)
      })
      if (decision._tag === "Serve") {
        if (decision.delayMillis > 0) kinds.push(fault.kind)
        delayMillis += decision.delayMillis
        continue
      }
      kinds.push(fault.kind)
      return { decision, delayMillis, kinds, until: fault.until }
    }
    return kinds.length === 0 ? well : { ...well, delayMillis, kinds }
  }

  private done(met: Met, words: Words, serve: () => Raw): Raw {
    const after = this.outcome(met, words, serve)
    return met.delayMillis > 0 ? Effect.delay(after, met.delayMillis) : after
  }

  private outcome({ decision, until }: Met, words: Words, serve: () => Raw): Raw {
    const reset = (applied: "no" | "unknown", cause = "connection_terminated") =>
      Effect.fail(words.transient({ cause, applied }))
    const applied = (then: (value: unknown) => Raw) => Effect.flatMap(serve(), then)
    switch (decision._tag) {
      case "Serve":
        return serve()
      case "Refuse":
        if (decision.status === 422) return violation("the status 422 is not declared")
        return Effect.fail(
          words.transient({
            cause: decision.status === 429 ? "too_many_requests" : "service_unavailable",
            applied: "no",
            status: decision.status,
            ...(decision.retryAfterSeconds === undefined ? {} : { retryAfterMillis: decision.retryAfterSeconds * 1000 })
          })
        )
      case "Hang":
        // Who hangs is let go when the fault ends, or it would outlive itself.
        return Effect.delay(
          Effect.suspend(() => reset("unknown")),
          Math.max(0, until - this.elapsed())
        )
      case "Drip":
        return applied((value) => Effect.delay(Effect.succeed(value), dripMillis * words.bytes(value)))
      case "Garble":
        return applied(() => violation("the body does not match the success schema"))
      case "Truncate":
      case "ResetAfter":
        return applied(() => reset("unknown"))
      case "ResetBefore":
        return reset("unknown")
      case "Unreachable":
        return reset("no", "connection_refused")
    }
  }
}

const violation = (detail: string) => Effect.fail(new ContractViolation({ detail }))

/** The words of a method whose transient errors the simulator can make itself. */
export const wordsOf = (method: Contract.Method, make: (of: Transient) => unknown = (of) => of): Words => {
  const encode = Schema.encodeUnknownExit(Schema.toCodecJson(method.success))
  return {
    transient: (of) => make(new Transient(of)),
    bytes: (value) => {
      const text = Exit.getSuccess(encode(value))
      return Option.isSome(text) ? (JSON.stringify(text.value) ?? "").length : 0
    }
  }
}
