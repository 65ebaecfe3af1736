/** The tables of the race, in Markdown: a row per build, medians over the rounds with their range. */
import { row, spread } from "../overhead/table.ts"
import type { Measures } from "./measures.ts"
import type { Result } from "./race.ts"

const columns = [
  "goodput",
  "÷ oracle",
  "fresh",
  "degraded",
  "failed",
  "p50 ms",
  "p99 ms",
  "p99.9 ms",
  "amplification",
  "wasted",
  "full quality after, s",
  "CPU µs/request"
]

const shown = (values: ReadonlyArray<number>, digits: number): string =>
  values.every((value) => value === values[0]) && values[0] !== undefined
    ? value(values[0], digits)
    : spread.of(values, digits).replaceAll("Infinity", "never")

const value = (of: number, digits: number): string => (of === Number.POSITIVE_INFINITY ? "never" : of.toFixed(digits))

const cells = (results: ReadonlyArray<Result>, name: string): ReadonlyArray<string> => {
  const of = (pick: (measures: Measures) => number) =>
    results.map(({ builds }) => (builds[name] === undefined ? Number.NaN : pick(builds[name])))
  const against = results.map(({ builds, oracle }) => (builds[name]?.goodput ?? Number.NaN) / oracle.goodput)
  return [
    shown(
      of(({ goodput }) => goodput),
      3
    ),
    shown(against, 3),
    shown(
      of(({ fresh }) => fresh),
      3
    ),
    shown(
      of(({ degraded }) => degraded),
      3
    ),
    shown(
      of(({ failed }) => failed),
      3
    ),
    shown(
      of(({ p50 }) => p50),
      0
    ),
    shown(
      of(({ p99 }) => p99),
      0
    ),
    shown(
      of(({ p999 }) => p999),
      0
    ),
    shown(
      of(({ amplification }) => amplification),
      2
    ),
    shown(
      of(({ wasted }) => wasted),
      3
    ),
    shown(
      of(({ recoveryMillis }) => recoveryMillis / 1000),
      1
    ),
    shown(
      of(({ cpuMicrosPerRequest }) => cpuMicrosPerRequest),
      0
    )
  ]
}

/** A table per trace. */
export const report = (traces: ReadonlyMap<string, ReadonlyArray<Result>>): string =>
  [...traces]
    .map(([trace, results]) => {
      const names = Object.keys(results[0]?.builds ?? {})
      return [
        row(trace, columns),
        row(
          "---",
          columns.map(() => "---")
        ),
        ...names.map((name) => row(name, cells(results, name))),
        row("the oracle", [
          shown(
            results.map(({ oracle }) => oracle.goodput),
            3
          ),
          ...columns.slice(1).map(() => "")
        ])
      ].join("\n")
    })
    .join("\n\n")
