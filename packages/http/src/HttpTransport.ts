/**
 * A contract's raw calls over HTTP, on Effect's own `HttpClient` or on undici alone.
 *
 * **Details**
 *
 * Each method says how its payload becomes a request; the response is decoded by
 * the contract's `success` schema. By default 408, 429, 502, 503, 504 and
 * connection errors are transient (AIP-194), a status listed under `permanent` is
 * the declared permanent error, and everything else is a `ContractViolation`.
 *
 * What travels along: `Idempotency-Key` for keyed methods, the time that is left
 * as `grpc-timeout` (milliseconds, less `hopReserve`), and `traceparent`. An
 * interrupted call closes its socket.
 *
 * What a failing downstream says about asking again becomes part of the transient
 * error: `Retry-After` or `grpc-retry-pushback-ms` as `retryAfterMillis`; a problem
 * body with `retryable: false`, the problem type `abnormal-usage-detected`, or a
 * pushback below zero as `pushback: "do-not-retry"`; the problem types
 * `temporary-reduced-capacity` and `quota-exceeded`, `x-envoy-overloaded` and
 * `x-envoy-ratelimited` as `pushback: "overloaded"`.
 *
 * What any response says about a quota is told to the rate limit above, if there is
 * one (`Quota`): `RateLimit` with `RateLimit-Policy`, and `Retry-After` of a 429. What an
 * answer says of keeping it is told to the cache above (`Cache.Said`): `Cache-Control`, and `Age`.
 *
 * **Gotchas**
 *
 * It does not follow redirects and does not retry: that is the ring's work.
 * {@link layerUndici} costs about half, and makes no client span of its own.
 *
 * **Example** (a downstream over HTTP)
 *
 * ```ts
 * import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
 * import { Contract, Downstream, Transient } from "@failsoft/core"
 * import { HttpTransport } from "@failsoft/http"
 * import { Layer, Schema } from "effect"
 *
 * class Stock extends Downstream.Service<Stock>()("@shop/Stock", {
 *   get: Contract.method({
 *     payload: Schema.Struct({ sku: Schema.String }),
 *     success: Schema.Struct({ available: Schema.Int }),
 *     transient: Transient.Transient,
 *     permanent: Schema.Never,
 *     idempotency: "safe",
 *     onOutage: "fail"
 *   })
 * }, {
 *   criticality: "optional",
 *   owner: "team-stock",
 *   slo: { objective: 0.99, window: "30 days" },
 *   budget: "1 second",
 *   docs: "https://runbooks.example/stock"
 * }) {}
 *
 * export const StockOverHttp = HttpTransport.layer(Stock, {
 *   baseUrl: "http://127.0.0.1:4102",
 *   methods: { get: { method: "GET", path: ({ sku }) => HttpTransport.path`/stock/${sku}` } }
 * }).pipe(Layer.provide(NodeHttpClient.layerUndici))
 * ```
 *
 * @since 0.1.0
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Attempt, Cache, type Contract, Deadline, type Downstream, Quota, Refused, Transient } from "@failsoft/core"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as UrlParams from "effect/http/UrlParams"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { boundedText, TooLarge } from "./internal/boundedBody.ts"
import { tellSaid } from "./internal/cacheFields.ts"
import { errorOf, json, type Meaning, violation } from "./internal/httpOutcome.ts"
import { tellQuota } from "./internal/quotaFields.ts"
import { quoted } from "./internal/structuredField.ts"
import { classify } from "./internal/transportCause.ts"
import { type Form, undiciCall } from "./internal/undiciCall.ts"

/**
 * The methods of HTTP that a row may use.
 *
 * @category models
 * @since 0.1.0
 */
export type Verb = "GET" | "POST" | "PUT" | "PATCH" | "DELETE"

/**
 * How one method of a contract goes over HTTP.
 *
 * @category models
 * @since 0.1.0
 */
