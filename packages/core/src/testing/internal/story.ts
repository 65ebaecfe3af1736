/** One request from its beginning to its end, and what it met. */
import type { Signal } from "../../Signal.ts"
import * as Trace from "../Trace.ts"

interface Line {
  readonly nth: number
  readonly at: number
  readonly text: string
}

const linesMax = 40

const ms = (at: number) => `${String(Math.round(at * 10) / 10).padStart(9)} ms`

const told = (signal: Signal): string => {
  const row = `${signal.downstream}/${signal.method}`
  switch (signal._tag) {
    case "CallEnded":
      return `${row} ended: ${signal.outcome}, after ${Math.round(signal.durationMillis)} ms`
    case "AttemptTimedOut":
      return `${row}: the attempt timed out after ${Math.round(signal.limitMillis)} ms`
    case "RetryScheduled":
      return `${row}: retry ${signal.attempt} in ${Math.round(signal.delayMillis)} ms, because of ${signal.cause}`
    case "RetryDenied":
      return `${row}: no retry, because of ${signal.reason}`
    case "CallRefused":
      return `${row}: refused by ${signal.policy}, ${signal.reason}`
    case "CircuitChanged":
      return `${row}: the circuit went from ${signal.from} to ${signal.to}, ${signal.reason}`
    case "AnswerDegraded":
      return `${row} answered ${signal.quality}, because of ${signal.reason}`
    default:
      return `${row}: ${signal._tag}`
  }
}

const attempted = (of: Trace.Attempt): ReadonlyArray<Line> => {
  const what = `${Trace.placeOf(of)}/${of.method}`
  const met = of.faults.length > 0 ? ` (meets ${of.faults.join(", ")})` : ""
  return [
    {
      nth: of.nth,
      at: of.at,
      text: `${what} is ${of.region?.look === true ? "looked at" : `asked, attempt ${of.attempt + 1}`}${met}`
    },
    ...(of.endedAt === undefined || of.endedNth === undefined
      ? []
      : [
          {
            nth: of.endedNth,
            at: of.endedAt,
            text: `${what} ${of.outcome === "interrupted" ? "is given up" : of.outcome}${of.applied ? ", applied" : ""}`
          }
        ])
  ]
}

const readOf = (of: Trace.Read): ReadonlyArray<Line> =>
  of.endedAt === undefined || of.endedNth === undefined || of.asOf === undefined
    ? []
    : [
        {
          nth: of.endedNth,
          at: of.endedAt,
          text: `${of.downstream}/${of.method} shows session ${of.session} what is of ${Math.round(of.asOf)} ms`
        }
      ]

/** The story of a request. */
export const text = (trace: Trace.Trace, id: number): string => {
  const request = trace.requests.find((of) => of.id === id)
  if (request === undefined) return ""
  const lines: Array<Line> = [
    { nth: request.nth, at: request.at, text: `request ${id} comes: ${request.name}` },
    ...trace.attempts.filter((of) => of.request === id).flatMap(attempted),
    ...trace.reads.filter((of) => of.request === id).flatMap(readOf),
    ...trace.signals.filter((of) => of.request === id).map(({ nth, at, signal }) => ({ nth, at, text: told(signal) }))
  ]
  const { endedAt, endedNth, outcome, quality, detail } = request
  if (endedAt !== undefined && endedNth !== undefined) {
    const how = outcome === "answered" ? `answered, ${quality}` : outcome
    lines.push({ nth: endedNth, at: endedAt, text: `it is ${how}${detail === "" ? "" : `: ${detail}`}` })
  }
  lines.sort((a, b) => a.nth - b.nth)
  const shown = lines.slice(0, linesMax).map(({ at, text }) => `${ms(at)}  ${text}`)
  const more = lines.length > linesMax ? [`           and ${lines.length - linesMax} more`] : []
  return [...shown, ...more, ...(endedAt === undefined ? ["             it has not ended"] : [])].join("\n")
}
