/**
 * The calls of a contract in several regions as the calls of one: which region is asked
 * first, and who is asked next.
 *
 * Each region has policies of its own around its raw calls: what they refuse was never
 * sent, and what fails with "not applied" has changed nothing, so another region may be
 * asked at once within the same attempt. All else is for the retry or the hedge of the
 * ring, whose next attempt begins with another region.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Result from "effect/Result"
import { Attempt } from "../Attempt.ts"
import type * as Contract from "../Contract.ts"
import type { Interceptor, Row } from "../Policy.ts"
import { Refused } from "../Refused.ts"
import { Region } from "../Region.ts"
import * as hints from "./hints.ts"
import { Homes } from "./homes.ts"
import * as leaves from "./leaf.ts"
import type { Observations } from "./observations.ts"
import { type Classifier, openRaw, type RawCall } from "./rawCall.ts"

/** One method in one region. */
export interface Place {
  readonly region: string
  readonly row: Row
  readonly raw: RawCall
  readonly classifier: Classifier
  readonly intercept: Interceptor
  readonly observations: Observations
}

/** One method in all regions, the preferred first. */
export interface Regional {
  readonly row: Row
  readonly method: Contract.Method
  readonly places: ReadonlyArray<Place>
  /** Whether all regions know each other's idempotency keys. */
  readonly sharedKeys: boolean
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
      return new Asking(of, fiber, payload, order, homes, key, home !== undefined).next(0)
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
  const repeats = method.idempotency === "safe" || (method.idempotency === "keyed" && sharedKeys)
  return repeats ? turned(places, fiber.getRef(Attempt) % places.length) : places
}

const turned = <A>(all: ReadonlyArray<A>, by: number): ReadonlyArray<A> =>
  by === 0 ? all : [...all.slice(by), ...all.slice(0, by)]

/** One attempt on its way through the regions. */
class Asking {
  private readonly of: Regional
  private readonly fiber: Fiber.Fiber<unknown, unknown>
  private readonly payload: unknown
  private readonly order: ReadonlyArray<Place>
  private readonly homes: Homes | undefined
  private readonly key: string | undefined
  /** Whether an earlier attempt with this key may have been applied, there. */
  private readonly atHome: boolean

  constructor(
    of: Regional,
    fiber: Fiber.Fiber<unknown, unknown>,
    payload: unknown,
    order: ReadonlyArray<Place>,
    homes: Homes | undefined,
    key: string | undefined,
    atHome: boolean
  ) {
    this.of = of
    this.fiber = fiber
    this.payload = payload
    this.order = order
    this.homes = homes
    this.key = key
    this.atHome = atHome
  }

  next(nth: number): AnyEffect {
    const place = this.order[nth]
    if (place === undefined) return Effect.die("there is a region to ask")
    const startedAt = this.now()
    const { key, homes } = this
    // Before it is sent: who goes away meanwhile leaves an outcome that nobody knows.
    if (key !== undefined) homes?.sent(key, place.region)
    const sent = { unknown: 0, attempts: 0 }
    const open = () => openRaw(place.classifier, place.raw, this.payload, sent)
    const call = leaves.openable(
      Effect.suspend(() => leaves.standalone(open())),
      open
    )
    return Effect.matchEffect(place.intercept(call), {
      onSuccess: (result) => this.settled(place, nth, result, startedAt),
      onFailure: (error) => this.failed(place, nth, error)
    })
  }

  private settled(place: Place, nth: number, result: Result.Result<unknown, unknown>, startedAt: number): AnyEffect {
    const now = this.now()
    if (result._tag === "Failure" && result.failure instanceof Refused) {
      place.observations.bad(now, result.failure.reason)
      return this.elsewhere(place, nth, result.failure, result.failure.reason)
    }
    if (result._tag === "Failure") {
      place.observations.permanent(now)
      return Effect.fail(result.failure)
    }
    place.observations.good(now, Math.max(0, now - startedAt))
    return Effect.succeed(result.success)
  }

  private failed(place: Place, nth: number, error: unknown): AnyEffect {
    place.observations.bad(this.now(), hints.word(error))
    return hints.notApplied(error) ? this.elsewhere(place, nth, error, hints.word(error)) : Effect.fail(error)
  }

  /** Nothing was applied here: the next region is asked, where there is one. */
  private elsewhere(place: Place, nth: number, error: unknown, reason: string): AnyEffect {
    // What an earlier attempt has left unknown stays so.
    if (this.key !== undefined && !this.atHome) this.homes?.untouched(this.key)
    const next = this.order[nth + 1]
    if (next === undefined) return Effect.fail(error)
    const { bus, downstream, method } = this.of.row
    if (bus.active) {
      bus.emit({ _tag: "FailedOver", at: this.now(), downstream, method, from: place.region, to: next.region, reason })
    }
    return this.next(nth + 1)
  }

  private now(): number {
    return this.fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
  }
}
