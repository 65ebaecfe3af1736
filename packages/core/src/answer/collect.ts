/** One answer from many calls, of which some may get none. */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { type Answer, degraded, fresh, worst } from "../Answer.ts"
import * as Deadline from "../Deadline.ts"
import { toMillis } from "../internal/duration.ts"
import { stackless } from "../internal/stackless.ts"
import { Journal } from "../Journal.ts"
import { Bus } from "../Signal.ts"
import { Unavailable } from "../Unavailable.ts"

/**
 * What the calls gave: the values with their keys, and the keys that got no answer,
 * both in the order of the keys that were asked.
 *
 * @category models
 * @since 0.1.0
 */
export interface Collected<out K, out A> {
  readonly entries: ReadonlyArray<readonly [key: K, value: A]>
  readonly unreachable: ReadonlyArray<K>
}

/**
 * How calls are collected.
 *
 * @category models
 * @since 0.1.0
 */
export interface CollectOptions {
  /** The labels of the whole in signals and in the journal: a downstream and a method, never a key. */
  readonly downstream: string
  readonly method: string
  /** So many keys must be reached, else the whole fails. Default 1; more than there are keys means all. */
  readonly quorum?: number
  /** How many calls run at once. Default 16. */
  readonly concurrency?: number
  /** Who has not answered so long after being asked is unreachable; with more keys than `concurrency` some are asked later. Default: as long as the calls themselves take. */
  readonly within?: Duration.Input
}

/**
 * The most keys of one collection: each is a call.
 *
 * @category limits
 * @since 0.1.0
 */
export const collectMax = 1000

type Got<A> = { readonly value: A } | { readonly failure: Unavailable }

type Permanent<E> = Exclude<E, Unavailable>

const isUnavailable = (error: unknown): error is Unavailable => Predicate.isTagged(error, "Unavailable")

/**
 * Calls once for each key (of equal ones once) and collects what is answered. Keys
 * whose call ends `Unavailable`, or not `within`, are `unreachable`, and the answer is
 * `partial` with the reason of the first of them. Fewer than `quorum` reached: the
 * whole fails with that first one's `Unavailable`, which says so. A permanent error of
 * one call fails the whole at once; where it is an answer for its key, make it a value
 * before.
 *
 * Which keys are reached is up to the downstreams; that, and the order of the keys,
 * is all that an answer depends on, never who was faster. Only of several permanent
 * errors the first to come is the one that you get.
 *
 * @category combinators
 * @since 0.1.0
 */
export const collect = <K, A, E, R>(
  keys: Iterable<K>,
  call: (key: K) => Effect.Effect<A, E, R>,
  options: CollectOptions
): Effect.Effect<Answer<Collected<K, A>>, Permanent<E> | Unavailable, R> =>
  Effect.map(
    collectAnswers(keys, (key) => Effect.map(call(key), fresh), options),
    (answer) => answer
  )

/**
 * The same of calls whose answers say how good they are: the whole is as good as the
 * worst of them, and `partial` at best where a key is unreachable.
 *
 * @category combinators
 * @since 0.1.0
 */
export const collectAnswers = <K, A, E, R>(
  keys: Iterable<K>,
  call: (key: K) => Effect.Effect<Answer<A>, E, R>,
  options: CollectOptions
): Effect.Effect<Answer<Collected<K, A>>, Permanent<E> | Unavailable, R> =>
  Effect.suspend(() => {
    const asked = [...new Set(keys)]
    if (asked.length > collectMax) {
      return Effect.die(
        new Error(`Answer.collect was given ${asked.length} keys, and takes ${collectMax} at most: ask in pages`)
      )
    }
    const quorum = Math.min(options.quorum ?? 1, asked.length)
    return Effect.forEach(asked, (key) => settled(call(key), options), {
      concurrency: options.concurrency ?? 16
    }).pipe(Effect.flatMap((got) => whole(asked, got, quorum, options)))
  })

