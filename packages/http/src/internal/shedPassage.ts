/** One request on its way past the shedder: waiting, let in, or turned away, and back out. */
import { Gate, Refused, type Shedder } from "@failsoft/core"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Random from "effect/Random"
import { Drain } from "../Drain.ts"
import { ArrivedAt } from "./arrival.ts"
import type { Placed } from "./routePlaces.ts"
import { shedBody, shedHeaders } from "./shedAnswer.ts"
import { refuseTrial } from "./trial.ts"

type Response = HttpServerResponse.HttpServerResponse

/** The request as a gate sees it; its key is its priority. */
export class ShedPassage<E, R> implements Gate.Attempt {
  readonly row: Placed["row"]
  readonly now: number
  readonly deadlineAt: number
  private readonly gate: Gate.Gate
  private readonly app: Effect.Effect<Response, E, R>
  private readonly priority: Shedder.Priority
  private readonly fiber: Fiber.Fiber<unknown, unknown>
  private readonly request: HttpServerRequest.HttpServerRequest
  private token = -1
  private startedAt = -1
  private ticket: Gate.Ticket | undefined

  constructor(
    gate: Gate.Gate,
    app: Effect.Effect<Response, E, R>,
    fiber: Fiber.Fiber<unknown, unknown>,
    request: HttpServerRequest.HttpServerRequest,
    row: Placed["row"],
    priority: Shedder.Priority,
    grantedMillis: number
  ) {
    this.gate = gate
    this.app = app
    this.fiber = fiber
    this.request = request
    this.row = row
    this.priority = priority
    this.now = this.time()
    this.deadlineAt = this.now + grantedMillis
  }

  key(): string {
    return this.priority
  }

  random(): number {
    return this.fiber.getRef(Random.Random).nextDoubleUnsafe()
  }

  outlive(): void {}

  private time(): number {
    return this.fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
  }

  /** Runs inside the frame that calls `ended`, so what the gate gave is never lost. */
  enter(): Effect.Effect<Response, E, R> {
    const admitted = this.gate.enter(this)
    if (typeof admitted === "number") return this.admit(admitted)
    if (!(admitted instanceof Gate.Ticket)) return Effect.succeed(this.turnedAway(admitted))
    this.ticket = admitted
    return this.wait(admitted)
  }

  private admit(token: number): Effect.Effect<Response, E, R> {
    this.token = token
    if (this.ticket === undefined) {
      this.startedAt = this.now
      return this.app
    }
    this.startedAt = this.time()
    // Its caller has been waiting since then: the edge grants what is left.
    return Effect.provideService(this.app, ArrivedAt, this.now)
  }

  /** A client that goes away while it waits must not be waited for. */
  private wait(ticket: Gate.Ticket): Effect.Effect<Response, E, R> {
    const decided = Effect.callback<void>((resume) => {
      ticket.notify = () => resume(Effect.void)
      if (ticket.settled) resume(Effect.void)
    })
    const inTime = Effect.interruptible(Effect.timeoutOption(decided, ticket.waitMillis))
    return Effect.flatMap(inTime, () => {
      if (ticket.token >= 0) return this.admit(ticket.token)
      const refused = ticket.refusal ?? this.gate.abandon?.(this, ticket, this.time()) ?? spent
      this.ticket = undefined
      return Effect.succeed(this.turnedAway(refused))
    })
  }

  /** Gives everything back, however the request ended. */
  ended(exit: Exit.Exit<unknown, unknown>): undefined {
    const now = this.time()
    const { ticket } = this
    // It may have been let in at the very moment at which it was interrupted.
    const token = this.token >= 0 ? this.token : (ticket?.token ?? -1)
    if (token >= 0) this.gate.leave(this, token, verdictOf(exit), now, this.startedAt)
    else if (ticket !== undefined && !ticket.settled) this.gate.abandon?.(this, ticket, now)
    return undefined
  }

  /** The record as an event of the request's span, where somebody traces. */
  private trace(refusal: Refused.Record): void {
    const { span } = this.fiber.cache
    if (span?._tag !== "Span" || !span.sampled) return
    const now = this.fiber.getRef(Clock.Clock).currentTimeNanosUnsafe()
    span.event("resilience.refused", now, Refused.attributes(refusal, this.row))
  }

  /** No schema, no span of its own, no reading of the body: a shed request must cost next to nothing. */
  private turnedAway(refused: Refused.Refused): Response {
    const refusal = Refused.record(refused)
    refuseTrial(this.fiber)
    this.trace(refusal)
    const { headers, url } = this.request
    return HttpServerResponse.text(shedBody(refused, url, headers["traceparent"]), {
      status: 503,
      contentType: "application/problem+json",
      headers: shedHeaders(refused, this.random(), this.fiber.getRef(Drain).draining())
    })
  }
}

/** A gate that keeps no record of those who waited in vain. */
const spent = Refused.make({ policy: "loadShedding", reason: "LOAD_SHED" })

const verdictOf = (exit: Exit.Exit<unknown, unknown>): Gate.Verdict => {
  if (exit._tag === "Success") return "answered"
  return Cause.hasInterruptsOnly(exit.cause) ? "aborted" : "died"
}
