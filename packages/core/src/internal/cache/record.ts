/** An entry as it is kept beyond the process: one JSON text. */
import * as Schema from "effect/Schema"
import type { Entry } from "./entry.ts"

const Record = Schema.fromJsonString(
  Schema.Struct({
    v: Schema.Literal(1),
    key: Schema.String,
    asOf: Schema.Finite,
    jitter: Schema.Finite,
    tags: Schema.Array(Schema.String),
    kind: Schema.Literals(["answer", "permanent"]),
    text: Schema.String
  })
)

/** What is kept. */
export type Record = typeof Record.Type

const decode = Schema.decodeUnknownOption(Record)

/** The text of an entry whose outcome is `text`. */
export const write = ({ key, asOf, jitter, tags, kind }: Entry, text: string): string =>
  JSON.stringify({ v: 1, key, asOf, jitter, tags, kind, text })

/** The record in a text; nothing where it is none. */
export const read = decode

/**
 * Two 32-bit mixes of a text as 16 hexadecimal digits (after cyrb53, Bryc 2018). It
 * only names a place: the record there says whose it is.
 */
export const placeOf = (text: string): string => {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    a = Math.imul(a ^ code, 2654435761)
    b = Math.imul(b ^ code, 1597334677)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return [a, b].map((of) => (of >>> 0).toString(16).padStart(8, "0")).join("")
}
