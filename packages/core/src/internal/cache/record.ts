/** An entry as it is kept beyond the process: one JSON text. */
import * as Schema from "effect/Schema"
import type { Entry } from "./entry.ts"

const Record = Schema.fromJsonString(
  Schema.Struct({
    // A reader of 1 knows no limits and must not take up what has some.
    v: Schema.Literals([1, 2]),
    key: Schema.String,
    asOf: Schema.Finite,
    // Nothing in what was written before there was one.
    cameAt: Schema.optionalKey(Schema.Finite),
    jitter: Schema.Finite,
    tags: Schema.Array(Schema.String),
    kind: Schema.Literals(["answer", "permanent"]),
    text: Schema.String,
    limits: Schema.optionalKey(
      Schema.Struct({
        freshMaxMillis: Schema.optionalKey(Schema.Finite),
        staleWhileRevalidateMaxMillis: Schema.optionalKey(Schema.Finite),
        staleIfErrorMaxMillis: Schema.optionalKey(Schema.Finite)
      })
    )
  })
)

/** What is kept. */
export type Record = typeof Record.Type

const decode = Schema.decodeUnknownOption(Record)

/** The text of an entry whose outcome is `text`. */
export const write = ({ key, asOf, cameAt, jitter, tags, kind, limits }: Entry, text: string): string =>
  JSON.stringify({ v: limits === undefined ? 1 : 2, key, asOf, cameAt, jitter, tags, kind, text, limits })

/** The record in a text; nothing where it is none. */
export const read = decode
