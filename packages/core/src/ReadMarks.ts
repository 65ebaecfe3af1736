/**
 * What each session was already shown, so that nothing older follows: monotonic reads.
 *
 * **Details**
 *
 * For a method whose contract says `reads: "monotonic"`, a ring keeps a mark for each
 * session and key: when the latest answer that the session was shown came, or the latest
 * final word (a permanent error). When it was read nobody knows; not later than that. An
 * answer whose call began before it (its `asOf`) is passed over, since it may have been
 * read earlier: a cache loads instead, a fallback's step counts as one that has no answer
 * (the signal `ReadTooOld` says which), and where none is left the call ends as it would
 * without them. The answer that was shown last, known by its two times, may be given
 * again. A live answer is always given and raises the mark. An answer without an `asOf`
 * (`Fallback.value`, an assumption) is no older reading of anything: it is given and
 * raises nothing.
 *
 * The session is that of the `Caller`, whose marks this process remembers, and what came
 * with the request ({@link Carried}), which the edge of `@failsoft/http` reads and
 * writes: so a session may go from one process to another. Both marks count.
 *
 * **Gotchas**
 *
 * Marks are bounded: at most `sessionsMax` sessions with `keysMax` keys each, and those
 * not shown anything for longest are forgotten first (`forgotten` counts them). For what
 * was forgotten, and after a restart, the session begins anew and may be shown something
 * older once. The same holds where no session is known: nothing is checked, and the
 * signal `SessionUnknown` says so.
 *
 * A replica that lags does not say so: its live answer counts as new. Times of several
 * processes are compared, so their clocks must be as near to each other as readers are to
 * notice. Of calls of one session that overlap none comes before the other: where they
 * got different answers, neither may be given again.
 *
 * **Example** (marks that all rings below share)
 *
 * ```ts
 * import { ReadMarks } from "@failsoft/core"
 *
 * export const marks = ReadMarks.layer({ sessionsMax: 50_000, keysMax: 50 })
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SessionMarks } from "./internal/sessionMarks.ts"

/**
 * The bounds: so many sessions, and for each so many keys, whatever the method.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default 10 000; a million at most. */
  readonly sessionsMax?: number
  /** Default 100; ten thousand at most. */
  readonly keysMax?: number
}

/**
 * What was shown of a key: nothing that was read after `cameAt`. `begunAt` is when the
 * call of the answer that came then began: that answer may be shown again. It is nothing
 * where no answer may. Times are whole milliseconds since the epoch.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mark {
  readonly begunAt: number | undefined
  readonly cameAt: number
}

/**
 * The marks of all sessions of a process. A key is a canonical text of method, owner and
 * payload. `of` is nothing where no mark is known; `raise` adds what was shown, and never
 * lowers a mark.
 *
 * @category services
 * @since 0.1.0
 */
export interface ReadMarks {
  readonly of: (session: string, key: string) => Mark | undefined
  readonly raise: (session: string, key: string, shown: Mark) => void
  /** The sessions that are remembered now. */
  readonly sessions: () => number
  /** How many marks were forgotten for want of room. */
  readonly forgotten: () => number
}

/**
 * The marks that came with a request and go out with its answer.
 *
 * @category models
 * @since 0.1.0
 */
export interface CarriedMarks {
  readonly of: (key: string) => Mark | undefined
  readonly raise: (key: string, shown: Mark) => void
  /** The digest of each key with its mark, the one shown longest ago first. */
  readonly entries: () => ReadonlyArray<readonly [digest: string, mark: Mark]>
}

/**
 * A longer name of a session counts as none.
 *
 * @category limits
 * @since 0.1.0
 */
export const sessionLengthMax = 256

const bounded = (name: string, value: number, most: number): number => {
  if (Number.isInteger(value) && value >= 1 && value <= most) return value
  throw new Error(`ReadMarks: ${name} is ${value}; it must be a whole number from 1 to ${most}`)
}

/**
 * Makes marks of their own. Bounds that are none are a defect.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): ReadMarks => {
  const sessionsMax = bounded("sessionsMax", options.sessionsMax ?? 10_000, 1_000_000)
  const keysMax = bounded("keysMax", options.keysMax ?? 100, 10_000)
  // A Map keeps the order of insertion: its first session was shown something longest ago.
  const bySession = new Map<string, SessionMarks>()
  let forgotten = 0
  return {
    of: (session, key) => bySession.get(session)?.of(key),
    raise: (session, key, shown) => {
      const marks = bySession.get(session) ?? new SessionMarks(keysMax)
      bySession.delete(session)
      bySession.set(session, marks)
      forgotten += marks.raise(key, shown)
      if (bySession.size <= sessionsMax) return
      for (const [oldest, gone] of bySession) {
        bySession.delete(oldest)
        forgotten += gone.size
        break
      }
    },
    sessions: () => bySession.size,
    forgotten: () => forgotten
  }
}

/**
 * The marks of the current context, where a layer gives some. A ring takes them when its
 * layer is built; one that finds none has marks of its own, with the default bounds.
 *
 * @category references
 * @since 0.1.0
 */
export const ReadMarks: Context.Reference<ReadMarks | undefined> = Context.Reference<ReadMarks | undefined>(
  "@failsoft/core/ReadMarks",
  { defaultValue: () => undefined }
)

/**
 * Marks for the rings below it: two rings of one contract then know what the other has
 * shown.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<never> =>
  Layer.effect(
    ReadMarks,
    Effect.sync(() => make(options))
  )

/**
 * The marks that came with the current request; nothing where it carries none.
 *
 * @category references
 * @since 0.1.0
 */
export const Carried: Context.Reference<CarriedMarks | undefined> = Context.Reference<CarriedMarks | undefined>(
  "@failsoft/core/ReadMarks/Carried",
  { defaultValue: () => undefined }
)

/**
 * Marks for one request, from the digests that came with it, the one shown longest ago
 * first. Keeps `keysMax` of them.
 *
 * @category constructors
 * @since 0.1.0
 */
export const carried = (came: ReadonlyArray<readonly [digest: string, mark: Mark]>, keysMax: number): CarriedMarks => {
  const marks = new SessionMarks(bounded("keysMax", keysMax, 10_000))
  for (const [digest, mark] of came) marks.raiseDigest(digest, mark)
  return marks
}
