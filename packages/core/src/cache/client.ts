/** What a program does with the caches of a client by hand. */
import * as Effect from "effect/Effect"
import type * as Contract from "../Contract.ts"
import { cachesOf } from "../internal/cache/handle.ts"

/** The parameters and the answers of a client's method. */
type PayloadOf<C, K extends keyof C> = C[K] extends (payload: infer P) => unknown ? P : never

/**
 * Forgets the answer to a payload, also one that is on its way, for the current
 * caller where answers belong to their callers. Waits a second at most until the
 * durable level has forgotten it too. Does nothing where the method has no cache.
 *
 * @category combinators
 * @since 0.1.0
 */
export const invalidate = <C extends object, K extends keyof C & string>(
  client: C,
  method: K,
  payload: PayloadOf<C, K>
): Effect.Effect<void> => cachesOf(client).invalidate(method, payload)

/**
 * Forgets every answer with one of the tags, in all caches of the client.
 *
 * @category combinators
 * @since 0.1.0
 */
export const invalidateTags = (client: object, tags: ReadonlyArray<string>): Effect.Effect<void> =>
  cachesOf(client).invalidateTags(tags)

/**
 * Forgets everything that the caches of the client hold.
 *
 * @category combinators
 * @since 0.1.0
 */
export const clear = (client: object): Effect.Effect<void> => cachesOf(client).clear

/**
 * What a confirmed write does to the caches of its own client.
 *
 * @category models
 * @since 0.1.0
 */
export type Write<M extends Contract.Methods> =
  | {
      readonly [K in keyof M]:
        | { readonly invalidate: K; readonly payload: Contract.PayloadOf<M[K]> }
        | {
            readonly update: K
            readonly payload: Contract.PayloadOf<M[K]>
            readonly answer: Contract.SuccessOf<M[K]>
          }
    }[keyof M]
  | { readonly tags: ReadonlyArray<string> }
