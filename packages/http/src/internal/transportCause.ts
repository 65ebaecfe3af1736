/**
 * What a connection error means, in the words of RFC 9209's error vocabulary, and
 * whether the request can have been applied.
 */
import type { Transient } from "@failsoft/core"
import * as Predicate from "effect/Predicate"

/** A word for the error, and whether the request may have taken effect. */
export interface TransportCause {
  readonly cause: string
  readonly applied: Transient.Applied
}

const causes: Readonly<Record<string, TransportCause>> = {
  ECONNREFUSED: { cause: "connection_refused", applied: "no" },
  ENOTFOUND: { cause: "dns_error", applied: "no" },
  EAI_AGAIN: { cause: "dns_timeout", applied: "no" },
  EHOSTUNREACH: { cause: "destination_ip_unroutable", applied: "no" },
  ENETUNREACH: { cause: "destination_ip_unroutable", applied: "no" },
  UND_ERR_CONNECT_TIMEOUT: { cause: "connection_timeout", applied: "no" },
  UND_ERR_HEADERS_TIMEOUT: { cause: "http_response_timeout", applied: "unknown" },
  UND_ERR_BODY_TIMEOUT: { cause: "http_response_timeout", applied: "unknown" }
}

/** Everything else happened on an open connection, so nobody knows. */
const terminated: TransportCause = { cause: "connection_terminated", applied: "unknown" }

/** Finds the system's error code in an error, in its causes, and in the parts of an AggregateError. */
const codesOf = function* (error: unknown, depth = 0): Generator<string> {
  if (depth > 5 || !Predicate.isObject(error)) return
  if ("code" in error && typeof error.code === "string") yield error.code
  if ("errors" in error && Array.isArray(error.errors)) for (const part of error.errors) yield* codesOf(part, depth + 1)
  if ("cause" in error) yield* codesOf(error.cause, depth + 1)
  if ("reason" in error) yield* codesOf(error.reason, depth + 1)
}

/** Classifies an error of the HTTP client. */
export const classify = (error: unknown): TransportCause => {
  for (const code of codesOf(error)) {
    const known = causes[code]
    if (known !== undefined) return known
  }
  return terminated
}
