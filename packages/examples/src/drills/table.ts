/** The drill as it goes on: a line per second. */
import type { Seen } from "./seen.ts"

/** The columns, from best to worst. */
export const grades = [
  "fresh",
  "stale",
  "partial",
  "optimistic",
  "deferred",
  "substituted",
  "omitted",
  "final",
  "failed",
  "gone"
] as const

/** The head of the table. */
export const head: string = [
  "   s",
  " asked",
  ...grades.map((grade) => grade.padStart(11)),
  "   p99 ms",
  "  faults; circuits that are not closed"
].join("")

/** One second: what was due in it, the faults of that time, and the circuits at its end. */
export const line = (
  nth: number,
  seen: ReadonlyArray<Seen>,
  faults: ReadonlyArray<string>,
  circuits: ReadonlyArray<string>
): string => {
  const millis = seen.map((of) => of.millis).sort((a, b) => a - b)
  const p99 = millis[Math.min(millis.length - 1, Math.floor(millis.length * 0.99))] ?? 0
  return [
    String(nth).padStart(4),
    String(seen.length).padStart(6),
    ...grades.map((grade) => {
      const count = seen.filter((of) => of.grade === grade).length
      return (count === 0 ? "." : String(count)).padStart(11)
    }),
    Math.round(p99).toString().padStart(9),
    faults.length === 0 && circuits.length === 0 ? "" : `  ${faults.join(", ")}`,
    circuits.length === 0 ? "" : `; ${circuits.join(", ")}`
  ].join("")
}
