/** A run as one self-contained page: faults, circuits, what is in flight and what callers got, over time. */
import * as Trace from "../Trace.ts"
import { spanOf } from "./timeline.ts"

/** What stands around the picture. */
export interface Page {
  readonly title: string
  readonly detail: string
  readonly at: number
  readonly request: number | undefined
  readonly story: string
  readonly plan: string
  readonly replay: string
  readonly facts: string
}

const escaped = (text: string) =>
  text.replace(/[&<>"]/g, (of) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[of] ?? of)

const width = 880
const labelWidth = 190
const rowHeight = 22

/** A horizontal place in the picture. */
type Across = (at: number) => number

const n = (value: number) => String(Math.round(value * 10) / 10)

const bar = (x: number, until: number, y: number, kind: string, title: string) =>
  `<rect class="${kind}" x="${n(x)}" y="${y + 3}" width="${n(Math.max(1.5, until - x))}" height="${rowHeight - 6}" rx="2"><title>${escaped(title)}</title></rect>`

/** One row: its label and what stands in it. */
interface Row {
  readonly label: string
  readonly draw: (y: number) => string
}

const faultRows = ({ plan }: Trace.Trace, x: Across): ReadonlyArray<Row> =>
  plan.faults.map((fault) => ({
    label: `${fault.kind} ${[fault.target].flat().join(" + ")}`,
    draw: (y) => {
      const title = JSON.stringify(fault)
      const fade = fault.recoverMillis ?? 0
      const fading = fade > 0 ? bar(x(fault.until), x(fault.until + fade), y, "fading", title) : ""
      return bar(x(fault.from), x(fault.until), y, "fault", title) + fading
    }
  }))

const circuitRows = (trace: Trace.Trace, x: Across): ReadonlyArray<Row> => {
  const changes = trace.signals.flatMap(({ at, signal }) =>
    signal._tag === "CircuitChanged"
      ? [{ at, row: `${signal.downstream}/${signal.method}`, to: signal.to, reason: signal.reason }]
      : []
  )
  return [...Map.groupBy(changes, ({ row }) => row)].map(([row, of]) => ({
    label: `circuit ${row}`,
    draw: (y) =>
      of
        .map(({ at, to, reason }, nth) =>
          to === "closed"
            ? ""
            : bar(x(at), x(of[nth + 1]?.at ?? trace.endedAt), y, `circuit-${to}`, `${to} at ${n(at)} ms: ${reason}`)
        )
        .join("")
  }))
}

const flightRows = (trace: Trace.Trace, x: Across): ReadonlyArray<Row> =>
  [...Map.groupBy(trace.attempts, Trace.placeOf)].map(([downstream, of]) => {
    const steps = of
      .flatMap(({ at, endedAt = trace.endedAt }) => [
        { at, by: 1 },
        { at: endedAt, by: -1 }
      ])
      .sort((a, b) => a.at - b.at || a.by - b.by)
    let running = 0
    let most = 1
    const levels = steps.map(({ at, by }) => {
      running += by
      most = Math.max(most, running)
      return { at, running }
    })
    return {
      label: `in flight ${downstream}, most ${most}`,
      draw: (y) => {
        const base = y + rowHeight - 2
        const level = (of: number) => base - (of / most) * (rowHeight - 5)
        const path = levels.map((of, nth) => `H${n(x(of.at))}V${n(level(nth < levels.length ? of.running : 0))}`)
        return `<path class="flight" d="M${n(x(levels[0]?.at ?? 0))} ${base}${path.join("")}V${base}Z"/>`
      }
    }
  })

const wordOf = ({ outcome, quality }: Trace.Request) => (outcome === "answered" ? quality : outcome)

/** A colour class for what a caller got. */
const classOf = (request: Trace.Request): string => {
  if (request.outcome === "aborted") return "aborted"
  const badness = Trace.badness(request)
  return badness === 0 ? "good" : badness < 10 ? "degraded" : "bad"
}

const answerRows = (trace: Trace.Trace, x: Across, marked: number | undefined): ReadonlyArray<Row> =>
  [...Map.groupBy(trace.requests, ({ name }) => name)].map(([name, of]) => ({
    label: `answers ${name}`,
    draw: (y) =>
      of
        .map((request) => {
          const { id, at, endedAt = trace.endedAt, detail } = request
          const middle = y + rowHeight / 2
          const title = `request ${id}: ${wordOf(request)} ${detail} from ${n(at)} to ${n(endedAt)} ms`
          const mark = id === marked ? " marked" : ""
          return `<g class="answer ${classOf(request)}${mark}"><line x1="${n(x(at))}" x2="${n(x(endedAt))}" y1="${middle}" y2="${middle}"/><circle cx="${n(x(endedAt))}" cy="${middle}" r="${id === marked ? 5 : 3}"/><title>${escaped(title)}</title></g>`
        })
        .join("")
  }))

const axis = (from: number, length: number, x: Across, height: number): string => {
  const step =
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 60_000].find((of) => length / of <= 10) ?? 600_000
  const ticks: Array<string> = []
  for (let at = Math.ceil(from / step) * step; at <= from + length; at += step) {
    const label = step >= 1000 ? `${at / 1000} s` : `${at} ms`
    ticks.push(
      `<line class="tick" x1="${n(x(at))}" x2="${n(x(at))}" y1="18" y2="${height}"/><text class="time" x="${n(x(at))}" y="12">${label}</text>`
    )
  }
  return ticks.join("")
}

const picture = (trace: Trace.Trace, { at, request }: Page): string => {
  const { from, stepMillis, columns } = spanOf(trace)
  const length = stepMillis * columns
  const x: Across = (of) => labelWidth + (Math.min(length, Math.max(0, of - from)) / length) * (width - labelWidth - 16)
  const rows = [
    ...faultRows(trace, x),
    ...circuitRows(trace, x),
    ...flightRows(trace, x),
    ...answerRows(trace, x, request)
  ]
  const height = 24 + rows.length * rowHeight
  const drawn = rows.map(
    ({ label, draw }, nth) =>
      `<text class="label" x="${labelWidth - 10}" y="${24 + nth * rowHeight + 15}">${escaped(label)}</text>${draw(24 + nth * rowHeight)}`
  )
  const moment = `<line class="moment" x1="${n(x(at))}" x2="${n(x(at))}" y1="18" y2="${height}"/>`
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="the run over virtual time">${axis(from, length, x, height)}${moment}${drawn.join("")}</svg>`
}

const style = `
:root { color-scheme: light dark; --ink: light-dark(#1d2430, #e3e8ef); --soft: light-dark(#667085, #98a2b3);
  --line: light-dark(#e4e7ec, #344054); --ground: light-dark(#fff, #101828); --card: light-dark(#f8f9fb, #1a2231);
  --bad: light-dark(#d92d20, #f97066); --warn: light-dark(#dc8a04, #fdb022); --good: light-dark(#12805c, #47cd89); --cool: light-dark(#3b6fd4, #84adff) }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.25rem; margin: 0 } h2 { font-size: 1rem; margin: 1.75rem 0 .5rem } .rule { color: var(--bad) } p { margin: .25rem 0 }
svg { width: 100%; height: auto; margin-top: 1rem; font-size: 11px } .label { text-anchor: end; fill: var(--ink) } .time { text-anchor: middle; fill: var(--soft) }
.tick { stroke: var(--line) } .moment { stroke: var(--bad); stroke-dasharray: 3 3 } .fault { fill: var(--bad); opacity: .75 } .fading { fill: var(--bad); opacity: .3 }
.circuit-open { fill: var(--bad) } .circuit-half-open { fill: var(--warn) } .circuit-ramp { fill: var(--cool) } .flight { fill: var(--cool); stroke: var(--cool); opacity: .6 }
.answer line { stroke: currentColor; stroke-width: 2; opacity: .35 } .answer circle { fill: currentColor } .good { color: var(--good) } .degraded { color: var(--warn) }
.bad { color: var(--bad) } .aborted { color: var(--soft) } .open { color: var(--bad) } .half-open { color: var(--warn) } .ramp { color: var(--cool) } .marked circle { stroke: var(--ink); stroke-width: 1.5 }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .75rem; overflow-x: auto; font-size: 12.5px; line-height: 1.45 }
.legend span { margin-right: 1rem } .legend b { display: inline-block; width: .7em; height: .7em; border-radius: 2px; margin-right: .35em; background: currentColor } .soft { color: var(--soft) }
`

const legend = [
  ["good", "fresh, or a final word"],
  ["degraded", "degraded"],
  ["bad", "failed"],
  ["aborted", "given up by its caller"],
  ["open", "circuit open"],
  ["half-open", "half-open"],
  ["ramp", "ramp"]
]
  .map(([kind, text]) => `<span><b class="${kind}"></b>${text}</span>`)
  .join("")

/** The page. */
export const html = (trace: Trace.Trace, page: Page): string => `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(page.title)}</title><style>${style}</style></head>
<body>
<h1>${escaped(page.title)}</h1>
<p class="rule">${escaped(page.detail)}</p>
<p class="soft">at ${n(page.at)} ms of virtual time${page.request === undefined ? "" : `, request ${page.request}`}. ${escaped(page.facts)}</p>
${picture(trace, page)}
<p class="legend">${legend}</p>
<h2>The smallest plan</h2>
<pre>${escaped(page.plan)}</pre>
${page.story === "" ? "" : `<h2>The request</h2>\n<pre>${escaped(page.story)}</pre>`}
<h2>Replay</h2>
<pre>${escaped(page.replay)}</pre>
</body>
</html>
`
