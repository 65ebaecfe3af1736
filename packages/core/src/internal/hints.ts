/**
 * What policies read of a transient error without knowing its class. A policy
 * must work for every contract's errors, so the hints are found by shape.
 */
import * as Predicate from "effect/Predicate"

/** The downstream's own "ask again after", in milliseconds, where the error has one. */
export const retryAfterMillis = (error: unknown): number | undefined =>
  Predicate.hasProperty(error, "retryAfterMillis") &&
  typeof error.retryAfterMillis === "number" &&
  error.retryAfterMillis >= 0
    ? error.retryAfterMillis
    : undefined

/** Whether the error says that the request was certainly not applied. */
export const notApplied = (error: unknown): boolean => Predicate.hasProperty(error, "applied") && error.applied === "no"

/** As the tokens of Proxy-Status are written (`connection_timeout`). */
const token = /^[a-z][a-z0-9_]{0,63}$/

/**
 * A short word for the error: its `cause` token, or its tag. It goes into signals and
 * problem bodies, so a cause that is a text (a message with an address and a password in
 * it, say) is no word.
 */
export const word = (error: unknown): string => {
  if (Predicate.hasProperty(error, "cause") && typeof error.cause === "string" && token.test(error.cause)) {
    return error.cause
  }
  if (Predicate.hasProperty(error, "_tag") && typeof error._tag === "string") return error._tag
  return "unknown"
}

/** Whether the downstream said that it has too much to do. */
export const overloaded = (error: unknown): boolean =>
  Predicate.hasProperty(error, "pushback") && error.pushback === "overloaded"

/** Whether the downstream said that asking again is of no use. */
export const doNotRetry = (error: unknown): boolean =>
  Predicate.hasProperty(error, "pushback") && error.pushback === "do-not-retry"
