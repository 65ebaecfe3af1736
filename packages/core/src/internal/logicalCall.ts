/**
 * One call of a client, with all its attempts and its fallback: from the raw call of
 * the transport to what the caller gets.
 *
 * It is one object per call, since a closure for each of its steps would cost more
 * than the policies do.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Result from "effect/Result"
import * as Answer from "../Answer.ts"
import { Attempt } from "../Attempt.ts"
import { Demand } from "../Cache.ts"
import { Caller } from "../Caller.ts"
import { CallKey } from "../CallKey.ts"
import type * as Contract from "../Contract.ts"
import * as Said from "../cache/said.ts"
import { Deadline } from "../Deadline.ts"
import type * as Fallback from "../Fallback.ts"
import { Journal } from "../Journal.ts"
import type { Interceptor, Row } from "../Policy.ts"
import type { ReadMarks } from "../ReadMarks.ts"
import * as Refused from "../Refused.ts"
import type { Outcome } from "../Signal.ts"
import type { Unavailable } from "../Unavailable.ts"
import type { CacheRow, Outcome as Kept } from "./cache/entry.ts"
import type { AnyWrite, Caches } from "./cache/handle.ts"
import { ageOf, strictest } from "./cache/limits.ts"
import { ageRoundingMillis, type Found, type LivingCache, type Loaded, type Refusal } from "./cache/living.ts"
import { canonical } from "./canonical.ts"
import type { Observations } from "./observations.ts"
import { ownerOf } from "./owner.ts"
import { type Classifier, RawAttempts, type RawCall, type Sent } from "./rawCall.ts"
import { requestKey } from "./requestKey.ts"
import { type SessionRead, sessionRead } from "./sessionRead.ts"
import { degrade, fromError, fromFinal, told } from "./settle.ts"
import { Witness } from "./witness.ts"

/** What the calls of one method have in common. */
export interface MethodOf {
  /** The transport's key: two contracts never share the key of a request. */
  readonly id: string
  readonly row: Row
  readonly method: Contract.Method
  readonly raw: RawCall
  readonly classifier: Classifier
  readonly intercept: Interceptor
  readonly steps: ReadonlyArray<Fallback.Instance>
  /** Whose call one with this payload is. */
  readonly keyOf: ((payload: unknown) => string) | undefined
  /** A faithful text form of a payload; throws where there is none. */
  readonly encode: (payload: unknown) => unknown
  readonly observations: Observations
  /** What answers before the policies are asked, if anything does. */
  readonly cache: { readonly living: LivingCache; readonly row: CacheRow } | undefined
  /** What becomes of the caches once a call was answered. */
  readonly writes: ((payload: unknown, answer: unknown) => ReadonlyArray<AnyWrite>) | undefined
  readonly caches: Caches
  /** What sessions were shown; nothing where the contract does not ask for it. */
  readonly marks: ReadMarks | undefined
}

type AnyEffect = Effect.Effect<unknown, unknown>

/** Starts a call of a method. */
export const start = (of: MethodOf, payload: unknown): AnyEffect =>
  Effect.withFiber((fiber) => new LogicalCall(of, fiber, payload).run())

/** The request that a call in the current fiber would be. */
export const requestOf = (of: MethodOf, payload: unknown): Effect.Effect<Fallback.Request> =>
  Effect.withFiber((fiber) => Effect.succeed(new LogicalCall(of, fiber, payload)))

/** A load for a cache: a call with its policies, without its fallback, that always succeeds with how it ended. */
const load = (of: MethodOf, payload: unknown): Effect.Effect<Loaded> =>
  Effect.withFiber((fiber) => new LogicalCall(of, fiber, payload).load())

class LogicalCall implements Fallback.Request, Sent {
  readonly payload: unknown
  now: number
  unknown = 0
  attempts = 0
  /** What hears of keeping the answer, where somebody keeps it. */
  readonly heard: Said.Listener | undefined
  private said: Said.Said | undefined = undefined
  private readonly of: MethodOf
  private readonly fiber: Fiber.Fiber<unknown, unknown>
  private readonly clock: Clock.Clock
  readonly startedAt: number
  /** As it began: whoever asks for the key later (a refresh beside the call) may run for somebody else. */
  private readonly owner: string | undefined
  private toldUnknown = false
  /** As of when what its caller gets is true; nothing where it does not say. */
  private shownAt: number | undefined = undefined
  /** Whether a cache below had it for a while, whose ages are in whole seconds. */
  private aged = false
  /** What its session was shown, where the contract asks for that. */
  private read: SessionRead | undefined = undefined

