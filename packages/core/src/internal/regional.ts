/**
 * The calls of a contract in several regions as the calls of one: which region is asked
 * first, and who is asked next.
 *
 * Each region has policies of its own around its raw calls: what they refuse was never
 * sent, and what fails with "not applied" has changed nothing, so another region may be
 * asked at once within the same attempt; so may it where the request may be applied twice
 * and the failure came before the region's timeout. All else is for the retry or the hedge
 * of the ring, whose next attempt begins with another region.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { Attempt } from "../Attempt.ts"
import type * as Contract from "../Contract.ts"
import { isContractViolation } from "../ContractViolation.ts"
import * as Said from "../cache/said.ts"
import { Deadline } from "../Deadline.ts"
import { Journal } from "../Journal.ts"
import type { Interceptor, Row } from "../Policy.ts"
import { Heard } from "../Quota.ts"
import { Refused } from "../Refused.ts"
import { Region } from "../Region.ts"
import { TimedOut } from "../TimedOut.ts"
import { Beside } from "./beside.ts"
import * as hints from "./hints.ts"
import { Homes } from "./homes.ts"
import { Left } from "./listening.ts"
import { Looking } from "./looking.ts"
import type { Observations } from "./observations.ts"
import { type Classifier, RawAttempts, type RawCall, type Sent } from "./rawCall.ts"

/** One method in one region. */
export interface Place {
  readonly region: string
  readonly row: Row
  readonly raw: RawCall
  readonly classifier: Classifier
  readonly intercept: Interceptor
  /** Those of the region, whatever the method. */
  readonly observations: Observations
  /** When the region was asked last. */
  readonly seenAt: { last: number }
}

/** One method in all regions, the preferred first. */
export interface Regional {
  readonly row: Row
  readonly method: Contract.Method
  readonly places: ReadonlyArray<Place>
  /** Whether all regions know each other's idempotency keys. */
  readonly sharedKeys: boolean
  /** A region that nobody has asked for so long is asked beside a read, to know how it does. */
  readonly lookMillis: number
  /** Where that goes on without the caller. */
  readonly scope: Scope.Scope
}

type AnyEffect = Effect.Effect<unknown, unknown>

/** The raw call of a method that knows its regions. */
export const regionalCall = (of: Regional): RawCall => {
  const homes = of.method.idempotency === "keyed" && !of.sharedKeys ? new Homes() : undefined
  return (payload) =>
    Effect.withFiber((fiber) => {
      const key = homes === undefined ? undefined : of.method.idempotencyKey?.(payload)
      const home = key === undefined ? undefined : homes?.of(key)
      const order = home === undefined ? inOrder(of, fiber) : of.places.filter(({ region }) => region === home)
      const asked = new Asking(of, fiber, payload, order, homes, key).next(0)
      const quiet = of.method.idempotency === "safe" ? lookedFor(of, order, fiber) : undefined
      return quiet === undefined ? asked : Effect.andThen(look(of, quiet, payload), asked)
    })
}

/** The region that is wished for first; the next attempt of a call that may be repeated begins with the next region. */
const inOrder = (
  { method, places, sharedKeys }: Regional,
  fiber: Fiber.Fiber<unknown, unknown>
): ReadonlyArray<Place> => {
  const wish = fiber.getRef(Region)
  const wished = places.findIndex(({ region }) => region === wish)
  if (wished >= 0) return turned(places, wished)
  return repeats({ method, sharedKeys }) ? turned(places, fiber.getRef(Attempt) % places.length) : places
}

/** Whether the same request may be applied in two regions. */
const repeats = ({ method, sharedKeys }: Pick<Regional, "method" | "sharedKeys">): boolean =>
  method.idempotency === "safe" || (method.idempotency === "keyed" && sharedKeys)

/** A failure that has not taken the attempt's time, and that does not say of itself that asking again is of no use. */
const isAtOnce = (error: unknown): boolean => !(error instanceof TimedOut) && !hints.doNotRetry(error)

