/** Writes down what happens in a run. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Answer from "../../Answer.ts"
import { Attempt as AttemptNumber } from "../../Attempt.ts"
import { CallKey } from "../../CallKey.ts"
import type * as Contract from "../../Contract.ts"
import { isContractViolation } from "../../ContractViolation.ts"
import * as hints from "../../internal/hints.ts"
import { Looking } from "../../internal/looking.ts"
import type { Reading } from "../../internal/witness.ts"
import type { RequestJournal } from "../../Journal.ts"
import type { Instance } from "../../Policy.ts"
import { Refused } from "../../Refused.ts"
import type { RegisteredRow } from "../../Settings.ts"
import type { Signal } from "../../Signal.ts"
import { Unavailable } from "../../Unavailable.ts"
import type { Met } from "../Player.ts"
import type * as Trace from "../Trace.ts"
import type { Judgement, Traffic } from "../Traffic.ts"
import type { Arrival } from "./arrivals.ts"
import { CurrentRequest } from "./interpreter.ts"

type Raw = Effect.Effect<unknown, unknown>

/** Far more than a run has; what comes later is not written down. */
const entriesMax = 1_000_000

/** Which row is asked, and in which region; the texts are made once for all attempts. */
export interface Asked {
  readonly row: string
  readonly region: string | undefined
  readonly regionRow: string | undefined
}

/** The notes of one run. */
export class Recorder {
  readonly requests: Array<Trace.Request> = []
  readonly attempts: Array<Trace.Attempt> = []
  readonly signals: Array<Trace.Told> = []
  readonly reads: Array<Trace.Read> = []
  readonly rows: Array<RegisteredRow> = []
  private readonly breakers = new Map<string, Instance | null>()
  private readonly elapsed: () => number
  private nth = 0

  constructor(elapsed: () => number) {
    this.elapsed = elapsed
  }

  signal(signal: Signal): void {
    if (this.signals.length >= entriesMax) return
    const fiber = Fiber.getCurrent()
    const request = fiber === undefined ? -1 : fiber.getRef(CurrentRequest)
    this.signals.push({ nth: this.nth++, at: this.elapsed(), request, signal })
  }

  /** A session reads; what is returned is told how old what it was shown is. */
  read(request: number, reading: Reading): (ageMillis: number, aged: boolean) => void {
    const read: Trace.Read = {
      ...reading,
      nth: this.nth++,
      request,
      at: this.elapsed(),
      endedAt: undefined,
      endedNth: undefined,
      asOf: undefined,
      aged: false
    }
    if (this.reads.length < entriesMax) this.reads.push(read)
    return (ageMillis, aged) => {
      read.aged = aged
      read.endedAt = this.elapsed()
      read.endedNth = this.nth++
      read.asOf = read.endedAt - ageMillis
    }
  }

  begun({ id }: Arrival, { name }: Traffic<never>): Trace.Request {
    const request: Trace.Request = {
      id,
      nth: this.nth++,
      name,
      at: this.elapsed(),
      endedAt: undefined,
      endedNth: undefined,
      outcome: "unfinished",
      quality: "fresh",
      detail: "",
      degraded: []
    }
    this.requests.push(request)
    return request
  }

  ended(request: Trace.Request, exit: Exit.Exit<unknown, unknown>, journal: RequestJournal, of: Traffic<never>): void {
    request.endedAt = this.elapsed()
    request.endedNth = this.nth++
    request.degraded = journal.entries()
    if (Exit.isSuccess(exit)) {
      const said = of.judge(exit.value)
      request.quality = Answer.worst([
        ...request.degraded.map(({ quality }) => quality),
        ...(isAnswer(exit.value) ? [exit.value.quality] : [])
      ])
      judged(request, "answered", said)
      return
    }
    const [reason] = exit.cause.reasons
    if (reason?._tag === "Fail") {
      const { error } = reason
      request.detail = wordOf(error)
      judged(request, isUnavailable(error) ? "unavailable" : "permanent", of.judgeError(error))
    } else if (reason?._tag === "Die") {
      request.outcome = "died"
      request.detail = String(reason.defect)
    } else request.outcome = "aborted"
  }