export interface Row<M extends Contract.Method> {
  readonly method: Verb
  /** The path, from the payload; {@link path} encodes what is put into it. */
  readonly path: (payload: Contract.PayloadOf<M>) => string
  /** The query, from the payload; absent values are left out. */
  readonly query?: (payload: Contract.PayloadOf<M>) => Readonly<Record<string, string | undefined>>
  /** The JSON body, from the payload. Default: the encoded payload, for POST, PUT and PATCH. */
  readonly body?: (payload: Contract.PayloadOf<M>) => unknown
  /** Reshapes the JSON of a successful answer before the schema decodes it. */
  readonly answer?: (json: unknown) => unknown
  /** The permanent errors by status; `undefined` where the body is not one of them. */
  readonly permanent?: Readonly<
    Record<number, (problem: unknown, payload: Contract.PayloadOf<M>) => Contract.PermanentOf<M> | undefined>
  >
}

/** The transient error must be made where the contract has one of its own. */
type TransientOption<M extends Contract.Methods> =
  Transient.Transient extends Contract.TransientOf<M[keyof M]>
    ? { readonly transient?: (of: Transient.Transient) => Contract.TransientOf<M[keyof M]> }
    : { readonly transient: (of: Transient.Transient) => Contract.TransientOf<M[keyof M]> }

/**
 * Where the downstream is, and how each of its methods goes over HTTP.
 *
 * @category models
 * @since 0.1.0
 */
export type Options<M extends Contract.Methods> = {
  readonly baseUrl: string
  readonly methods: { readonly [K in keyof M]: Row<M[K]> }
  /** The largest response body, in bytes. Default 1 MiB. */
  readonly responseMaxBytes?: number
  /** What the way back may take, kept from the time that is passed on. Default 5 ms. */
  readonly hopReserve?: Duration.Input
} & TransientOption<M>

/**
 * The options of a transport cannot work; `detail` names the field and what was
 * expected.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidTransport extends Schema.TaggedError<InvalidTransport>()("InvalidTransport", {
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/**
 * A path whose inserted parts are percent-encoded. Throws for a part that no URL can
 * hold as a part (`.`, `..`, a lone surrogate): a call with one is refused unsent, as
 * `UNSENDABLE_REQUEST`, and never leaves its route.
 *
 * @category constructors
 * @since 0.1.0
 */
export const path = (strings: TemplateStringsArray, ...values: ReadonlyArray<string | number>): string =>
  String.raw({ raw: strings }, ...values.map(segment))

const segment = (value: string | number): string => {
  // URLs resolve dot segments even where they are written as %2e.
  if (value === "." || value === "..") throw new URIError(`'${value}' cannot be a part of a path`)
  return encodeURIComponent(String(value))
}

/**
 * Provides `service.Transport` over HTTP, by whatever `HttpClient` there is.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <Self, Id extends string, M extends Contract.Methods>(
  service: Downstream.Service<Self, Id, M>,
  options: Options<M>
): Layer.Layer<Downstream.Transport<Id>, InvalidTransport, HttpClient.HttpClient> =>
  Layer.effect(
    service.Transport,
    Effect.flatMap(HttpClient.HttpClient, (client) =>
      callsOf(service, options, (label, method, row, common) => makeCall(label, method, row, { client, ...common }))
    )
  )

/**
 * The same by an undici dispatcher, without a client between: each attempt is one
 * promise and no fiber, at about half of the cost. It makes no span of its own; the
 * caller's is passed on. The `success` schema must decode synchronously.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerUndici = <Self, Id extends string, M extends Contract.Methods>(
  service: Downstream.Service<Self, Id, M>,
  options: Options<M>
): Layer.Layer<Downstream.Transport<Id>, InvalidTransport, NodeHttpClient.Dispatcher> =>
  Layer.effect(
    service.Transport,
    Effect.gen(function* () {
      const dispatcher = yield* NodeHttpClient.Dispatcher
      const clock = yield* Clock.Clock
      return yield* callsOf(service, options, (label, method, row, common) => {
        const { origin, pathname } = new URL(common.base)
        return undiciCall(
          { label, permanent: row.permanent, transient: common.transient },
          method,
          (of) => (row.answer === undefined ? of : row.answer(of)),
          formOf(method, row, pathname === "/" ? "" : pathname),
          { dispatcher, clock, origin, ...common }
        )
      })
    })
  )

/** What all calls of a transport have in common, whoever sends them. */
interface Common {
  readonly base: string
  readonly limitBytes: number
  readonly reserveMillis: number
  readonly transient: (of: Transient.Transient) => unknown
}

