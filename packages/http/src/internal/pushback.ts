/**
 * What a downstream that fails says about asking again, beside `Retry-After`: in the
 * problem body (RFC 9457, with our `retryable`), and in the headers of gRPC
 * (`grpc-retry-pushback-ms`, proposal A6) and Envoy (`x-envoy-overloaded`,
 * `x-envoy-ratelimited`, which its own retries obey).
 */
import type { Transient } from "@failsoft/core"
import * as Predicate from "effect/Predicate"
import { parseRetryAfter } from "./retryAfter.ts"

/** The hints of a response, as the fields of a transient error. */
export interface Pushback {
  readonly retryAfterMillis?: number
  readonly pushback?: Transient.Pushback
}

const problemTypes = "https://iana.org/assignments/http-problem-types#"
const tooMuch = new Set([`${problemTypes}temporary-reduced-capacity`, `${problemTypes}quota-exceeded`])
const unwanted = `${problemTypes}abnormal-usage-detected`

/** Reads the hints; `problem` is the decoded body, if it is one. */
export const pushbackOf = (
  headers: Readonly<Record<string, string | undefined>>,
  problem: unknown,
  nowMillis: number
): Pushback => {
  const grpc = headers["grpc-retry-pushback-ms"]?.trim()
  // gRPC: a value that is negative or no number at all means "do not retry".
  const grpcMillis = grpc !== undefined && /^\d{1,12}$/.test(grpc) ? Number(grpc) : undefined
  const retryAfterMillis = parseRetryAfter(headers["retry-after"], nowMillis) ?? grpcMillis
  const type = Predicate.hasProperty(problem, "type") ? problem.type : undefined
  const never =
    (grpc !== undefined && grpcMillis === undefined) ||
    type === unwanted ||
    (Predicate.hasProperty(problem, "retryable") && problem.retryable === false)
  const overloaded =
    headers["x-envoy-overloaded"] !== undefined ||
    headers["x-envoy-ratelimited"] !== undefined ||
    (typeof type === "string" && tooMuch.has(type))
  return {
    ...(retryAfterMillis === undefined ? {} : { retryAfterMillis }),
    ...(never ? { pushback: "do-not-retry" } : overloaded ? { pushback: "overloaded" } : {})
  }
}
