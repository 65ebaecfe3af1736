/**
 * What an attempt may find when it opens a call: any effect, or a leaf, which is
 * one promise with an abort signal and needs no fiber of its own.
 *
 * An effect that has `Opening` is opened anew for each attempt. To everybody else it is
 * a plain effect that does the same.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import { Attempt } from "../Attempt.ts"
import { Deadline } from "../Deadline.ts"

/** What a leaf's function is told. */
export interface Run {
  /** Aborted when the attempt is given up; made when it is first read. */
  readonly signal: AbortSignal
  /** When the call must be answered, in milliseconds since the epoch; `Infinity` without a deadline. */
  readonly deadlineAt: number
  /** 0 for the first attempt, 1 for the first retry. */
  readonly attempt: number
  /** The services and references that an effect would see in its place. */
  readonly context: Context.Context<never>
}

/** The key under which an effect says how it is opened. */
export const Opening: unique symbol = Symbol.for("@failsoft/core/Opening")

/**
 * An effect that is opened anew for each attempt. It is a class of effects, since there
 * is one for each call: a suspended effect with a function that is hung on it is four
 * objects, and this is one.
 */
export abstract class Openable<A, E> extends Effectable.Class<A, E> {
  /** Opens a call for one attempt. */
  abstract [Opening](): Effect.Effect<A, E> | Leaf<A, E>

  asEffect(): Effect.Effect<A, E> {
    return standalone(this[Opening]())
  }
}

/** One promise, and what its outcome means to the call. */
export abstract class Leaf<A, E> extends Openable<A, E> {
  abstract run(of: Run): Promise<unknown>
  abstract onValue(value: unknown): Effect.Effect<A, E>
  abstract onError(error: unknown): Effect.Effect<A, E>

  [Opening](): Leaf<A, E> {
    return this
  }
}

/** What an attempt of the effect is: itself, unless it says otherwise. */
export const opened = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> | Leaf<A, E> => {
  const carrier: Effect.Effect<A, E> & Partial<Pick<Openable<A, E>, typeof Opening>> = effect
  return carrier[Opening]?.() ?? effect
}

/** A leaf without a stack around it: an effect as any other. */
const standalone = <A, E>(opened: Effect.Effect<A, E> | Leaf<A, E>): Effect.Effect<A, E> =>
  opened instanceof Leaf
    ? Effect.withFiber((fiber) =>
        Effect.callback<A, E>((resume, signal) => {
          const of: Run = {
            signal,
            deadlineAt: fiber.getRef(Deadline),
            attempt: fiber.getRef(Attempt),
            context: fiber.context
          }
          try {
            opened.run(of).then(
              (value) => resume(opened.onValue(value)),
              (error) => resume(opened.onError(error))
            )
          } catch (error) {
            resume(opened.onError(error))
          }
        })
      )
    : opened
