/** A run as rows of characters over time: faults, circuits, what is in flight, what callers got. */
import * as Trace from "../Trace.ts"

/** So many columns at most. */
const columnsMax = 72

/** One row: its name and a character for each column. */
export interface Row {
  readonly name: string
  readonly cells: string
}

/** The part of a run that a timeline shows. */
export interface Span {
  readonly from: number
  readonly stepMillis: number
  readonly columns: number
}

const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 60_000, 600_000]

/** From the first request or fault to the last thing that happened to a request, in round steps. */
export const spanOf = (trace: Trace.Trace): Span => {
  const begins = [...trace.requests.map(({ at }) => at), ...trace.plan.faults.map(({ from }) => from)]
  const ends = [...trace.requests.map(({ at, endedAt = at }) => endedAt), trace.faultsEndAt]
  const first = Math.min(...begins, Number.POSITIVE_INFINITY)
  const last = Math.max(...ends, 1)
  const length = Math.max(1, last - (Number.isFinite(first) ? first : 0))
  const stepMillis = steps.find((step) => length / step < columnsMax - 1) ?? 3_600_000
  const from = Math.floor((Number.isFinite(first) ? first : 0) / stepMillis) * stepMillis
  return { from, stepMillis, columns: Math.min(columnsMax, Math.floor((last - from) / stepMillis) + 1) }
}

const rowOf = (name: string, { columns }: Span, cell: (column: number) => string): Row => ({
  name,
  cells: Array.from({ length: columns }, (_, column) => cell(column)).join("")
})

const circuitLetters: Readonly<Record<string, string>> = { closed: "·", open: "O", "half-open": "h", ramp: "r" }

const answerLetters: Readonly<Record<string, string>> = {
  fresh: "f",
  stale: "s",
  partial: "p",
  optimistic: "o",
  deferred: "d",
  substituted: "u",
  omitted: "m",
  permanent: "P",
  unavailable: "X",
  died: "!",
  aborted: "a",
  unfinished: "?"
}

/** What the letters of a timeline mean. */
export const legend =
  "circuits: · closed, O open, h half-open, r ramp\nanswers, the worst: f fresh, s stale, p partial, o optimistic, d deferred, u substituted, m omitted, P permanent, X unavailable, ! died, a aborted, ? unfinished"

const word = ({ outcome, quality }: Trace.Request) => (outcome === "answered" ? quality : outcome)

/** The rows of a run. */
export const rowsOf = (trace: Trace.Trace, span: Span): ReadonlyArray<Row> => {
  const at = (column: number) => span.from + column * span.stepMillis
  const inside = (from: number, until: number, column: number) => from < at(column + 1) && until > at(column)

  const faults = trace.plan.faults.map((fault) =>
    rowOf(`${fault.kind} ${[fault.target].flat().join("+")}`, span, (column) =>
      inside(fault.from, fault.until, column)
        ? "█"
        : inside(fault.until, fault.until + (fault.recoverMillis ?? 0), column)
          ? "▒"
          : "·"
    )
  )

  const changes = trace.signals.flatMap(({ at, signal }) =>
    signal._tag === "CircuitChanged" ? [{ at, row: `${signal.downstream}/${signal.method}`, to: signal.to }] : []
  )
  const circuits = [...Map.groupBy(changes, ({ row }) => row)].map(([row, of]) =>
    rowOf(`circuit ${row}`, span, (column) => {
      const during = of.filter((change) => change.at < at(column + 1))
      // An open circuit must be seen, however short it was.
      const opened = during.find((change) => change.at >= at(column) && change.to === "open")
      return circuitLetters[(opened ?? during.at(-1))?.to ?? "closed"] ?? "·"
    })
  )

  const flights = [...Map.groupBy(trace.attempts, Trace.placeOf)].map(([downstream, of]) =>
    rowOf(`in flight ${downstream}`, span, (column) => {
      const running = of.filter(({ at: began, endedAt = Number.POSITIVE_INFINITY }) =>
        inside(began, Math.max(endedAt, began + 0.001), column)
      ).length
      return running === 0 ? "·" : running > 9 ? "+" : String(running)
    })
  )

  const answers = [...Map.groupBy(trace.requests, ({ name }) => name)].map(([name, of]) =>
    rowOf(`answers ${name}`, span, (column) => {
      const ended = of.filter(({ at: began, endedAt = began }) => endedAt >= at(column) && endedAt < at(column + 1))
      const [worst] = ended.toSorted((a, b) => Trace.badness(b) - Trace.badness(a))
      return worst === undefined ? "·" : (answerLetters[word(worst)] ?? "?")
    })
  )
  return [...faults, ...circuits, ...flights, ...answers]
}

const seconds = (millis: number) => `${Math.round(millis) / 1000} s`

/** As text. */
export const text = (trace: Trace.Trace): string => {
  const span = spanOf(trace)
  const rows = rowsOf(trace, span)
  const width = Math.max(...rows.map(({ name }) => name.length), 4)
  const scale = `${" ".repeat(width)}  ${seconds(span.from)} to ${seconds(span.from + span.columns * span.stepMillis)}, a column is ${seconds(span.stepMillis)}`
  return [scale, ...rows.map(({ name, cells }) => `${name.padStart(width)}  ${cells}`), legend].join("\n")
}
