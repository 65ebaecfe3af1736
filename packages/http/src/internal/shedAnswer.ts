/** What a shed request is answered with: no schema and no parsing, since it must cost next to nothing. */
import { Refused } from "@failsoft/core"
import * as Problem from "../Problem.ts"
import { formatRetryAfter } from "./retryAfter.ts"

const title = "Not available for the moment"
const detail = "the service has more to do than it can; ask again later"

/** The problem; the trace is the caller's own, from its `traceparent`. */
export const shedBody = (refused: Refused.Refused, url: string, traceparent: string | undefined): string => {
  const traceId = traceparent === undefined ? undefined : traceIdOf(traceparent)
  return JSON.stringify({
    type: Problem.temporaryReducedCapacity,
    status: 503,
    title,
    detail,
    instance: Problem.pathOf(url),
    retryable: true,
    reason: refused.reason,
    refusal: Refused.record(refused),
    ...(traceId === undefined ? {} : { traceId })
  })
}

/** Its headers, without the length. */
export const shedHeaders = (
  refused: Refused.Refused,
  random: number,
  draining: boolean
): Readonly<Record<string, string>> => ({
  "content-type": "application/problem+json",
  "retry-after": formatRetryAfter(refused.retryAfterMillis ?? 1000, random),
  ...(draining ? { connection: "close" } : {})
})

/** W3C: version, trace, parent, flags. */
const traceIdOf = (traceparent: string): string | undefined =>
  /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(traceparent)?.[1]
