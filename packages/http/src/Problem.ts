/**
 * Errors as the caller sees them: `application/problem+json` of RFC 9457.
 *
 * **Details**
 *
 * Beside `type`, `status`, `title`, `detail` and `instance`, each says whether the
 * same request may be sent again (`retryable`), why in UPPER_SNAKE (`reason`),
 * and, where one is to blame, the `downstream`. A `Problem` can be failed with in
 * any route: the edge turns it into its response. `retryAfterMillis` becomes
 * `Retry-After` in whole seconds, rounded up and jittered, which every 503, 429
 * and 202 carries.
 *
 * **Gotchas**
 *
 * `detail` goes to strangers: never put a defect's text or a request's secrets
 * into it.
 *
 * **Example** (failing with one)
 *
 * ```ts
 * import { Problem } from "@failsoft/http"
 *
 * const notFound = Problem.make({ status: 404, title: "Not found", reason: "UNKNOWN_SKU" })
 * console.log(notFound.status, notFound.retryable)
 * ```
 *
 * @since 0.1.0
 */
import { Refused, type Unavailable } from "@failsoft/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerRespondable from "effect/http/HttpServerRespondable"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import { formatRetryAfter } from "./internal/retryAfter.ts"

/**
 * The members of a problem body.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Body = Schema.Struct({
  type: Schema.String,
  status: Schema.Int,
  title: Schema.String,
  detail: Schema.optionalKey(Schema.String),
  instance: Schema.optionalKey(Schema.String),
  retryable: Schema.Boolean,
  reason: Schema.String,
  downstream: Schema.optionalKey(Schema.String),
  refusal: Schema.optionalKey(Refused.Record),
  traceId: Schema.optionalKey(Schema.String)
})

/**
 * Capacity that is reduced for a while (503), of the IANA registry of problem
 * types.
 *
 * @category constants
 * @since 0.1.0
 */
export const temporaryReducedCapacity = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"

/**
 * A quota that is used up (429), of the same registry.
 *
 * @category constants
 * @since 0.1.0
 */
export const quotaExceeded = "https://iana.org/assignments/http-problem-types#quota-exceeded"

/**
 * An error that knows its response.
 *
 * @category errors
 * @since 0.1.0
 */
export class Problem
  extends Schema.TaggedError<Problem>()("Problem", {
    ...Body.fields,
    retryAfterMillis: Schema.optionalKey(Schema.Finite),
    challenge: Schema.optionalKey(Schema.String)
  })
  implements HttpServerRespondable.Respondable
{
  [HttpServerRespondable.symbol]() {
    return toResponse(this)
  }
}

/**
 * What a problem is made from; the rest has defaults: `about:blank`, the title of
 * the status, not retryable unless the status passes away by itself (429, 503).
 *
 * @category models
 * @since 0.1.0
 */
export interface Fields {
  readonly status: number
  readonly reason: string
  readonly title?: string
  readonly detail?: string
  readonly type?: string
  readonly retryable?: boolean
  readonly downstream?: string
  /** The record of the policy that refused: policy, counters, what was left of the deadline. */
  readonly refusal?: Refused.Record
  readonly retryAfterMillis?: number
  /** What a 401 asks for in `WWW-Authenticate`. Default `Bearer`. */
  readonly challenge?: string
}

const titles: Readonly<Record<number, string>> = {
  400: "The request is malformed",
  401: "The token is not valid",
  402: "The payment was declined",
  403: "Not allowed",
  404: "Not found",
  405: "The method is not allowed here",
  408: "The request took too long to arrive",
  409: "The request conflicts with the state of the resource",
  413: "The request is too large",
  415: "The content type is not supported",
  422: "The request cannot be processed",
  429: "Too many requests",
  500: "Something went wrong here",
  503: "Not available for the moment",
  504: "The deadline was spent"
}