/** A call that has ended, with an answer or without one; its permanent errors stay errors. */
const settled = <A, E, R>(
  call: Effect.Effect<A, E, R>,
  options: CollectOptions
): Effect.Effect<Got<A>, Permanent<E>, R> => {
  const ended: Effect.Effect<Got<A>, Permanent<E>, R> = Effect.matchEffect(call, {
    onSuccess: (value) => Effect.succeed({ value }),
    onFailure: (error) =>
      // What is no `Unavailable` is one of the others.
      isUnavailable(error) ? Effect.succeed({ failure: error }) : Effect.fail(error as Permanent<E>)
  })
  if (options.within === undefined) return ended
  const limitMillis = toMillis(options.within)
  return Effect.suspend(() => {
    let asked = false
    const asking = Effect.suspend(() => {
      asked = true
      return ended
    })
    const late = () => Effect.succeed({ failure: asked ? tooLate(options, limitMillis) : spent(options) })
    return Deadline.within(limitMillis, late)(asking)
  })
}

const tooLate = ({ downstream, method }: CollectOptions, limitMillis: number): Unavailable =>
  stackless(
    () =>
      new Unavailable({
        downstream,
        method,
        reason: "TIMEOUT",
        detail: `no answer within ${limitMillis} ms`,
        retryable: true,
        // Whether a call that was given up was applied is known to nobody.
        applied: "unknown"
      })
  )

/** The caller's deadline had come before this key was asked. */
const spent = ({ downstream, method }: CollectOptions): Unavailable =>
  stackless(
    () =>
      new Unavailable({
        downstream,
        method,
        reason: "DEADLINE_EXCEEDED",
        detail: "the deadline had come before it was asked",
        retryable: true,
        applied: "no"
      })
  )

const whole = <K, A>(
  asked: ReadonlyArray<K>,
  got: ReadonlyArray<Got<Answer<A>>>,
  quorum: number,
  options: CollectOptions
): Effect.Effect<Answer<Collected<K, A>>, Unavailable> => {
  const entries: Array<readonly [K, A]> = []
  const unreachable: Array<K> = []
  const answers: Array<Answer<unknown>> = []
  let first: Unavailable | undefined
  asked.forEach((key, nth) => {
    const of = got[nth]
    if (of === undefined) return
    if ("failure" in of) {
      first ??= of.failure
      unreachable.push(key)
    } else {
      answers.push(of.value)
      entries.push([key, of.value.value])
    }
  })
  if (first !== undefined && entries.length < quorum)
    return Effect.fail(tooFew(first, entries.length, quorum, asked.length))
  const value: Collected<K, A> = { entries, unreachable }
  if (first === undefined) return Effect.succeed(asGoodAs(value, answers))
  const { reason } = first
  return Effect.as(told(options, reason), asGoodAs(value, [...answers, degraded(null, { quality: "partial", reason })]))
}

/** The value with the worst quality of the answers, the reason of the first that has it, the oldest time, the earliest end. */
const asGoodAs = <A>(value: A, answers: ReadonlyArray<Answer<unknown>>): Answer<A> => {
  const quality = worst(answers.map((answer) => answer.quality))
  const reason = answers.find((answer) => answer.quality === quality)?.reason
  const asOf = Math.min(...answers.map((answer) => answer.asOf ?? Number.POSITIVE_INFINITY))
  const until = Math.min(...answers.map((answer) => answer.until ?? Number.POSITIVE_INFINITY))
  return {
    value,
    quality,
    ...(Number.isFinite(asOf) ? { asOf } : {}),
    ...(Number.isFinite(until) ? { until } : {}),
    ...(reason === undefined ? {} : { reason })
  }
}

const tooFew = (first: Unavailable, reached: number, quorum: number, keys: number): Unavailable =>
  stackless(
    () =>
      new Unavailable({
        downstream: first.downstream,
        method: first.method,
        reason: first.reason,
        detail: `${reached} of ${keys} reached, ${quorum} needed: ${first.detail}`,
        retryable: first.retryable,
        applied: first.applied,
        ...(first.retryAfterMillis === undefined ? {} : { retryAfterMillis: first.retryAfterMillis }),
        ...(first.refusal === undefined ? {} : { refusal: first.refusal })
      })
  )

/** One entry for the whole: keys are ids, and belong neither into a label nor into a header. */
const told = ({ downstream, method }: CollectOptions, reason: string): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    fiber.getRef(Journal)?.add({ downstream, method, quality: "partial", reason })
    const bus = fiber.getRef(Bus)
    if (bus.active) {
      const at = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
      bus.emit({ _tag: "AnswerDegraded", at, downstream, method, quality: "partial", reason })
    }
    return Effect.void
  })
