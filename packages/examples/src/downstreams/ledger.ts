/**
 * Keyed results that survive a kill: one JSON line each, written before the answer
 * goes out. A line that was cut off by a crash is dropped.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync } from "node:fs"
import { join } from "node:path"
import * as Schema from "effect/Schema"

/** A file of lines of one schema; without a folder it lives in memory only. */
export interface Ledger<A> {
  readonly lines: ReadonlyArray<A>
  /** Throws where the line could not be written; the file is then as it was before. */
  readonly append: (line: A) => void
}

/** Opens a ledger and reads what it holds; throws where a whole line cannot be read, and names it. */
export const open = <A>(schema: Schema.Codec<A, unknown>, folder: string | undefined, name: string): Ledger<A> => {
  const lines: Array<A> = []
  if (folder === undefined) return { lines, append: (line) => void lines.push(line) }
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${name}.jsonl`)
  const text = existsSync(file) ? readFileSync(file) : Buffer.alloc(0)
  let size = text.lastIndexOf("\n") + 1
  // What a crash cut off must not stand in front of the next line.
  if (size < text.length) truncateSync(file, size)

  const decode = Schema.decodeUnknownSync(Schema.fromJsonString(schema))
  for (const [nth, line] of text.subarray(0, size).toString("utf8").split("\n").entries()) {
    if (line === "") continue
    try {
      lines.push(decode(line))
    } catch {
      throw new Error(`line ${nth + 1} of ${file} is damaged: mend it, or remove the file to start without its history`)
    }
  }

  const encode = Schema.encodeSync(Schema.fromJsonString(schema))
  return {
    lines,
    append: (line) => {
      const written = Buffer.from(`${encode(line)}\n`)
      try {
        appendFileSync(file, written)
      } catch (error) {
        // A full disk may have taken half of it.
        truncateSync(file, size)
        throw error
      }
      size += written.length
      lines.push(line)
    }
  }
}
