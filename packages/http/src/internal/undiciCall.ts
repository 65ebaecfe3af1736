/**
 * One method of a contract over an undici dispatcher: a leaf, which is a promise with
 * an abort signal, so that a stack needs no fiber for an attempt.
 */
import type { Dispatcher } from "@effect/platform-node/NodeHttpClient"
import { Cache, type Contract, Leaf, Quota, Refused, Transient } from "@failsoft/core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpTraceContext from "effect/http/HttpTraceContext"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import { tellSaid } from "./cacheFields.ts"
import { errorOf, json, type Meaning, violation } from "./httpOutcome.ts"
import { tellQuota } from "./quotaFields.ts"
import { classify } from "./transportCause.ts"

/** A request before its deadline is known. */
export interface Form {
  readonly method: string
  /** The path with its query, from the base of the origin. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

/** What the calls of one transport share. */
export interface Shared {
  readonly dispatcher: typeof Dispatcher.Service
  readonly clock: Clock.Clock
  readonly origin: string
  readonly limitBytes: number
  readonly reserveMillis: number
}

/** An error that is the call's own already, on its way through the promise. */
class Declared {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

type Response = Awaited<ReturnType<(typeof Dispatcher.Service)["request"]>>

/** Closes the socket of a body that nobody wants. */
const abandon = ({ body }: Response): undefined => {
  body.on("error", () => {}).destroy()
  return undefined
}

/** The text of a body, never holding more than the limit; nothing for a larger one, whose socket is closed. */
const boundedText = async (response: Response, limitBytes: number): Promise<string | undefined> => {
  const { body, headers } = response
  const declared = Number(headers["content-length"] ?? Number.NaN)
  if (declared <= limitBytes) return body.text()
  if (declared > limitBytes) return abandon(response)
  const chunks: Array<Uint8Array> = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.byteLength
    if (size > limitBytes) return abandon(response)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString("utf8")
}

const plain = (headers: Response["headers"]): Readonly<Record<string, string | undefined>> => {
  const all: Record<string, string | undefined> = {}
  for (const [name, value] of Object.entries(headers)) all[name] = Array.isArray(value) ? value.join(", ") : value
  return all
}

/** The caller's span, told to the downstream as `traceparent`; that of our caller where there is none of our own. */
const traced = (attempt: number): Readonly<Record<string, string>> => {
  const fiber = Fiber.getCurrent()
  const span = fiber === undefined ? undefined : Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
  if (fiber === undefined || span === undefined) return {}
  if (attempt > 0 && span._tag === "Span") span.attribute("http.request.resend_count", attempt)
  if (!fiber.getRef(HttpClient.TracerPropagationEnabled)) return {}
  return span._tag === "Span"
    ? { ...HttpTraceContext.toHeaders(span) }
    : { traceparent: `00-${span.traceId}-${span.spanId}-${span.sampled ? "01" : "00"}` }
}

/** The calls of one method. `form` throws for a payload that has no form in HTTP. */
export const undiciCall = (
  meaning: Meaning,
  method: Contract.Method,
  answer: (json: unknown) => unknown,
  form: (payload: unknown) => Form,
  shared: Shared
) => {
  const decode = Schema.decodeUnknownExit(method.success)
  const { dispatcher, clock, origin, limitBytes, reserveMillis } = shared

  const succeeded = (text: string, status: number): unknown => {
    let decoded: Exit.Exit<unknown, unknown>
    try {
      decoded = decode(answer(json(text)))
    } catch {
      decoded = Exit.fail(undefined)
    }
    if (Exit.isSuccess(decoded)) return decoded.value
    throw new Declared(violation(meaning, "the body does not match the success schema", status))
  }

  const ask = async (payload: unknown, { body, headers, method, path }: Form, of: Leaf.Run): Promise<unknown> => {
    const left = of.deadlineAt === Infinity ? Infinity : of.deadlineAt - clock.currentTimeMillisUnsafe() - reserveMillis
    // Our caller's lack of time is nobody's failure: no breaker may count it.
    if (left < 1) throw new Declared(Refused.make({ policy: "transport", reason: "DEADLINE_EXCEEDED" }))
    const response = await dispatcher.request({
      origin,
      path,
      method: method as "GET",
      headers: {
        ...headers,
        ...traced(of.attempt),
        ...(left === Infinity ? {} : { "grpc-timeout": `${Math.min(99_999_999, Math.floor(left))}m` })
      },
      ...(body === undefined ? {} : { body }),
      signal: of.signal,
      // Time belongs to the ring.
      headersTimeout: 0,
      bodyTimeout: 0
    })
    const { statusCode: status } = response
    const heard = Context.get(of.context, Quota.Heard)
    const keeps = Context.get(of.context, Cache.Heard)
    if (heard !== undefined || keeps !== undefined) {
      const fields = plain(response.headers)
      if (heard !== undefined) tellQuota(heard, fields, status, clock.currentTimeMillisUnsafe())
      if (keeps !== undefined) tellSaid(keeps, fields)
    }
    const good = status >= 200 && status < 300
    const text = await boundedText(response, limitBytes)
    if (good && text === undefined) {
      throw new Declared(violation(meaning, `the body is larger than ${limitBytes} bytes`, status))
    }
    if (good) return succeeded(text ?? "", status)
    // What an error means is in its status and headers; a body too large for us adds nothing.
    throw new Declared(
      errorOf(meaning, text ?? "", status, plain(response.headers), payload, clock.currentTimeMillisUnsafe())
    )
  }

  return (payload: unknown): Effect.Effect<unknown, unknown> => {
    let formed: Form
    try {
      formed = form(payload)
    } catch (error) {
      return Effect.andThen(
        Effect.logWarning(`${meaning.label}: the request cannot be put into its HTTP form`, error),
        Effect.fail(Refused.make({ policy: "transport", reason: "UNSENDABLE_REQUEST" }))
      )
    }
    return Leaf.make(
      (of) => ask(payload, formed, of),
      (error) => (error instanceof Declared ? error.error : meaning.transient(new Transient.Transient(classify(error))))
    )
  }
}
