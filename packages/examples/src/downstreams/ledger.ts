/**
 * Keyed results that survive a kill: one JSON line each, written before the answer
 * goes out. A line that was cut off by a crash is dropped.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Schema from "effect/Schema"

/** A file of lines of one schema; without a folder it lives in memory only. */
export interface Ledger<A> {
  readonly lines: ReadonlyArray<A>
  readonly append: (line: A) => void
}

/** Opens a ledger and reads what it holds. */
export const open = <A>(schema: Schema.Codec<A, unknown>, folder: string | undefined, name: string): Ledger<A> => {
  const lines: Array<A> = []
  if (folder === undefined) return { lines, append: (line) => void lines.push(line) }
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${name}.jsonl`)
  if (existsSync(file)) {
    const text = readFileSync(file, "utf8")
    for (const line of text.slice(0, text.lastIndexOf("\n") + 1).split("\n")) {
      if (line !== "") lines.push(Schema.decodeUnknownSync(schema)(JSON.parse(line)))
    }
    // What a crash cut off must not stand in front of the next line.
    if (!text.endsWith("\n") && text !== "") writeFileSync(file, text.slice(0, text.lastIndexOf("\n") + 1))
  }
  const encode = Schema.encodeSync(schema)
  return {
    lines,
    append: (line) => {
      appendFileSync(file, `${JSON.stringify(encode(line))}\n`)
      lines.push(line)
    }
  }
}
