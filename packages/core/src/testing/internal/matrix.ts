/** What the callers get while one downstream has one fault. */
import { qualities } from "../../Answer.ts"
import type { Fault } from "../Fault.ts"
import * as Trace from "../Trace.ts"

/** One cell: for each kind of request, what it got and how often, the most frequent first. */
export interface Cell {
  readonly downstream: string
  readonly kind: Fault["kind"]
  readonly got: Readonly<Record<string, ReadonlyArray<{ readonly what: string; readonly share: number }>>>
}

const what = ({ outcome, quality, detail }: Trace.Request): string =>
  outcome === "answered" ? quality : outcome === "permanent" ? `permanent ${detail}`.trim() : outcome

/** Reads a cell from the run of a single fault. */
export const cellOf = (downstream: string, kind: Fault["kind"], trace: Trace.Trace): Cell => {
  const [fault] = trace.plan.faults
  const during = trace.requests.filter(
    ({ at, outcome }) => fault !== undefined && fault.from <= at && at < fault.until && outcome !== "aborted"
  )
  const got = Object.fromEntries(
    [...Map.groupBy(during, ({ name }) => name)].map(([name, requests]) => [
      name,
      [...Map.groupBy(requests, what)]
        .map(([word, of]) => ({ what: word, share: of.length / requests.length }))
        .sort((a, b) => b.share - a.share)
    ])
  )
  return { downstream, kind, got }
}

const share = (of: number) => (of > 0.99 ? "" : ` ${Math.max(1, Math.round(of * 100))} %`)

const order = [...qualities, "permanent", "unavailable", "died", "unfinished"]

const rank = (what: string) => order.findIndex((word) => what.startsWith(word))

const shown = (cell: Cell | undefined, name: string, shares: boolean): string => {
  const got = cell?.got[name] ?? []
  const words = shares
    ? got.map(({ what, share: of }) => `${what}${share(of)}`)
    : got.map(({ what }) => what).sort((a, b) => rank(a) - rank(b))
  return words.join(shares ? ", " : " or ") || "–"
}

/** Which way a table is read: downstreams across, or down where they are many. */
type Across = "downstreams" | "faults"

/** The matrix as Markdown: a table for each kind of request, downstream × fault → what it gets. */
export const markdown = (cells: ReadonlyArray<Cell>, shares: boolean, across: Across): string => {
  const names = [...new Set(cells.flatMap(({ got }) => Object.keys(got)))]
  return names.map((name) => table(cells, name, shares, across)).join("\n\n")
}

const table = (cells: ReadonlyArray<Cell>, name: string, shares: boolean, across: Across): string => {
  const downstreams = [...new Set(cells.map(({ downstream }) => downstream))]
  const kinds = [...new Set(cells.map(({ kind }) => kind))]
  const cell = (downstream: string, kind: string) =>
    shown(
      cells.find((of) => of.kind === kind && of.downstream === downstream),
      name,
      shares
    )
  const [columns, rows] = across === "downstreams" ? [downstreams, kinds] : [kinds, downstreams]
  return [
    `**${name}**`,
    "",
    `| ${across === "downstreams" ? "fault" : "both"} | ${columns.join(" | ")} |`,
    `| --- | ${columns.map(() => "---").join(" | ")} |`,
    ...rows.map((row) => {
      const of = columns.map((column) => (across === "downstreams" ? cell(column, row) : cell(row, column)))
      return `| ${row} | ${of.join(" | ")} |`
    })
  ].join("\n")
}
