/**
 * A fault that a downstream can be given, as JSON: the same words for drills,
 * tests and the admin API. Times are milliseconds, shares are percent.
 */
import * as Schema from "effect/Schema"

const Millis = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 600_000 }))
const Percent = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 100 }))
const forMillis = { forMillis: Schema.optionalKey(Millis) }

const kind = <const K extends string, const F extends Schema.Struct.Fields>(name: K, fields: F) =>
  Schema.Struct({ kind: Schema.tag(name), ...fields, ...forMillis })

/** Every kind of fault, by its `kind`; `forMillis` ends it by itself. */
export const Fault = Schema.Union([
  /** Each answer later by `millis`, give or take `jitter`. */
  kind("latency", { millis: Millis, jitter: Schema.optionalKey(Millis) }),
  /** A share of requests is refused with 503 (or 429), nothing applied. */
  kind("transient", {
    percent: Percent,
    retryAfterSeconds: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 86_400 }))),
    status: Schema.optionalKey(Schema.Literals([429, 503]))
  }),
  /** A share of requests gets a final error that nobody declared. */
  kind("permanent", { percent: Percent }),
  /** No answer, ever. */
  kind("hang", {}),
  /** The answer, one byte at a time. */
  kind("drip", {}),
  /** An answer of the wrong shape. */
  kind("garbled", {}),
  /** An answer that breaks off. */
  kind("partial", {}),
  /** The connection is reset; nothing applied. */
  kind("resetBefore", {}),
  /** Applied, then the connection is reset. */
  kind("resetAfter", {}),
  /** In turn well and reset. */
  kind("flap", { upMillis: Millis, downMillis: Millis }),
  /** At most so many at once, the rest 503. */
  kind("capacity", { concurrent: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 })) }),
  /** Connections are refused. */
  kind("down", {}),
  /** Capacity grows from 10 % to all of it over `millis`. */
  kind("coldStart", { millis: Millis })
])

/** Every kind of fault, by its `kind`. */
export type Fault = typeof Fault.Type
