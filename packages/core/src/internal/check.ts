/**
 * Misuse as a compile error. Where a row does not fit its contract, the expected
 * type of its policy or fallback becomes a sentence, which the compiler prints in
 * the last line of its message.
 */
import type { Cache } from "../Cache.ts"
import type * as Contract from "../Contract.ts"
import type { Fallback } from "../Fallback.ts"
import type { MarksOf } from "../Policy.ts"

type FallbackMarks<F> = F extends Fallback<infer _A, infer _P, infer M> ? M : never

/** The table with a sentence in the place of each thing that does not fit. */
export type Checked<M extends Contract.Methods, T> = {
  readonly [K in keyof M & string]: K extends keyof T ? CheckedRow<K, M[K], T[K]> : unknown
} & { readonly [K in Exclude<keyof T, keyof M> & string]: `the contract has no method '${K}'` }

type CheckedRow<Name extends string, M extends Contract.Method, Row> = CheckedPolicy<Name, M, Row> &
  CheckedFallback<Name, M, Row> &
  CheckedCache<Name, M, Row> &
  CheckedScope<Name, M, Row>

type CacheMarks<Row> = Row extends { readonly cache: Cache<infer _A, infer _P, infer _E, infer Marks> } ? Marks : never

type CheckedCache<Name extends string, M extends Contract.Method, Row> = Row extends { readonly cache: unknown }
  ? M["idempotency"] extends "safe"
    ? M["onOutage"] extends "fail"
      ? "stale" extends CacheMarks<Row>
        ? {
            readonly cache: `the method '${Name}' fails in an outage by its contract: its callers could not see that an answer is stale, so remove staleWhileRevalidate and staleIfError`
          }
        : unknown
      : unknown
    : { readonly cache: `the method '${Name}' is ${M["idempotency"]}: only safe methods can be cached` }
  : unknown

type CheckedPolicy<Name extends string, M extends Contract.Method, Row> = Row extends { readonly policy: infer P }
  ? M["idempotency"] extends "unsafe"
    ? "replays" extends MarksOf<P>
      ? {
          readonly policy: `the method '${Name}' is unsafe: a policy that replays (retry, hedge) could apply it twice; use Policy.standardOnce, or Policy.retryUnsent in the place of retry`
        }
      : CheckedBound<Name, P>
    : CheckedBound<Name, P>
  : unknown

type CheckedBound<Name extends string, P> =
  "unbounded" extends MarksOf<P>
    ? {
        readonly policy: `the stack of '${Name}' has no time bound: add Policy.deadline or Policy.timeout`
      }
    : unknown

type CheckedFallback<Name extends string, M extends Contract.Method, Row> = M["onOutage"] extends
  | "degrade"
  | "degrade-or-fail"
  ? Row extends { readonly fallback: infer F }
    ? "enqueues" extends FallbackMarks<F>
      ? M["idempotency"] extends "keyed"
        ? CheckedTotal<Name, M, F>
        : {
            readonly fallback: `the method '${Name}' is not keyed: a queue may deliver it twice, so Fallback.enqueue needs an idempotency key`
          }
      : CheckedTotal<Name, M, F>
    : "stale" extends (M["onOutage"] extends "degrade-or-fail" ? CacheMarks<Row> : never)
      ? unknown
      : {
          readonly fallback: `the method '${Name}' degrades in an outage: give its row a fallback`
        }
  : Row extends { readonly fallback: unknown }
    ? {
        readonly fallback: `the method '${Name}' fails in an outage by its contract: remove the fallback, or declare onOutage: "degrade"`
      }
    : unknown

type CheckedTotal<Name extends string, M extends Contract.Method, F> = M["onOutage"] extends "degrade-or-fail"
  ? unknown
  : "partial" extends FallbackMarks<F>
    ? {
        readonly fallback: `the fallback of '${Name}' may have no answer: end it with Fallback.value or Fallback.omit`
      }
    : unknown

/** What is kept for who asks again must say whose it is; a type that does not tell counts as unsaid. */
type CheckedScope<Name extends string, M extends Contract.Method, Row> = undefined extends M["scope"]
  ? (Row extends { readonly fallback: infer F }
      ? "keeps" extends FallbackMarks<F>
        ? { readonly fallback: Unsaid<Name, "fallback"> }
        : unknown
      : unknown) &
      // A cache on another method has a sentence of its own; two would be none.
      (Row extends { readonly cache: unknown }
        ? M["idempotency"] extends "safe"
          ? { readonly cache: Unsaid<Name, "cache"> }
          : unknown
        : unknown)
  : unknown

type Unsaid<
  Name extends string,
  What extends string
> = `the method '${Name}' does not say whose data it answers with, and its ${What} keeps answers: add scope "public", "tenant" or "principal" to the contract`