const callsOf = <Self, Id extends string, M extends Contract.Methods>(
  { contract }: Downstream.Service<Self, Id, M>,
  options: Options<M>,
  make: (label: string, method: Contract.Method, row: AnyRow, common: Common) => unknown
): Effect.Effect<Contract.RawCalls<M>, InvalidTransport> =>
  Effect.gen(function* () {
    yield* validate(contract.name, options)
    const common: Common = {
      base: options.baseUrl.replace(/\/+$/, ""),
      limitBytes: options.responseMaxBytes ?? 1_048_576,
      reserveMillis: Duration.toMillis(Duration.fromInputUnsafe(options.hopReserve ?? "5 millis")),
      transient: options.transient ?? ((of: Transient.Transient) => of)
    }
    const calls: Record<string, unknown> = {}
    for (const name of Object.keys(contract.methods)) {
      const method = contract.methods[name]
      const row = options.methods[name]
      if (method === undefined || row === undefined) {
        return yield* new InvalidTransport({ detail: `${contract.name}: methods.${name} is missing` })
      }
      calls[name] = make(`${contract.name}/${name}`, method, row, common)
    }
    // Each call was made from the contract's method and the row of the same name.
    return calls as Contract.RawCalls<M>
  })

const validate = (
  name: string,
  options: { readonly baseUrl: string; readonly responseMaxBytes?: number }
): Effect.Effect<void, InvalidTransport> => {
  const invalid = (detail: string) => Effect.fail(new InvalidTransport({ detail: `${name}: ${detail}` }))
  if (!URL.canParse(options.baseUrl) || !/^https?:$/.test(new URL(options.baseUrl).protocol)) {
    return invalid(`baseUrl must be an http or https URL, but is '${options.baseUrl}'`)
  }
  const limit = options.responseMaxBytes ?? 1
  return Number.isSafeInteger(limit) && limit > 0
    ? Effect.void
    : invalid(`responseMaxBytes must be a whole number of at least 1, but is ${limit}`)
}

interface Shared extends Common {
  readonly client: HttpClient.HttpClient
}

/** The row of any method: payloads are the method's own, as the types of `layer` demand. */
type AnyRow = {
  readonly method: Verb
  path(payload: unknown): string
  query?(payload: unknown): Readonly<Record<string, string | undefined>>
  body?(payload: unknown): unknown
  answer?(json: unknown): unknown
  readonly permanent?: Readonly<Record<number, (problem: unknown, payload: never) => unknown>>
}

const hasBody = ({ method }: AnyRow) => method === "POST" || method === "PUT" || method === "PATCH"

/** The JSON value of a request's body, `undefined` for none. */
const bodyOf = (row: AnyRow, payload: unknown, encode: (payload: unknown) => unknown): unknown =>
  row.body === undefined ? (hasBody(row) ? encode(payload) : undefined) : row.body(payload)

/** A row's path. Without its slash it would become part of the host's name. */
const pathOf = (row: AnyRow, payload: unknown): string => {
  const path = row.path(payload)
  if (path === "" || path.startsWith("/") || path.startsWith("?")) return path
  throw new URIError("a path must begin with a slash")
}

/** What a URL leaves as it is: no dot segments, no fragment, nothing to be encoded. */
const asItStands = /^(?:\/(?!\.|%2e)[\w~!$&()*+,;=:@%?.-]*)+$/i

/** The path and the query as a URL has them. Throws for what no URL has. */
const target = (path: string): string => {
  if (asItStands.test(path)) return path
  const { pathname, search } = new URL(`http://localhost${path}`)
  return pathname + search
}

const formOf = (method: Contract.Method, row: AnyRow, prefix: string) => {
  const encode = Schema.encodeSync(method.payload)
  return (payload: unknown): Form => {
    const path = pathOf(row, payload)
    const query = UrlParams.toString(UrlParams.fromInput(row.query?.(payload) ?? {}))
    const body = bodyOf(row, payload, encode)
    const key = method.idempotencyKey?.(payload)
    return {
      method: row.method,
      path: target(`${prefix}${path}${query === "" ? "" : `${path.includes("?") ? "&" : "?"}${query}`}`),
      headers: {
        accept: "application/json",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(key === undefined ? {} : { "idempotency-key": quoted(key) })
      },
      body: body === undefined ? undefined : JSON.stringify(body)
    }
  }
}

