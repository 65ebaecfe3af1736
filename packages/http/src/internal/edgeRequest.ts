/**
 * One request at the edge, as one object: what it may take, its journal, its
 * deadline, and how its outcome becomes a response.
 *
 * The request's own fiber runs the routes. When its time is over, a shared sleeper
 * writes the answer on the socket and interrupts that fiber; two fibers and a timer
 * for a race would cost more than all the rest of the edge.
 */
import { Cache, Deadline, Journal, ReadMarks } from "@failsoft/core"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpTraceContext from "effect/http/HttpTraceContext"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Tracer from "effect/Tracer"
import * as Caching from "../Caching.ts"
import * as Degraded from "../Degraded.ts"
import type { DrainSwitch } from "../Drain.ts"
import * as Problem from "../Problem.ts"
import { answerEarly } from "./answerEarly.ts"
import { ArrivedAt } from "./arrival.ts"
import * as readMarkField from "./readMarkField.ts"
import { grantedMillis } from "./requestDeadline.ts"
import { privately, varying } from "./sharedCaches.ts"
import { fromCause, withProblemBody } from "./toProblem.ts"
import { refuseTrial } from "./trial.ts"

type Response = HttpServerResponse.HttpServerResponse

/** What all requests of an edge have in common. */
export interface Limits {
  readonly deadlineMillis: number
  readonly maxBytes: number
  readonly maxSize: typeof HttpIncomingMessage.MaxBodySize.Service
  /** The most read marks that a client carries, 0 for none. */
  readonly readMarksMax: number
  /** Who gets what he says of caches, if anybody. */
  readonly callers: Caching.Callers | undefined
  readonly alarms: Deadline.Alarms
  readonly drain: DrainSwitch
  /** What those who stand before the edge tell on a response at this time. */
  readonly told: (request: HttpServerRequest.HttpServerRequest, now: number) => Readonly<Record<string, string>>
}

/** A request between its arrival and its answer. */
export class EdgeRequest implements Deadline.Alarm {
  at = 0
  below: Deadline.Alarm | undefined = undefined
  next: Deadline.Alarm | undefined = undefined
  previous: Deadline.Alarm | undefined = undefined
  listed: Deadline.Alarm["listed"] = "no"
  private readonly limits: Limits
  private readonly fiber: Fiber.Fiber<unknown, unknown>
  private readonly request: HttpServerRequest.HttpServerRequest
  private readonly journal = Journal.makeUnsafe()
  private millis = 0
  /** What the client's session was shown, where it says so. */
  private marks: ReadMarks.CarriedMarks | undefined = undefined
  /** What the client wants of caches. */
  private demand: Cache.Demand = "any"
  /** What was answered when its time was over. */
  private early: Response | undefined = undefined

  constructor(limits: Limits, fiber: Fiber.Fiber<unknown, unknown>, request: HttpServerRequest.HttpServerRequest) {
    this.limits = limits
    this.fiber = fiber
    this.request = request
  }

  /** Runs the routes with this request's journal, deadline and limit, and always has an answer. */
  serve<E, R>(app: Effect.Effect<Response, E, R>): Effect.Effect<Response, E, R> {
    const now = this.fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
    const waited = Math.max(0, now - this.fiber.getRef(ArrivedAt))
    const admitted = this.admit(waited)
    if (typeof admitted !== "number") {
      refuseTrial(this.fiber)
      return Effect.flatMap(Problem.toResponse(admitted), this.onSuccess)
    }
    this.millis = admitted
    const at = Math.min(this.fiber.getRef(Deadline.Deadline), now + this.millis)
    // As the router does; the enclosing request restores it.
    this.fiber.setContext(
      inTrace(this.fiber.context, this.request).pipe(
        Context.add(Journal.Journal, this.journal),
        Context.add(HttpIncomingMessage.MaxBodySize, this.limits.maxSize),
        Context.add(Deadline.Deadline, at)
      )
    )
    this.takeMarks()
    this.takeDemand()
    this.limits.alarms.add(this, this.fiber, now, this.millis)
    return Effect.matchCauseEffect(app, {
      onSuccess: this.onSuccess,
      onFailure: (cause: Cause.Cause<E>) => this.onFailure(cause)
    })
  }

  /** The answer of the routes, with what degraded in it. */
  readonly onSuccess = (response: Response): Effect.Effect<Response> => {
    this.limits.alarms.remove(this)
    // What was not known stays unsaid, whatever a fallback or the handler has put in its place.
    if (this.demand === "cached" && this.journal.cacheUses().some(({ status }) => status !== "hit")) {
      return Effect.map(Problem.toResponse(notCached), (of) => this.labelled(of))
    }
    return response.status >= 400
      ? Effect.map(withProblemBody(response), (of) => this.labelled(of))
      : Effect.succeed(this.labelled(response))
  }

  /** Every error has an answer, but for an interruption by the server itself. */
  readonly onFailure = <E>(cause: Cause.Cause<E>): Effect.Effect<Response, E> => {
    this.limits.alarms.remove(this)
    if (this.early !== undefined) return Effect.succeed(this.early)
    if (Cause.hasInterruptsOnly(cause)) {
      return Effect.failCause(Cause.fromReasons<E>(cause.reasons.filter(Cause.isInterruptReason)))
    }
    return Effect.flatMap(fromCause(cause, this.request), this.onSuccess)
  }

