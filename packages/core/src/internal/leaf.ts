/**
 * What an attempt may find when it opens a call: any effect, or a leaf, which is
 * one promise with an abort signal and needs no fiber of its own.
 *
 * An effect that carries `Opening` is opened anew for each attempt. To everybody
 * else it is a plain effect that does the same.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
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

/** One promise, and what its outcome means to the call. */
export abstract class Leaf<A, E> {
  abstract run(of: Run): Promise<unknown>
  abstract onValue(value: unknown): Effect.Effect<A, E>
  abstract onError(error: unknown): Effect.Effect<A, E>
}

/** The key under which an effect carries how it is opened. */
export const Opening: unique symbol = Symbol.for("@failsoft/core/Opening")

/** Opens a call for one attempt. */
export type Open<A, E> = () => Effect.Effect<A, E> | Leaf<A, E>

interface Openable<A, E> extends Effect.Effect<A, E> {
  [Opening]?: Open<A, E>
}

/** The effect with the way to open it. */
export const openable = <A, E>(effect: Effect.Effect<A, E>, open: Open<A, E>): Effect.Effect<A, E> => {
  const carrier: Openable<A, E> = effect
  // Assigned, not merged: it is done for each call.
  carrier[Opening] = open
  return carrier
}

/** What an attempt of the effect is: itself, unless it says otherwise. */
export const opened = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> | Leaf<A, E> => {
  const carrier: Openable<A, E> = effect
  return carrier[Opening]?.() ?? effect
}

/** A leaf without a stack around it: an effect as any other. */
export const standalone = <A, E>(opened: Effect.Effect<A, E> | Leaf<A, E>): Effect.Effect<A, E> =>
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