/**
 * Makes a problem.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (fields: Fields): Problem =>
  new Problem({
    type: "about:blank",
    title: titles[fields.status] ?? "Error",
    retryable: fields.status === 429 || fields.status === 503,
    ...fields
  })

/** What a client waits where nobody knows better, in milliseconds. */
const retryAfterDefaultMillis = 1000

/**
 * A downstream that gave no answer, as a 503 with its reason and the time after
 * which asking again makes sense.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromUnavailable = (failure: Unavailable.Unavailable): Problem =>
  make({
    status: 503,
    reason: failure.reason,
    retryable: failure.retryable,
    downstream: failure.downstream,
    detail: `${failure.downstream} gave no answer`,
    retryAfterMillis: failure.retryAfterMillis ?? retryAfterDefaultMillis,
    ...(failure.refusal === undefined ? {} : { refusal: failure.refusal }),
    // A full bulkhead and a concurrency limit are our own lack of capacity.
    ...(/^(BULKHEAD_|CONCURRENCY_LIMITED$)/.test(failure.reason) ? { type: temporaryReducedCapacity } : {})
  })

/**
 * Ends a route with a problem where its typed errors have no place for one: the
 * edge finds it. It is the documented error of that route, not a defect.
 *
 * @category constructors
 * @since 0.1.0
 */
export const raise = (problem: Problem): Effect.Effect<never> => Effect.die(problem)

/**
 * The same for a whole handler: its problems and its unavailable downstreams go to
 * the edge, its answer stays typed.
 *
 * @category combinators
 * @since 0.1.0
 */
export const orRaise = <A, R>(
  self: Effect.Effect<A, Problem | Unavailable.Unavailable, R>
): Effect.Effect<A, never, R> =>
  Effect.catch(self, (error) => raise(error._tag === "Problem" ? error : fromUnavailable(error)))

const carriesRetryAfter = (status: number) => status === 503 || status === 429 || status === 202

/**
 * The response of a problem, with the request's path as `instance`.
 *
 * @category converting
 * @since 0.1.0
 */
export const toResponse = (problem: Problem): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.withFiber((fiber) => Effect.succeed(responseOf(problem, fiber.context)))

/**
 * The same in a synchronous block, with the request and the span of this context.
 *
 * @category converting
 * @since 0.1.0
 */
export const responseOf = (
  problem: Problem,
  context: Context.Context<never>
): HttpServerResponse.HttpServerResponse => {
  const request = Context.getOrUndefined(context, HttpServerRequest.HttpServerRequest)
  const instance = request === undefined ? undefined : pathOf(request.originalUrl)
  const traceId = Context.getOrUndefined(context, Tracer.ParentSpan)?.traceId
  return HttpServerResponse.jsonUnsafe(bodyOf(problem, instance, traceId), {
    status: problem.status,
    contentType: "application/problem+json",
    headers: {
      ...(carriesRetryAfter(problem.status)
        ? {
            "retry-after": formatRetryAfter(
              problem.retryAfterMillis ?? retryAfterDefaultMillis,
              Context.get(context, Random.Random).nextDoubleUnsafe()
            )
          }
        : {}),
      ...(problem.status === 401 ? { "www-authenticate": problem.challenge ?? "Bearer" } : {})
    }
  })
}

/**
 * The path of a URL without its query, which may hold what others must not see.
 *
 * @category accessors
 * @since 0.1.0
 */
export const pathOf = (url: string): string => url.replace(/^[a-z]+:\/\/[^/]*/i, "").replace(/[?#].*$/, "")

const bodyOf = (problem: Problem, instance: string | undefined, traceId: string | undefined): typeof Body.Encoded => ({
  type: problem.type,
  status: problem.status,
  title: problem.title,
  ...(problem.detail === undefined ? {} : { detail: problem.detail }),
  ...(instance === undefined ? {} : { instance }),
  retryable: problem.retryable,
  reason: problem.reason,
  ...(problem.downstream === undefined ? {} : { downstream: problem.downstream }),
  ...(problem.refusal === undefined ? {} : { refusal: problem.refusal }),
  ...(traceId === undefined ? {} : { traceId })
})