/** The first region, but for the one that is asked anyway, that nobody has heard of for a while. */
const lookedFor = (
  { lookMillis, places }: Regional,
  [first]: ReadonlyArray<Place>,
  fiber: Fiber.Fiber<unknown, unknown>
): Place | undefined => {
  const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
  return places.find((place) => place !== first && now - place.seenAt.last >= lookMillis)
}

/**
 * Asks a region beside the call and looks at nothing but how it ends: a region that only
 * waits for the fall of another must be known to be there, and to be back.
 */
const look = ({ scope }: Regional, place: Place, payload: unknown): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (startedAt) => {
    // In the same step, so that of many calls at once one looks.
    place.seenAt.last = startedAt
    return Effect.asVoid(
      Effect.forkIn(
        Effect.matchEffect(place.intercept(callOf(place, payload, unsent(undefined))), {
          onSuccess: (result) =>
            Effect.map(Clock.currentTimeMillis, (now) => void noted(place, result, startedAt, now)),
          onFailure: (error) =>
            Effect.map(Clock.currentTimeMillis, (now) => void place.observations.bad(now, hints.word(error)))
        }).pipe(
          Effect.catchCause(() => Effect.void),
          // It is nobody's: a region that obeyed the caller's deadline would be blamed for it.
          Effect.provideService(Deadline, Number.POSITIVE_INFINITY),
          Effect.provideService(Attempt, 0),
          Effect.provideService(Looking, true),
          Effect.provideService(Journal, undefined),
          Effect.provideService(Heard, undefined),
          Effect.provideService(Said.Heard, undefined)
        ),
        scope
      )
    )
  })

/** The raw call in one region as the policies of that region see it. */
const callOf = ({ classifier, raw }: Place, payload: unknown, sent: Sent) =>
  new RawAttempts(classifier, raw, payload, sent)

const unsent = (heard: Said.Listener | undefined): Sent => ({ unknown: 0, attempts: 0, heard })

/** What a refusal says of the caller's request or of its time: another region would say the same. */
const isCallers = ({ reason }: Refused): boolean => reason === "DEADLINE_EXCEEDED" || reason === "UNSENDABLE_REQUEST"

/** Writes down how a call in a region ended. */
const noted = (place: Place, result: Result.Result<unknown, unknown>, startedAt: number, now: number): void => {
  if (result._tag === "Success") place.observations.good(now, Math.max(0, now - startedAt))
  else if (result.failure instanceof Refused) {
    // A spent deadline is the caller's, a full limit is ours.
    if (result.failure.reason === "CIRCUIT_OPEN") place.observations.bad(now, result.failure.reason)
  } else if (isContractViolation(result.failure)) place.observations.bad(now, "CONTRACT_VIOLATION")
  else place.observations.permanent(now)
}

const turned = <A>(all: ReadonlyArray<A>, by: number): ReadonlyArray<A> =>
  by === 0 ? all : [...all.slice(by), ...all.slice(0, by)]

/** The call, and that its region is asked as long as it goes on; what is said and its end are one step. */
const noting = <A, E>(beside: Array<string>, region: string, call: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.suspend(() => {
      beside.push(region)
      return Effect.onExit(restore(call), () => Effect.sync(() => void beside.splice(beside.indexOf(region), 1)))
    })
  )

/** One attempt on its way through the regions. */
class Asking {
  private readonly of: Regional
  private readonly fiber: Fiber.Fiber<unknown, unknown>
  private readonly payload: unknown
  private readonly order: ReadonlyArray<Place>
  private readonly homes: Homes | undefined
  private readonly key: string | undefined
  private readonly beside: Array<string> | undefined
  /**
   * What the attempt says where no region answers: a failure rather than a refusal, which nobody
   * would ask again, and of failures one that may have been applied, which must not be forgotten.
   */
  private worst: { readonly error: unknown; readonly applied: boolean } | undefined = undefined

