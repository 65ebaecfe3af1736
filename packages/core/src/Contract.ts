/**
 * What a downstream promises, and what its callers may expect in an outage.
 *
 * **Details**
 *
 * A method states everything, with no silent default: the schemas of its payload,
 * its answer, its transient and its permanent errors; whether it may be sent
 * twice (`idempotency`); and whether an outage may reach the caller (`onOutage`).
 * A `keyed` method also says how to take the idempotency key from the payload, so
 * that a retry carries the same key by construction.
 *
 * **Gotchas**
 *
 * `permanent` holds the downstream's final words only (card declined, unknown
 * sku). An error that fits both schemas counts as permanent.
 *
 * **Example** (a method)
 *
 * ```ts
 * import { Schema } from "effect"
 * import { Contract, Transient } from "@failsoft/core"
 *
 * class CardDeclined extends Schema.TaggedError<CardDeclined>()("CardDeclined", {}) {}
 *
 * const charge = Contract.method({
 *   payload: Schema.Struct({ orderId: Schema.String, amount: Schema.Int }),
 *   success: Schema.Struct({ receipt: Schema.String }),
 *   transient: Transient.Transient,
 *   permanent: CardDeclined,
 *   idempotency: "keyed",
 *   idempotencyKey: (payload) => payload.orderId,
 *   onOutage: "fail"
 * })
 * console.log(charge.idempotency)
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { Answer } from "./Answer.ts"
import type { ContractViolation } from "./ContractViolation.ts"
import type { Refused } from "./Refused.ts"
import type { Unavailable } from "./Unavailable.ts"

/**
 * Whether a request may be sent more than once: `safe` has no effect, `keyed` has
 * one per idempotency key, `unsafe` has one each time.
 *
 * @category models
 * @since 0.1.0
 */
export type Idempotency = "safe" | "keyed" | "unsafe"

/**
 * What the caller sees in an outage: an error (`fail`), always an answer that says
 * how good it is (`degrade`), or such an answer where there is one and else an
 * error (`degrade-or-fail`: the last good product page, but none that was never
 * seen).
 *
 * @category models
 * @since 0.1.0
 */
export type OnOutage = "fail" | "degrade" | "degrade-or-fail"

/**
 * On what an answer depends beside the payload: nothing (`public`), the tenant, or the
 * principal who asks (and its tenant, where there is one).
 *
 * @category models
 * @since 0.1.0
 */
export type Scope = "public" | "tenant" | "principal"

/**
 * What one session may be shown over time: with `monotonic` never an answer that is older
 * (by its `asOf`) than one that it was shown before to the same question.
 *
 * @category models
 * @since 0.1.0
 */
export type Reads = "monotonic"

/**
 * A schema that needs no services.
 *
 * @category models
 * @since 0.1.0
 */
export type PlainSchema = Schema.Codec<unknown, unknown>

/**
 * One method of a contract.
 *
 * @category models
 * @since 0.1.0
 */
export interface Method<
  Payload extends PlainSchema = PlainSchema,
  Success extends PlainSchema = PlainSchema,
  Transient extends PlainSchema = PlainSchema,
  Permanent extends PlainSchema = PlainSchema,
  I extends Idempotency = Idempotency,
  O extends OnOutage = OnOutage,
  S extends Scope | undefined = Scope | undefined
> {
  readonly payload: Payload
  readonly success: Success
  readonly transient: Transient
  readonly permanent: Permanent
  readonly idempotency: I
  readonly onOutage: O
  /**
   * Whose data it answers with; what is remembered of it is kept apart by this. It has no
   * default: unsaid, nothing that keeps answers may stand in its row.
   */
  readonly scope: S
  /** What one session may be shown over time; unsaid, anything. Only `safe` methods say it. */
  readonly reads?: Reads | undefined
  /** The key of a `keyed` method; the same for every attempt of one request. */
  idempotencyKey?(payload: Payload["Type"]): string
}

/**
 * The methods of a contract by name.
 *
 * @category models
 * @since 0.1.0
 */
export type Methods = Readonly<Record<string, Method>>

/**
 * What a downstream is to its callers: how bad its loss is, who owns it, what it
 * promises, how long a call may take, and where its runbook is.
 *
 * @category models
 * @since 0.1.0
 */
