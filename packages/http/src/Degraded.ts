/**
 * What degraded in a request, told to its caller: the `Degradation` header and
 * `meta.degraded`, which state the same facts.
 *
 * **Details**
 *
 * The header is a structured-field list,
 * `catalog;quality=stale;age=30;reason=circuit-open`; `age` is whole seconds,
 * rounded up, so that an answer never looks younger than it is. Both are absent or
 * empty when all is fresh.
 *
 * **Gotchas**
 *
 * A downstream appears once: its worst answer of this request.
 *
 * **Example** (the header's form)
 *
 * ```ts
 * import { Degraded } from "@failsoft/http"
 *
 * console.log(Degraded.header([{ downstream: "catalog", quality: "stale", reason: "circuit-open", age: 30 }]))
 * ```
 *
 * @since 0.1.0
 */
import { Answer, Journal } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { token } from "./internal/structuredField.ts"

/**
 * One degraded downstream: how good its answer is, why it is not fresh (lower
 * case, with hyphens), and its age in seconds where it has one.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Entry = Schema.Struct({
  downstream: Schema.String,
  quality: Schema.Literals(["stale", "partial", "optimistic", "deferred", "substituted", "omitted"]),
  reason: Schema.String,
  age: Schema.optionalKey(Schema.Int)
})

/**
 * One degraded downstream.
 *
 * @category models
 * @since 0.1.0
 */
export type Entry = typeof Entry.Type

/**
 * The `meta` member of an answer.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Meta = Schema.Struct({ degraded: Schema.Array(Entry) })

/**
 * The facts of a journal, one entry per downstream: the worst of it.
 *
 * @category converting
 * @since 0.1.0
 */
export const fromJournal = (entries: ReadonlyArray<Journal.Entry>): ReadonlyArray<Entry> => {
  const worst = new Map<string, Journal.Entry>()
  for (const entry of entries) {
    const known = worst.get(entry.downstream)
    if (known === undefined || isWorse(entry, known)) worst.set(entry.downstream, entry)
  }
  return [...worst.values()].map(({ downstream, quality, reason, ageMillis }) => ({
    downstream,
    quality,
    reason: reason.toLowerCase().replaceAll("_", "-"),
    ...(ageMillis === undefined ? {} : { age: Math.ceil(ageMillis / 1000) })
  }))
}

const isWorse = (entry: Journal.Entry, known: Journal.Entry): boolean =>
  entry.quality === known.quality
    ? (entry.ageMillis ?? 0) > (known.ageMillis ?? 0)
    : Answer.worst([entry.quality, known.quality]) === entry.quality

/**
 * The `meta` of the current request's answer, from its journal so far: build it
 * last, when the answers are in.
 *
 * @category accessors
 * @since 0.1.0
 */
export const meta: Effect.Effect<{ readonly degraded: ReadonlyArray<Entry> }> = Effect.withFiber((fiber) =>
  Effect.succeed({ degraded: fromJournal(fiber.getRef(Journal.Journal)?.entries() ?? []) })
)

/**
 * The value of the `Degradation` header.
 *
 * @category converting
 * @since 0.1.0
 */
export const header = (entries: ReadonlyArray<Entry>): string =>
  entries
    .map(
      ({ downstream, quality, reason, age }) =>
        `${token(downstream)};quality=${quality}${age === undefined ? "" : `;age=${age}`};reason=${token(reason)}`
    )
    .join(", ")