  /**
   * The time is over: the answer goes out before the handler is interrupted. One that
   * still reads its body would destroy the socket by that, and one that cannot be
   * interrupted would keep the caller waiting.
   */
  due(): void {
    const problem = isArriving(this.request) ? bodyTimeout : noAnswer(this.millis)
    // It leaves past those who stand before the edge.
    const told = this.limits.told(this.request, this.fiber.getRef(Clock.Clock).currentTimeMillisUnsafe())
    this.early = HttpServerResponse.setHeaders(this.labelled(Problem.responseOf(problem, this.fiber.context)), told)
    answerEarly(this.request, this.early, problem === bodyTimeout, () => this.fiber.interruptUnsafe())
  }

  /** Only for a client that carries marks: the others need no object for them. */
  private takeMarks(): void {
    const field = this.request.headers[readMarkField.name]
    if (field === undefined || this.limits.readMarksMax === 0) return
    this.marks = ReadMarks.carried(readMarkField.read(field), this.limits.readMarksMax)
    this.fiber.setContext(Context.add(this.fiber.context, ReadMarks.Carried, this.marks))
  }

  private takeDemand(): void {
    const { callers } = this.limits
    const { headers, method } = this.request
    if (callers === undefined || (method !== "GET" && method !== "HEAD")) return
    if (headers["cache-control"] === undefined && headers["pragma"] === undefined) return
    const demand = Caching.demandOf(headers)
    if (demand === "any" || (demand === "live" && !this.trusted(callers))) return
    this.demand = demand
    this.fiber.setContext(Context.add(this.fiber.context, Cache.Demand, demand))
  }

  /** A predicate of the user's own must not cost the answer. */
  private trusted(callers: Caching.Callers): boolean {
    try {
      return callers.live(this.request)
    } catch {
      return false
    }
  }

  private labelled(response: Response): Response {
    const { drain } = this.limits
    const degraded = this.journal.entries()
    const caching = Caching.headers(this.journal, response.status)
    const carried = this.marks === undefined ? {} : ownOf(this.marks, { ...response.headers, ...caching })
    if (degraded.length === 0 && caching === undefined && this.marks === undefined && !drain.draining()) return response
    return HttpServerResponse.setHeaders(response, {
      ...caching,
      ...carried,
      ...(degraded.length === 0 ? {} : { degradation: Degraded.header(Degraded.fromJournal(degraded)) }),
      ...(drain.draining() ? { connection: "close" } : {})
    })
  }

  /** What the headers alone decide: the milliseconds that are left, or why it may not come in. */
  private admit(waited: number): Problem.Problem | number {
    const { headers } = this.request
    const { maxBytes } = this.limits
    const granted = grantedMillis(headers)
    if (typeof granted === "string") {
      return Problem.make({ status: 400, reason: "MALFORMED_HEADER", detail: granted })
    }
    const left = Math.min(granted, this.limits.deadlineMillis) - waited
    if (left < 1) {
      const refusal = spent(Math.min(granted, this.limits.deadlineMillis))
      return Problem.make({ status: 504, reason: "DEADLINE_EXCEEDED", detail: spentDetail, refusal })
    }
    return Number(headers["content-length"] ?? 0) > maxBytes ? tooLarge(maxBytes) : left
  }
}

const notCached = Problem.make({
  status: 504,
  title: "Not cached",
  reason: "NOT_CACHED",
  detail: "the request wants what is cached, and not all of it is"
})

/** The headers of an answer that is made for one client's marks: nobody else may be given it, nor its marks. */
const ownOf = (marks: ReadMarks.CarriedMarks, headers: Readonly<Record<string, string | undefined>>) => {
  const field = readMarkField.write(marks)
  return {
    vary: varying(headers["vary"], readMarkField.name),
    "cache-control": privately(headers["cache-control"]),
    ...(field === "" ? {} : { [readMarkField.name]: field })
  }
}

const spentDetail = "the time that the request grants was spent on arrival"

const tooLarge = (maxBytes: number) =>
  Problem.make({ status: 413, reason: "BODY_TOO_LARGE", detail: `the body may have at most ${maxBytes} bytes` })

/** The record of a request that had so much time in all, and none is left. */
const spent = (grantedMillis: number) => ({
  policy: "edge",
  reason: "DEADLINE_EXCEEDED",
  deadlineLeftMillis: 0,
  state: { grantedMillis }
})

const noAnswer = (millis: number) =>
  Problem.make({
    status: 503,
    reason: "DEADLINE_EXCEEDED",
    detail: `no answer within ${Math.round(millis)} ms`,
    refusal: spent(millis)
  })

const bodyTimeout = Problem.make({
  status: 408,
  reason: "BODY_TIMEOUT",
  retryable: true,
  detail: "the body did not arrive in time"
})

/**
 * The caller's trace goes on below also where nobody exports spans: then the server
 * makes no span of its own, and would not look at `traceparent`.
 */
const inTrace = <R>(
  context: Context.Context<R>,
  { headers }: HttpServerRequest.HttpServerRequest
): Context.Context<R> => {
  if (headers["traceparent"] === undefined || Context.getOrUndefined(context, Tracer.ParentSpan) !== undefined) {
    return context
  }
  const parent = HttpTraceContext.fromHeaders(headers)
  return Option.isSome(parent) ? Context.add(context, Tracer.ParentSpan, parent.value) : context
}

/** Node's incoming message says whether it was received to its end. */
const isArriving = (request: HttpServerRequest.HttpServerRequest): boolean =>
  Predicate.hasProperty(request.source, "complete") && request.source.complete === false