  constructor(
    of: Regional,
    fiber: Fiber.Fiber<unknown, unknown>,
    payload: unknown,
    order: ReadonlyArray<Place>,
    homes: Homes | undefined,
    key: string | undefined
  ) {
    this.of = of
    this.fiber = fiber
    this.payload = payload
    this.order = order
    this.homes = homes
    this.key = key
    const beside = fiber.getRef(Beside)
    this.beside = beside?.downstream === of.row.downstream ? beside.regions : undefined
  }

  next(nth: number): AnyEffect {
    const place = this.order[nth]
    if (place === undefined) return Effect.die("there is a region to ask")
    const startedAt = this.now()
    const { key, homes } = this
    // Before it is sent: who goes away meanwhile leaves an outcome that nobody knows.
    if (key !== undefined) homes?.sent(key, place.region)
    place.seenAt.last = startedAt
    const sent = unsent(this.fiber.getRef(Said.Heard))
    const left = new Left()
    const call = Effect.provideService(place.intercept(callOf(place, this.payload, sent)), Left.Current, left)
    const asked = Effect.onInterrupt(call, () => Effect.sync(() => left.leave()))
    return Effect.matchEffect(this.beside === undefined ? asked : noting(this.beside, place.region, asked), {
      onSuccess: (result) => this.settled(place, nth, result, startedAt, sent),
      onFailure: (error) => this.failed(place, nth, error)
    })
  }

  private settled(
    place: Place,
    nth: number,
    result: Result.Result<unknown, unknown>,
    startedAt: number,
    sent: Sent
  ): AnyEffect {
    noted(place, result, startedAt, this.now())
    if (result._tag === "Success") return Effect.succeed(result.success)
    const { failure } = result
    if (failure instanceof Refused) {
      if (!isCallers(failure)) return this.elsewhere(place, nth, failure, failure.reason)
      // A deadline may come while the region has the request: then the key stays there.
      if (this.key !== undefined && sent.unknown === 0) this.homes?.untouched(this.key)
      return Effect.fail(failure)
    }
    if (!isContractViolation(failure)) return Effect.fail(failure)
    // A region that talks nonsense may have done anything: only a read is asked again, and elsewhere.
    this.keep(failure, true)
    return this.of.method.idempotency === "safe"
      ? this.elsewhere(place, nth, failure, "CONTRACT_VIOLATION")
      : this.lost(failure)
  }

  private failed(place: Place, nth: number, error: unknown): AnyEffect {
    place.observations.bad(this.now(), hints.word(error))
    const applied = !hints.notApplied(error)
    this.keep(error, applied)
    const again = !applied || (repeats(this.of) && isAtOnce(error))
    return again ? this.elsewhere(place, nth, error, hints.word(error)) : this.lost(error)
  }

  private keep(error: unknown, applied: boolean): void {
    if (this.worst === undefined || (applied && !this.worst.applied)) this.worst = { error, applied }
  }

  private lost(error: unknown): AnyEffect {
    return Effect.fail(this.worst === undefined ? error : this.worst.error)
  }

  /** Nothing was applied here: the next region is asked, where there is one. */
  private elsewhere(place: Place, nth: number, error: unknown, reason: string): AnyEffect {
    // A hedge whose region fails leaves the region to the attempt that is asking there already.
    const next = this.order.findIndex(({ region }, of) => of > nth && !this.beside?.includes(region))
    const to = this.order[next]
    // What another attempt has left unknown, or is about to do, stays where it is.
    const free = this.key === undefined || this.homes === undefined || this.homes.untouched(this.key)
    if (to === undefined || !free) return this.lost(error)
    const { bus, downstream, method } = this.of.row
    if (bus.active) {
      bus.emit({ _tag: "FailedOver", at: this.now(), downstream, method, from: place.region, to: to.region, reason })
    }
    return this.next(next)
  }

  private now(): number {
    return this.fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
  }
}
