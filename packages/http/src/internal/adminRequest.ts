/** What a request of the admin API asks for. */
import type { Settings } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Schema from "effect/Schema"
import * as Problem from "../Problem.ts"
import { isTooLarge } from "./toProblem.ts"

const word = Schema.String.pipe(Schema.check(Schema.isMaxLength(500)))

const about = {
  reason: Schema.optionalKey(word),
  by: Schema.optionalKey(word),
  expiresAfterMillis: Schema.optionalKey(Schema.Finite)
}

const One = Schema.Struct({ value: Schema.Union([Schema.String, Schema.Finite, Schema.Boolean]), ...about })

const Values = Schema.Struct({
  values: Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Finite, Schema.Boolean, Schema.Null])),
  ...about
})

const Group = Schema.Struct({ changes: Schema.Record(Schema.String, Schema.Unknown), ...about })

/** Who asks and for how long, as far as the request says it. */
interface About {
  readonly reason?: string
  readonly by?: string
  readonly expiresAfterMillis?: number
}

/** The same for the registry. */
export const options = ({ reason, by, expiresAfterMillis }: About): Settings.Options => ({
  by: by === undefined || by === "" ? "admin API" : by,
  reason,
  expiresAfter: expiresAfterMillis
})

const malformed = (detail: string) =>
  Problem.make({ status: 400, reason: "MALFORMED_SETTING", detail: detail.slice(0, 300) })

const body = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => request.json).pipe(
  Effect.mapError((error) =>
    HttpServerError.isHttpServerError(error) && isTooLarge(error)
      ? Problem.make({ status: 413, reason: "BODY_TOO_LARGE" })
      : malformed("the body must be valid JSON")
  )
)

const decoded = <A, I>(schema: Schema.Codec<A, I>, form: string) =>
  Effect.flatMap(body, (given) =>
    Schema.decodeUnknownEffect(schema, { onExcessProperty: "error" })(given).pipe(
      Effect.mapError((error) => malformed(`the body must be ${form}: ${error.message.replace(/\s+/g, " ")}`))
    )
  )

const aboutForm = "reason?, by?, expiresAfterMillis?"

/** The change of one setting. */
export const one = decoded(One, `{ value, ${aboutForm} }`)

/** The changes of a group; `null` takes a value away. */
export const group = Effect.map(decoded(Group, `{ changes: { name: value }, ${aboutForm} }`), (of) => ({
  ...of,
  changes: Object.fromEntries(Object.entries(of.changes).map(([name, value]) => [name, value ?? undefined]))
}))

/** The values of the knobs of one flag; `null` takes one away. */
export const withValues = decoded(Values, `{ values: { knob: value }, ${aboutForm} }`)

/** Who asks, of a request that has no body. */
export const query = Effect.map(HttpServerRequest.HttpServerRequest, ({ url }): About => {
  const given = new URLSearchParams(url.split("?")[1] ?? "")
  const [reason, by] = [given.get("reason"), given.get("by")]
  return {
    ...(reason === null ? {} : { reason: reason.slice(0, 500) }),
    ...(by === null ? {} : { by: by.slice(0, 500) })
  }
})

/** The rest of the path, decoded by the router; a name may have its slashes either way. */
export const rest = Effect.map(HttpRouter.RouteContext, ({ params }) => params["*"] ?? "")
