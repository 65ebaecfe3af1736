/** Checks on what sessions are shown by methods with monotonic reads. */
import { broken, type Check } from "../Check.ts"
import type { Read } from "../Trace.ts"
import { rounding } from "./requests.ts"

interface Shown {
  readonly nth: number
  readonly asOf: number
}

const keyOf = ({ key, session }: Read) => JSON.stringify([session, key])

/** The first of the reads of one session and key that was shown something older than one that had ended before it began. */
const goesBack = (reads: ReadonlyArray<Read>) => {
  const shown = reads
    .flatMap(
      ({ asOf, endedNth }): ReadonlyArray<Shown> =>
        asOf === undefined || endedNth === undefined ? [] : [{ nth: endedNth, asOf }]
    )
    .sort((one, other) => one.nth - other.nth)
  let latest = Number.NEGATIVE_INFINITY
  let past = 0
  for (const read of reads.toSorted((one, other) => one.nth - other.nth)) {
    for (let of = shown[past]; of !== undefined && of.nth < read.nth; of = shown[++past]) {
      latest = Math.max(latest, of.asOf)
    }
    if (read.asOf !== undefined && read.asOf < latest - rounding) return { read, asOf: read.asOf, latest }
  }
  return undefined
}

/**
 * No session is shown anything older than before, of one key; of calls that overlap none
 * comes before the other. Where a clock was set, times cannot be compared, and where a
 * cache below told an age they are known to the second only.
 */
export const readsAreMonotonic: Check = ({ plan, reads }) => {
  if (plan.disturbances?.some(({ kind }) => kind === "clockJump")) return undefined
  const aged = new Set(reads.flatMap((of) => (of.aged === true ? [of.key] : [])))
  const exact = reads.filter(({ key }) => !aged.has(key))
  for (const of of Map.groupBy(exact, keyOf).values()) {
    const found = goesBack(of)
    if (found === undefined) continue
    const { asOf, latest, read } = found
    const ages = `what is of ${Math.round(asOf)} ms, after what is of ${Math.round(latest)} ms`
    return broken(
      `${read.downstream}/${read.method}: session ${read.session} was shown ${ages}`,
      read.endedAt ?? read.at,
      read.request
    )
  }
  return undefined
}