  constructor(of: MethodOf, fiber: Fiber.Fiber<unknown, unknown>, payload: unknown) {
    this.of = of
    this.payload = payload
    this.fiber = fiber
    this.clock = fiber.getRef(Clock.Clock)
    this.startedAt = this.now = this.clock.currentTimeMillisUnsafe()
    this.heard =
      of.cache === undefined && of.writes === undefined
        ? undefined
        : (said) => {
            this.said = strictest(this.said, said)
          }
    const { scope } = of.method
    this.owner = scope === undefined || scope === "public" ? "" : ownerOf(scope, fiber.getRef(Caller))
  }

  key(): string | undefined {
    const { encode, id, row } = this.of
    const owner = this.known()
    return owner === undefined ? undefined : `${id}/${row.method} ${owner}${canonical(encode(this.payload))}`
  }

  idempotencyKey(): string | undefined {
    const key = this.of.method.idempotencyKey?.(this.payload)
    if (key === undefined) return undefined
    const owner = this.known()
    // A queue takes the second request with a key for the first again: keys of two owners are two.
    return owner === undefined ? undefined : `${owner}${key}`
  }

  /** The owner of the answer; where nobody knows him, nothing is kept nor found, and somebody is told. */
  private known(): string | undefined {
    const { method, row } = this.of
    if (this.owner === undefined && !this.toldUnknown && row.bus.active) {
      this.toldUnknown = true
      row.bus.emit({
        _tag: "CallerUnknown",
        at: this.clock.currentTimeMillisUnsafe(),
        downstream: row.downstream,
        method: row.method,
        scope: method.scope ?? "public"
      })
    }
    return this.owner
  }

  run(): AnyEffect {
    const { cache, marks, observations, row } = this.of
    if (marks !== undefined) this.read = sessionRead(row, marks, this.fiber, this)
    const settled =
      cache === undefined
        ? Effect.matchEffect(this.attempted(), {
            onSuccess: (result) => this.settled(result),
            onFailure: (error) => this.failed(fromError(row, this.of.method, this, error))
          })
        : this.cached(cache)
    const seen = marks === undefined ? settled : this.witnessed(settled)
    const told = row.bus.active ? Effect.onInterrupt(seen, () => Effect.sync(() => this.tell("interrupted"))) : seen
    const own = this.of.keyOf === undefined ? told : this.underKey(told, this.of.keyOf)
    // What a call within a transport hears is not of the answer that its caller's cache keeps.
    const keyed = this.fiber.getRef(Said.Heard) === undefined ? own : Effect.provideService(own, Said.Heard, undefined)
    if (this.fiber.getRef(Attempt) === 0) return keyed
    // A call of its own: whoever calls it may be a retry of another downstream.
    observations.nestedRetries++
    return Effect.provideService(keyed, Attempt, 0)
  }

  /** As {@link run} for a cache: it observes, and tells nobody; those who wait for it tell of their own calls. */
  load(): Effect.Effect<Loaded> {
    const { method, row } = this.of
    return Effect.match(this.attempted(), {
      onSuccess: (result): Loaded => {
        if (result._tag === "Success") {
          this.answered(result.success)
          return this.loaded({ kind: "answer", value: result.success })
        }
        const failure = fromFinal(row, method, this, result.failure)
        if (failure !== undefined) return this.lost(failure)
        this.finally()
        return this.loaded({ kind: "permanent", value: result.failure })
      },
      onFailure: (error) => this.lost(fromError(row, method, this, error))
    })
  }

  /** With its two times, both earlier by how long a cache below had it. */
  private loaded(outcome: Kept): Loaded {
    const belowMillis = ageOf(this.said)
    return { ...outcome, asOf: this.startedAt - belowMillis, cameAt: this.now - belowMillis, said: this.said }
  }

  /** The simulator judges what is shown, so it must not learn it from the marks. */
  private witnessed(call: AnyEffect): AnyEffect {
    const witness = this.fiber.getRef(Witness)
    const { session } = this.fiber.getRef(Caller)
    const key = witness === undefined || session === undefined ? undefined : requestKey(this)
    if (witness === undefined || session === undefined || key === undefined) return call
    const { downstream, method } = this.of.row
    const shown = witness({ downstream, method, session, key })
    const tell = () => {
      if (this.shownAt !== undefined) shown(this.clock.currentTimeMillisUnsafe() - this.shownAt, this.aged)
    }
    return Effect.onExit(call, () => Effect.sync(tell))
  }

  private attempted(): Effect.Effect<Result.Result<unknown, unknown>, unknown> {
    const { classifier, intercept, raw } = this.of
    return intercept(new RawAttempts(classifier, raw, this.payload, this))
  }

