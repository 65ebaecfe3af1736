/** One request of a drill and what became of it. */

/** How good an answer was: `fresh`, a degraded quality, `final` (a permanent error, such as sold out), `failed`, or `gone` (its caller did not wait). */
export type Grade = string

/** A request, counted from the moment at which it was due. */
export interface Seen {
  /** When it was due, in milliseconds from the start of the drill. */
  readonly at: number
  readonly endpoint: "page" | "order"
  readonly grade: Grade
  readonly status: number
  readonly millis: number
  /** The reason that a failed one states. */
  readonly reason: string | undefined
  /** What was wrong with it, whatever was broken. */
  readonly broken: string | undefined
  /** The order that was confirmed, by its id. */
  readonly orderId: string | undefined
}

/** The qualities from best to worst, as the `Degradation` header names them. */
const qualities = ["stale", "partial", "optimistic", "deferred", "substituted", "omitted"]

/** A response as the drill reads it. */
export interface Response {
  readonly status: number
  readonly header: (name: string) => string | null
  readonly body: unknown
}

const property = (of: unknown, name: string): unknown =>
  typeof of === "object" && of !== null ? Reflect.get(of, name) : undefined

/** The grade of an answer: the worst quality that its header states. */
export const gradeOf = ({ header, status }: Response): Grade => {
  if (status >= 500 || status === 429) return "failed"
  if (status >= 400) return "final"
  const stated = [...(header("degradation") ?? "").matchAll(/;quality=([a-z]+)/g)].map(([, quality]) => quality ?? "")
  const worst = qualities.findLast((quality) => stated.includes(quality))
  return worst ?? (status === 202 ? "deferred" : "fresh")
}

/** What no answer may be, whatever is broken: the first promise that it breaks. */
export const brokenPromise = (response: Response, millis: number, deadlineMillis: number): string | undefined => {
  const { body, header, status } = response
  if (millis > deadlineMillis)
    return `an answer after ${Math.round(millis)} ms, with a deadline of ${deadlineMillis} ms`
  if (status >= 500 && status !== 503 && status !== 504) return `status ${status}`
  if (status >= 400 && !(header("content-type") ?? "").startsWith("application/problem+json")) {
    return `status ${status} without a problem body`
  }
  if (status >= 400 && typeof property(body, "retryable") !== "boolean")
    return `status ${status} that does not say whether to retry`
  if (status === 503 && header("retry-after") === null) return "503 without Retry-After"
  if (status >= 400) return undefined
  const degraded = property(property(body, "meta"), "degraded")
  const inBody = Array.isArray(degraded) && degraded.length > 0
  return inBody !== (header("degradation") !== null)
    ? "the header Degradation and meta.degraded say different things"
    : undefined
}

/** The reason of a problem, with the downstream that it names. */
export const reasonOf = ({ body, status }: Response): string | undefined =>
  status < 400
    ? undefined
    : [property(body, "downstream"), property(body, "reason")].filter((word) => word !== undefined).join(" ")

/** The id of an order that was confirmed. */
export const orderIdOf = ({ body, status }: Response): string | undefined => {
  const id = property(body, "id")
  return status === 201 && typeof id === "string" ? id : undefined
}
