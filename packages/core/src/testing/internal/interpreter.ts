/** The calls of a contract, with what a plan does to them done to them. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Contract from "../../Contract.ts"
import { ContractViolation } from "../../ContractViolation.ts"
import { Transient } from "../../Transient.ts"
import type { Plan } from "../Fault.ts"
import { type Met, type Player, slowed, start, well } from "../Player.ts"
import * as Workers from "../Workers.ts"
import { busy } from "./decide.ts"

/** The request of the simulated traffic that a fiber works for; -1 where it works for none. */
export const CurrentRequest: Context.Reference<number> = Context.Reference<number>(
  "@failsoft/core/testing/CurrentRequest",
  { defaultValue: () => -1 }
)

type Raw = Effect.Effect<unknown, unknown>

/** The errors of a method's transport, in the contract's own words. */
export interface Words {
  readonly transient: (of: ConstructorParameters<typeof Transient>[0]) => unknown
  /** How many bytes an answer has, or an error that is told. */
  readonly bytes: (value: unknown) => number
  /** The row, for messages. */
  readonly label: string
}

/** One byte of an answer that drips takes so long. */
const dripMillis = 200

/** A plan that is being lived through. */
export class Interpreter {
  private readonly player: Player

  constructor(player: Player) {
    this.player = player
  }

  /** One whose time begins now, on the clock of the fiber that makes it. */
  static make(plan: Plan, seed: number): Effect.Effect<Interpreter> {
    return Effect.map(start(plan, { seed }), (player) => new Interpreter(player))
  }

  /** The raw calls of a contract, each with the faults that it meets. */
  around<M extends Contract.Methods>(
    contract: Contract.Contract<M>,
    raw: Contract.RawCalls<M>,
    place: string,
    workers?: Workers.Workers
  ): Contract.RawCalls<M> {
    const calls: Record<string, unknown> = {}
    for (const [name, method] of Object.entries(contract.methods)) {
      const of = (raw as Readonly<Record<string, (payload: unknown) => Raw>>)[name]
      const words = wordsOf(`${place}/${name}`, method)
      calls[name] = (payload: unknown): Raw =>
        Effect.withFiber((fiber) => {
          const request = fiber.getRef(CurrentRequest)
          return this.call(
            place,
            name,
            request,
            words,
            () => of?.(payload) ?? Effect.never,
            () => {},
            workers
          )
        })
    }
    // Each call stands for the raw call of the same name.
    return calls as Contract.RawCalls<M>
  }

  /** The workers of a downstream, of which the plan may take some away. */
  workers(downstream: string, options: Workers.Options) {
    return Workers.make(options, this.player.employ(downstream, options.count))
  }

  /** One call: `serve` is what the downstream does with it, or one of its workers. */
  call(
    downstream: string,
    method: string,
    request: number,
    words: Words,
    serve: () => Raw,
    onMet: (met: Met) => void,
    workers?: Workers.Workers
  ): Raw {
    if (!this.player.concerns(downstream, method)) {
      onMet(well)
      return workers === undefined ? serve() : calmly(workers, words, serve())
    }
    // The count and its finalizer are one step.
    return Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        const met = this.player.enter(downstream, method, request)
        onMet(met)
        const work = () => worked(workers, slowed(serve(), met, this.player.elapsedMillis))
        return Effect.onExit(restore(heard(workers, words, this.done(met, words, work))), () =>
          Effect.sync(() => this.player.leave(downstream))
        )
      })
    )
  }

  private done(met: Met, words: Words, serve: () => Raw): Raw {
    const after = this.outcome(met, words, serve)
    return met.delayMillis > 0 ? Effect.delay(after, met.delayMillis) : after
  }

  private outcome({ decision, until }: Met, words: Words, serve: () => Raw): Raw {
    const reset = (applied: "no" | "unknown", cause = "connection_terminated") =>
      Effect.fail(words.transient({ cause, applied }))
    const violation = (detail: string, status: number) =>
      Effect.fail(new ContractViolation({ detail: `${words.label}: ${detail}`, status }))
    // What is declared is an answer too, and is lost or comes late like any other.
    const applied = (then: (told: unknown, answer: Raw) => Raw) =>
      Effect.matchEffect(serve(), {
        onSuccess: (value) => then(value, Effect.succeed(value)),
        // Who found the queue full was not worked for.
        onFailure: (error) =>
          error instanceof Workers.QueueFull ? Effect.fail(error) : then(error, Effect.fail(error))
      })
    switch (decision._tag) {
      case "Serve":
        return serve()
      case "Refuse":
        if (decision.status === 422) return violation("the status 422 is not declared", 422)
        return Effect.fail(refused(words, decision))
      case "Hang":
        // Who hangs is let go when the fault ends, or it would outlive itself.
        return Effect.delay(
          Effect.suspend(() => reset("unknown")),
          Math.max(0, until - this.player.elapsedMillis())
        )
      case "Drip":
        return applied((told, answer) => Effect.delay(answer, dripMillis * words.bytes(told)))
      case "Garble":
        return applied(() => violation("the body does not match the success schema", 200))
      case "FailAfter":
        return applied(() =>
          Effect.fail(words.transient({ cause: "destination_unavailable", applied: "unknown", status: 502 }))
        )
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

/** A refusal in the words of the HTTP transport. */
const refused = (words: Words, { retryAfterSeconds, status }: typeof busy): unknown =>
  words.transient({
    cause: status === 429 ? "connection_limit_reached" : "destination_unavailable",
    applied: "no",
    status,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterMillis: retryAfterSeconds * 1000 })
  })

/** The work of a call, by a worker where there are some. */
const worked = (workers: Workers.Workers | undefined, work: Raw): Raw =>
  workers === undefined ? work : workers.work(work)

/** What a caller hears: a full queue is a refusal, whatever the plan would have done to the answer. */
const heard = (workers: Workers.Workers | undefined, words: Words, call: Raw): Raw =>
  workers === undefined
    ? call
    : Effect.mapError(call, (error) => (error instanceof Workers.QueueFull ? refused(words, busy) : error))

/** A call without any plan. */
export const calmly = (workers: Workers.Workers, words: Words, work: Raw): Raw =>
  heard(workers, words, workers.work(work))

/** The words of a method whose transient errors the simulator can make itself. */
export const wordsOf = (
  label: string,
  method: Contract.Method,
  make: (of: Transient) => unknown = (of) => of
): Words => {
  const encode = Schema.encodeUnknownExit(Schema.toCodecJson(method.success))
  return {
    label,
    transient: (of) => make(new Transient(of)),
    bytes: (value) => {
      const text = Exit.getSuccess(encode(value))
      return jsonLength(Option.isSome(text) ? text.value : value)
    }
  }
}

/** An error may hold what JSON has no words for: its length is that of what it says of itself. */
const jsonLength = (value: unknown): number => {
  try {
    return (JSON.stringify(value) ?? "").length
  } catch {
    return String(value).length
  }
}