  /** One attempt, at one region where there are several: `call` is given what to tell when the plan has decided. */
  attempt(
    contract: Contract.Contract,
    { region, regionRow, row }: Asked,
    name: string,
    payload: unknown,
    call: (request: number, onMet: (met: Met) => void, onApplied: () => void) => Raw
  ): Raw {
    // The circuit as the gates have left it, in the same synchronous step.
    const circuit = this.circuitOf(row)
    const regionCircuit = regionRow === undefined ? undefined : this.circuitOf(regionRow)
    let mine: Trace.Attempt | undefined
    const body = Effect.withFiber<unknown, unknown>((fiber) => {
      const attempt: Trace.Attempt = {
        nth: this.nth++,
        request: fiber.getRef(CurrentRequest),
        downstream: contract.name,
        method: name,
        at: this.elapsed(),
        endedAt: undefined,
        endedNth: undefined,
        attempt: fiber.getRef(AttemptNumber),
        payload,
        key: fiber.getRef(CallKey),
        idempotencyKey: contract.methods[name]?.idempotencyKey?.(payload),
        faults: [],
        outcome: "running",
        applied: false,
        certainlyNot: false,
        circuit,
        region: region === undefined ? undefined : { name: region, circuit: regionCircuit, look: fiber.getRef(Looking) }
      }
      mine = attempt
      if (this.attempts.length < entriesMax) this.attempts.push(attempt)
      return call(
        attempt.request,
        ({ kinds }) => {
          attempt.faults = kinds
        },
        () => {
          attempt.applied = true
        }
      )
    })
    // The attempt begins inside the frame that notes its end: the witness has no gap of its own.
    return Effect.onExit(body, (exit) => Effect.sync(() => mine && this.attemptEnded(mine, exit, contract)))
  }

  private attemptEnded(attempt: Trace.Attempt, exit: Exit.Exit<unknown, unknown>, contract: Contract.Contract): void {
    attempt.endedAt = this.elapsed()
    attempt.endedNth = this.nth++
    if (Exit.isSuccess(exit)) {
      attempt.outcome = "answered"
      return
    }
    const [reason] = exit.cause.reasons
    if (reason?._tag !== "Fail") {
      attempt.outcome = reason?._tag === "Die" ? "died" : "interrupted"
      return
    }
    const { error } = reason
    const method = contract.methods[attempt.method]
    attempt.certainlyNot = hints.notApplied(error)
    attempt.outcome =
      error instanceof Refused
        ? "refused"
        : isContractViolation(error)
          ? "violation"
          : method !== undefined && Schema.is(method.permanent)(error)
            ? "permanent"
            : "transient"
  }

  private circuitOf(row: string): string | undefined {
    const known = this.breakers.get(row)
    const breaker = known === undefined ? this.breakerOf(row) : known
    if (known === undefined) this.breakers.set(row, breaker)
    const circuit = breaker?.state(Fiber.getCurrent()?.getRef(CallKey) ?? "")["circuit"]
    return typeof circuit === "string" ? circuit : undefined
  }

  /** The breaker of a row, `null` where it has none. */
  private breakerOf(row: string): Instance | null {
    for (const { parts, row: of } of this.rows) {
      if (`${of.downstream}/${of.method}` !== row) continue
      return parts.find(({ part }) => part.kind === "circuitBreaker")?.instance ?? null
    }
    return null
  }
}

const judged = (request: Trace.Request, outcome: Trace.Outcome, said: Judgement): void => {
  request.outcome = outcome
  if (said === undefined) return
  if (said === "permanent" || said === "unavailable") request.outcome = said
  else {
    request.outcome = "answered"
    request.quality = Answer.worst([request.quality, said])
  }
}

const isAnswer = (value: unknown): value is Answer.Answer<unknown> =>
  Predicate.isObject(value) &&
  "quality" in value &&
  "value" in value &&
  Answer.qualities.some((quality) => quality === value.quality)

const isUnavailable = (error: unknown): boolean => error instanceof Unavailable

const wordOf = (error: unknown): string => {
  if (error instanceof Unavailable) return `${error.downstream}/${error.method} ${error.reason}`
  return Predicate.hasProperty(error, "_tag") ? String(error._tag) : String(error)
}