export interface Info {
  /** The name in telemetry. Default: the last segment of the id, with a small first letter. */
  readonly name?: string
  readonly criticality: "essential" | "optional"
  readonly owner: string
  /** The share of calls, 0 to 1, that get a fresh answer over the window. */
  readonly slo: { readonly objective: number; readonly window: Duration.Input }
  /** The longest that a caller grants one call, retries included. */
  readonly budget: Duration.Input
  /** A link to the documentation or the runbook. */
  readonly docs: string
}

/**
 * A whole contract.
 *
 * @category models
 * @since 0.1.0
 */
export interface Contract<M extends Methods = Methods> {
  readonly name: string
  readonly methods: M
  readonly info: Info
}

/**
 * The payload of a method.
 *
 * @category type utils
 * @since 0.1.0
 */
export type PayloadOf<M extends Method> = M["payload"]["Type"]

/**
 * The answer of a method.
 *
 * @category type utils
 * @since 0.1.0
 */
export type SuccessOf<M extends Method> = M["success"]["Type"]

/**
 * The transient errors of a method.
 *
 * @category type utils
 * @since 0.1.0
 */
export type TransientOf<M extends Method> = M["transient"]["Type"]

/**
 * The permanent errors of a method.
 *
 * @category type utils
 * @since 0.1.0
 */
export type PermanentOf<M extends Method> = M["permanent"]["Type"]

/**
 * What a caller gets: an error or a degraded answer in an outage, as the contract
 * says. So the type of a call tells whether the page may break.
 *
 * @category type utils
 * @since 0.1.0
 */
export type Client<M extends Methods> = {
  readonly [K in keyof M]: (
    payload: PayloadOf<M[K]>
  ) => M[K]["onOutage"] extends "degrade"
    ? Effect.Effect<Answer<SuccessOf<M[K]>>, PermanentOf<M[K]>>
    : M[K]["onOutage"] extends "degrade-or-fail"
      ? Effect.Effect<Answer<SuccessOf<M[K]>>, PermanentOf<M[K]> | Unavailable>
      : Effect.Effect<SuccessOf<M[K]>, PermanentOf<M[K]> | Unavailable>
}

/**
 * The raw calls of a transport: they fail with the declared errors, with a
 * `ContractViolation`, or with a `Refused` where they sent nothing.
 *
 * @category type utils
 * @since 0.1.0
 */
export type RawCalls<M extends Methods> = {
  readonly [K in keyof M]: (
    payload: PayloadOf<M[K]>
  ) => Effect.Effect<SuccessOf<M[K]>, TransientOf<M[K]> | PermanentOf<M[K]> | ContractViolation | Refused>
}

/** How a `keyed` method names its key; the others have none. */
type KeyOption<Payload extends PlainSchema, I extends Idempotency> = I extends "keyed"
  ? { readonly idempotencyKey: (payload: Payload["Type"]) => string }
  : { readonly idempotencyKey?: never }

/** Only what is read can be read monotonically; the sentence is what the compiler prints. */
type ReadsOption<I extends Idempotency> = I extends "safe"
  ? { readonly reads?: Reads }
  : { readonly reads?: "only a safe method has monotonic reads" }

/**
 * States one method. Everything is required; `idempotencyKey` is required for
 * `keyed` methods and forbidden for the others, and `scope` for methods whose answers
 * are kept by anything in their row (a fallback of the last good answer, say). `reads`
 * may be said of `safe` methods.
 *
 * @category constructors
 * @since 0.1.0
 */
export const method = <
  Payload extends PlainSchema,
  Success extends PlainSchema,
  Transient extends PlainSchema,
  Permanent extends PlainSchema,
  const I extends Idempotency,
  const O extends OnOutage,
  const S extends Scope | undefined = undefined
>(
  definition: {
    readonly payload: Payload
    readonly success: Success
    readonly transient: Transient
    readonly permanent: Permanent
    readonly idempotency: I
    readonly onOutage: O
    readonly scope?: S
  } & KeyOption<Payload, I> &
    ReadsOption<I>
): Method<Payload, Success, Transient, Permanent, I, O, S> =>
  // Unsaid, `S` is `undefined`. A sentence in the place of `reads` is refused when the ring is built.
  ({ ...definition, scope: definition.scope as S, reads: definition.reads as Reads | undefined })