  private lost(failure: Unavailable): Loaded {
    this.unanswered(failure)
    return { kind: "failed", failure }
  }

  private cached({ living, row }: Exclude<MethodOf["cache"], undefined>): AnyEffect {
    return Effect.flatMap(
      living.ask({
        row,
        request: this,
        demand: this.fiber.getRef(Demand),
        mayShow: (begunAt, cameAt) => this.read?.mayShow(begunAt, cameAt) !== false,
        load: load(this.of, this.payload),
        refuse: (reason) => refused(this.of, this, reason),
        isOlder: (cameAt) => this.read?.isOlder(cameAt) === true,
        tooOld: (asOf) => this.tellTooOld(asOf)
      }),
      (found) => this.found(found)
    )
  }

  private found(found: Found): AnyEffect {
    const { method, observations, row } = this.of
    this.now = this.clock.currentTimeMillisUnsafe()
    this.noteCache(found)
    if (found.kind === "failed") return this.degraded(found.failure)
    const { asOf, cameAt, kind, stale, value } = found
    this.shownAt = asOf
    this.aged = found.belowMillis !== undefined
    this.read?.shown(asOf, cameAt)
    if (kind === "permanent") {
      this.tell("permanent")
      return Effect.fail(value)
    }
    if (stale === undefined) {
      this.tell("answered")
      return Effect.succeed(method.onOutage === "fail" ? value : { ...Answer.fresh(value), asOf })
    }
    const answer = Answer.degraded(value, { quality: "stale", asOf, reason: stale.reason })
    return Effect.map(told(row, answer, stale.reason, stale.step, observations), () => {
      this.tell("degraded")
      return answer
    })
  }

  private tellTooOld(asOf: number): void {
    const { bus, downstream, method } = this.of.row
    if (!bus.active) return
    const at = this.clock.currentTimeMillisUnsafe()
    const behindMillis = this.read?.behindMillis(asOf, at) ?? 0
    bus.emit({ _tag: "ReadTooOld", at, downstream, method, step: "cache", behindMillis, reason: "AGED_BELOW" })
  }

  /** For the edge, which tells what caches did. */
  private noteCache(found: Found): void {
    const journal = this.fiber.getRef(Journal)
    if (journal === undefined) return
    const { downstream, method } = this.of.row
    if (found.kind === "failed") {
      journal.addCacheUse({ downstream, method, status: "miss" })
      return
    }
    const { asOf, belowMillis, from, stale, ttlMillis } = found
    journal.addCacheUse({
      downstream,
      method,
      status: stale?.on === "error" ? "stale-if-error" : from === "load" ? "miss" : from,
      ...(from === "hit" || belowMillis !== undefined ? { ageMillis: Math.max(0, this.now - asOf) } : {}),
      ...(ttlMillis === undefined ? {} : { ttlMillis }),
      ...(stale === undefined ? {} : { reason: stale.reason })
    })
  }

  private underKey(call: AnyEffect, keyOf: (payload: unknown) => string): AnyEffect {
    try {
      return Effect.provideService(call, CallKey, keyOf(this.payload))
    } catch (defect) {
      // It must not break a page that the contract keeps up: the call goes on without a key, and somebody is told.
      const { downstream, method } = this.of.row
      return Effect.andThen(Effect.logError(`the key of ${downstream}/${method} ended with a defect`, defect), call)
    }
  }

  private settled(result: Result.Result<unknown, unknown>): AnyEffect {
    const { method, row, writes } = this.of
    if (result._tag === "Success") {
      this.answered(result.success)
      this.tell("answered", this.now)
      this.shownAt = this.startedAt
      this.read?.shown(this.startedAt, this.now)
      const answer = Effect.succeed(method.onOutage === "fail" ? result.success : this.live(result.success))
      return writes === undefined ? answer : Effect.andThen(this.written(writes, result.success), answer)
    }
    const failure = fromFinal(row, method, this, result.failure)
    if (failure !== undefined) return this.failed(failure)
    this.finally()
    this.shownAt = this.startedAt
    // A final word is something that the session was shown: what was there before it must not come back.
    this.read?.shown(this.startedAt, this.now)
    this.tell("permanent")
    return Effect.fail(result.failure)
  }

  /** An answer that came now; one that others must not fall behind states its `asOf`, as a memory of it will. */
  private live(value: unknown): Answer.Answer<unknown> {
    return this.of.marks === undefined ? Answer.fresh(value) : { ...Answer.fresh(value), asOf: this.startedAt }
  }