const makeCall = (label: string, method: Contract.Method, row: AnyRow, shared: Shared) => {
  const encode = Schema.encodeSync(method.payload)
  const decode = Schema.decodeUnknownEffect(method.success)

  const request = (payload: unknown, leftMillis: number): HttpClientRequest.HttpClientRequest => {
    let of = HttpClientRequest.make(row.method)(shared.base + pathOf(row, payload), {
      headers: { accept: "application/json" }
    })
    const query = row.query?.(payload)
    if (query !== undefined) of = HttpClientRequest.setUrlParams(of, query)
    const body = bodyOf(row, payload, encode)
    if (body !== undefined) of = HttpClientRequest.bodyJsonUnsafe(of, body)
    const key = method.idempotencyKey?.(payload)
    if (key !== undefined) of = HttpClientRequest.setHeader(of, "idempotency-key", quoted(key))
    if (leftMillis !== Infinity) {
      // The form allows eight digits; a longer time is as good as none.
      of = HttpClientRequest.setHeader(of, "grpc-timeout", `${Math.min(99_999_999, Math.floor(leftMillis))}m`)
    }
    return of
  }

  const meaning: Meaning = { label, permanent: row.permanent, transient: shared.transient }
  const fail = (of: ConstructorParameters<typeof Transient.Transient>[0]) =>
    Effect.fail(shared.transient(new Transient.Transient(of)))
  const violate = (detail: string, status: number) => Effect.fail(violation(meaning, detail, status))

  const succeeded = (text: string, status: number) =>
    Effect.try({ try: () => (row.answer ?? ((of: unknown) => of))(json(text)), catch: () => undefined }).pipe(
      Effect.flatMap((value) => decode(value)),
      Effect.catch(() => violate("the body does not match the success schema", status))
    )

  const refused = (text: string, response: HttpClientResponse.HttpClientResponse, payload: unknown, now: number) =>
    Effect.fail(errorOf(meaning, text, response.status, response.headers, payload, now))

  return (payload: unknown): Effect.Effect<unknown, unknown> =>
    Effect.withFiber((fiber) => {
      const clock = fiber.getRef(Clock.Clock)
      const attempt = fiber.getRef(Attempt.Attempt)
      const at = fiber.getRef(Deadline.Deadline)
      const left = at === Infinity ? at : at - clock.currentTimeMillisUnsafe() - shared.reserveMillis
      // Our caller's lack of time is nobody's failure: no breaker may count it.
      if (left < 1) return Effect.fail(Refused.make({ policy: "transport", reason: "DEADLINE_EXCEEDED" }))
      let of: HttpClientRequest.HttpClientRequest
      try {
        of = request(payload, left)
      } catch (error) {
        return Effect.andThen(
          Effect.logWarning(`${label}: the request cannot be put into its HTTP form`, error),
          Effect.fail(Refused.make({ policy: "transport", reason: "UNSENDABLE_REQUEST" }))
        )
      }
      const heard = fiber.getRef(Quota.Heard)
      const keeps = fiber.getRef(Cache.Heard)
      const call = shared.client.execute(of).pipe(
        Effect.flatMap((response): Effect.Effect<unknown, unknown> => {
          const { headers, status } = response
          if (heard !== undefined) tellQuota(heard, headers, status, clock.currentTimeMillisUnsafe())
          if (keeps !== undefined) tellSaid(keeps, headers)
          const text = boundedText(response, shared.limitBytes)
          if (status >= 200 && status < 300) return Effect.flatMap(text, (text) => succeeded(text, status))
          // What an error means is in its status and headers; a body too large for us adds nothing.
          return text.pipe(
            Effect.catchIf(
              (error) => error instanceof TooLarge,
              () => Effect.succeed("")
            ),
            Effect.flatMap((text) => refused(text, response, payload, clock.currentTimeMillisUnsafe()))
          )
        }),
        Effect.catchIf(
          (error): error is { readonly _tag: "HttpClientError" } =>
            typeof error === "object" && error !== null && "_tag" in error && error._tag === "HttpClientError",
          (error) => fail(classify(error))
        ),
        Effect.catchIf(
          (error) => error instanceof TooLarge,
          () => violate(`the body is larger than ${shared.limitBytes} bytes`, 200)
        )
      )
      return attempt === 0
        ? call
        : Effect.andThen(Effect.annotateCurrentSpan("http.request.resend_count", attempt), call)
    })
}
