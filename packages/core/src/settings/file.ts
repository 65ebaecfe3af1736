/** Settings from a JSON file that is watched. */
import * as ByteSize from "effect/ByteSize"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import type { Said, SettingsSource } from "./source.ts"

/** Far more than settings need. */
const bytesMax = 1_048_576

type Seen = Said | { readonly _tag: "Absent" }

const malformed = (problem: string): Seen => ({ _tag: "Malformed", problem })

const parse = (text: string): Seen => {
  try {
    const value: unknown = JSON.parse(text)
    return Predicate.isObject(value) && !Array.isArray(value)
      ? { _tag: "Values", values: { ...value } }
      : malformed('must be a JSON object of names and values, such as {"payments/charge/timeout.limitMillis": 250}')
  } catch (error) {
    return malformed(`is not valid JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

const look = (path: string): Effect.Effect<Seen, never, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const { size } = yield* files.stat(path)
    if (size > ByteSize.bytes(bytesMax)) return malformed(`has more than ${bytesMax} bytes`)
    return parse(yield* files.readFileString(path))
  }).pipe(
    Effect.catch((error) =>
      Effect.succeed(error.reason._tag === "NotFound" ? ({ _tag: "Absent" } as const) : malformed(error.reason.message))
    )
  )

const folderOf = (path: string): string => path.replace(/[^/\\]*$/, "").replace(/(.)[/\\]$/, "$1") || "."

/**
 * The settings of a JSON file, an object of names and values. A time is a number of
 * milliseconds or a string such as `"250 millis"`.
 *
 * The file is read at the start, whenever its folder says that something changed,
 * and every `poll` (5 s by default) where nobody says so. A file that cannot be
 * understood, such as one that is half written, leaves the last good values and is
 * reported once; a file that is gone takes its values with it.
 *
 * @category sources
 * @since 0.1.0
 */
export const file = (
  path: string,
  options: { readonly poll?: Duration.Input; readonly debounce?: Duration.Input } = {}
): SettingsSource<FileSystem.FileSystem> => {
  const debounce = options.debounce ?? "100 millis"
  // Where a file is replaced in two steps, it is absent for a moment.
  const settled = Effect.flatMap(look(path), (seen) =>
    seen._tag === "Absent" ? Effect.delay(look(path), debounce) : Effect.succeed(seen)
  )
  const say = (seen: Seen): Said =>
    seen._tag === "Absent"
      ? { _tag: "Values", values: {} }
      : seen._tag === "Malformed"
        ? { _tag: "Malformed", problem: `${path} ${seen.problem}; the last good values stay` }
        : seen
  const watched = Stream.unwrap(Effect.map(FileSystem.FileSystem, (files) => files.watch(folderOf(path)))).pipe(
    Stream.map(() => undefined),
    // Where a folder cannot be watched, polling finds the change.
    Stream.catchCause(() => Stream.empty)
  )
  return {
    source: "file",
    by: path,
    initial: Effect.map(look(path), say),
    changes: Stream.suspend(() => {
      let last: string | undefined
      return Stream.tick(options.poll ?? "5 seconds").pipe(
        Stream.merge(watched),
        Stream.debounce(debounce),
        Stream.mapEffect(() => Effect.map(settled, say)),
        Stream.filter((said) => {
          // Broken in whatever way is said once, until it is whole again.
          const now = said._tag === "Values" ? JSON.stringify(said.values) : said._tag
          const news = now !== last
          last = now
          return news
        })
      )
    })
  }
}