  /** The downstream has confirmed: what is cached of it follows, before its caller goes on. */
  private written(writes: Exclude<MethodOf["writes"], undefined>, answer: unknown): Effect.Effect<void> {
    const { caches, row } = this.of
    return Effect.suspend(() => caches.write(writes(this.payload, answer), this.startedAt, this.said)).pipe(
      Effect.uninterruptible,
      Effect.catchCause((cause) =>
        Effect.logError(`what ${row.downstream}/${row.method} writes to the caches ended with a defect`, cause)
      )
    )
  }

  private answered(value: unknown): void {
    const { observations, steps } = this.of
    this.now = this.clock.currentTimeMillisUnsafe()
    observations.good(this.now, this.elapsed(this.now))
    const belowMillis = ageOf(this.said)
    // An answer that was shown to nobody, since it is older than what was, must not come back from a memory.
    if (belowMillis > 0 && this.read?.isOlder(this.now - belowMillis + ageRoundingMillis) === true) return
    const request = belowMillis > 0 ? earlier(this, belowMillis) : this
    for (const step of steps) observe(step, request, value)
  }

  private finally(): void {
    this.now = this.clock.currentTimeMillisUnsafe()
    this.of.observations.permanent(this.now)
  }

  private failed(failure: Unavailable): AnyEffect {
    this.unanswered(failure)
    return this.degraded(failure)
  }

  private unanswered(failure: Unavailable): void {
    this.now = this.clock.currentTimeMillisUnsafe()
    if (failure.refusal !== undefined) this.traceRefusal(failure.refusal)
    if (this.saysSomething(failure)) this.of.observations.bad(this.now, failure.reason)
  }

  private degraded(failure: Unavailable): AnyEffect {
    const { method, observations, row, steps } = this.of
    // Who wants what is known and nothing else is not helped by what a step may load, or make up.
    if (method.onOutage === "fail" || (failure.reason === "NOT_CACHED" && method.onOutage === "degrade-or-fail")) {
      this.tell("unavailable")
      return Effect.fail(failure)
    }
    return degrade(row, steps, this, failure, observations, this.read).pipe(
      Effect.tap(({ asOf }) =>
        Effect.sync(() => {
          this.shownAt = asOf
          this.tell("degraded")
        })
      ),
      Effect.tapError(() => Effect.sync(() => this.tell("unavailable")))
    )
  }

  /** The record of the refusal as an event of the caller's span, where there is one. */
  private traceRefusal(refusal: Refused.Record): void {
    const { span } = this.fiber.cache
    if (span?._tag !== "Span" || !span.sampled) return
    span.event("resilience.refused", this.clock.currentTimeNanosUnsafe(), Refused.attributes(refusal, this.of.row))
  }

  /** A caller without time, or with a request that cannot be sent, says nothing about the downstream. */
  private saysSomething(failure: Unavailable): boolean {
    return failure.reason === "DEADLINE_EXCEEDED"
      ? this.attempts > 0 && this.now < this.fiber.getRef(Deadline)
      : failure.reason !== "UNSENDABLE_REQUEST"
  }

  /** A clock that was set back must not teach anybody a negative time. */
  private elapsed(now: number): number {
    return Math.max(0, now - this.startedAt)
  }

  /** `endedAt` where the clock was looked at in this very step. */
  private tell(outcome: Outcome, endedAt?: number): void {
    const { row } = this.of
    if (!row.bus.active) return
    const at = endedAt ?? this.clock.currentTimeMillisUnsafe()
    row.bus.emit({
      _tag: "CallEnded",
      at,
      downstream: row.downstream,
      method: row.method,
      outcome,
      durationMillis: this.elapsed(at)
    })
  }
}

/** The cache has no answer for this caller: his own time is over, or what there is will not do. */
const refused = ({ method, row }: MethodOf, sent: Sent, reason: Refusal): Unavailable => {
  const left = reason === "DEADLINE_EXCEEDED" ? { deadlineLeftMillis: 0 } : {}
  const refused = Refused.make({ policy: "cache", reason, ...left })
  const failure = fromFinal(row, method, sent, refused)
  if (failure === undefined) throw new Error("a refusal is no word of the downstream's")
  return failure
}

/** A call whose answer was in a cache below for so long: what is remembered of it is older by that. */
const earlier = (of: Fallback.Request, millis: number): Fallback.Request => ({
  payload: of.payload,
  key: () => of.key(),
  idempotencyKey: () => of.idempotencyKey(),
  startedAt: of.startedAt - millis,
  now: of.now - millis
})

/** What a fallback remembers must not break an answer that is good without it. */
const observe = (step: Fallback.Instance, request: Fallback.Request, value: unknown): void => {
  try {
    step.observe?.(request, value)
  } catch {
    // Its own `answer` will meet the same and say so, when it is needed.
  }
}
