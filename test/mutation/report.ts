/** How the mutants fared, for a person. */
import type { Result } from "./runner.ts"

/** The share of mutants that were killed, of those that count. */
export const share = (results: ReadonlyArray<Result>): number => {
  const killed = results.filter(({ outcome }) => outcome === "killed").length
  const counted = results.filter(({ outcome }) => outcome === "killed" || outcome === "survived").length
  return counted === 0 ? 1 : killed / counted
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`

const row = (title: string, results: ReadonlyArray<Result>) => {
  const count = (outcome: Result["outcome"]) => results.filter((result) => result.outcome === outcome).length
  return `| ${title} | ${results.length} | ${count("killed")} | ${count("survived")} | ${count("refused")} | ${count("ignored")} | ${percent(share(results))} |`
}

/** A table, by file. */
export const table = (results: ReadonlyArray<Result>): string =>
  [
    "| File | Mutants | Killed | Survived | Refused by the type checker | Ignored | Killed of those that count |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ...[...Map.groupBy(results, ({ mutant }) => mutant.file)].map(([file, of]) => row(`\`${file}\``, of)),
    row("all", results)
  ].join("\n")

const short = (text: string) => {
  const line = text.replace(/\s+/g, " ")
  return line.length > 70 ? `${line.slice(0, 67)}…` : line
}

/** Those that live, each with its place. */
export const survivors = (results: ReadonlyArray<Result>): ReadonlyArray<string> =>
  results
    .filter(({ outcome }) => outcome === "survived")
    .map(
      ({ mutant: { column, file, line, operator, original, replacement }, why }) =>
        `${file}:${line}:${column} ${operator}: ${short(original)} → ${short(replacement)} (${why})`
    )
