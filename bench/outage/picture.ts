/** A picture per trace, as SVG: what an arrival was worth over time, all builds in one plot. */
import { median } from "../overhead/table.ts"
import { binMillis } from "./measures.ts"
import type { Result } from "./race.ts"
import { phases } from "./settings.ts"
import type { Trace } from "./traces.ts"

const width = 860
const height = 360
const plot = { left: 56, right: 700, top: 44, bottom: 312 }

/** Told apart by those who don't see all colours (Okabe and Ito), ours in front. */
const colours: Readonly<Record<string, string>> = {
  naive: "#999999",
  effect: "#cc79a7",
  opossum: "#e69f00",
  cockatiel: "#56b4e9",
  failsoft: "#d55e00"
}

const x = (millis: number): number => plot.left + (millis / phases.end) * (plot.right - plot.left)
const y = (worth: number): number => plot.bottom - worth * (plot.bottom - plot.top)

const line = (bins: ReadonlyArray<number>): string =>
  bins
    .map((worth, nth) => ({ worth, at: (nth + 0.5) * binMillis }))
    .filter(({ at, worth }) => at >= phases.countedFrom && !Number.isNaN(worth))
    .map(({ at, worth }, nth) => `${nth === 0 ? "M" : "L"}${x(at).toFixed(1)} ${y(worth).toFixed(1)}`)
    .join("")

const medianBins = (of: ReadonlyArray<ReadonlyArray<number>>): ReadonlyArray<number> =>
  (of[0] ?? []).map((_, nth) =>
    median(of.map((bins) => bins[nth] ?? Number.NaN).filter((worth) => typeof worth === "number" && worth >= 0))
  )

/** The picture of a trace; medians over the rounds. */
export const picture = (trace: Trace, results: ReadonlyArray<Result>): string => {
  const names = Object.keys(results[0]?.builds ?? {})
  const shown = Object.keys(colours).filter((name) => names.includes(name))
  const goodput = (of: (result: Result) => number) => median(results.map(of)).toFixed(3)
  const paths = shown.map((name) => {
    const bins = medianBins(results.map(({ builds }) => builds[name]?.bins ?? []))
    const own = name === "failsoft"
    return `<path d="${line(bins)}" fill="none" stroke="${colours[name]}" stroke-width="${own ? 3 : 1.8}" stroke-linejoin="round"/>`
  })
  const oracle = medianBins(results.map(({ oracle }) => oracle.bins))
  const legend = [...shown].reverse().map((name, nth) => {
    const at = plot.top + 16 + nth * 24
    const worth = goodput(({ builds }) => builds[name]?.goodput ?? Number.NaN)
    return `<path d="M716 ${at}h22" stroke="${colours[name]}" stroke-width="${name === "failsoft" ? 3 : 2}"/><text x="746" y="${at + 4}">${name} ${worth}</text>`
  })
  const oracleAt = plot.top + 16 + shown.length * 24
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(
    (worth) =>
      `<path d="M${plot.left} ${y(worth)}H${plot.right}" stroke="#e5e5e5"/><text x="${plot.left - 8}" y="${y(worth) + 4}" text-anchor="end">${worth}</text>`
  )
  const seconds = Array.from({ length: Math.floor(phases.end / 1000) + 1 }, (_, second) => second).filter(
    (second) => second % 2 === 0
  )
  const times = seconds.map(
    (second) => `<text x="${x(second * 1000)}" y="${plot.bottom + 18}" text-anchor="middle">${second}</text>`
  )
  const fault =
    trace.name === "none"
      ? ""
      : `<rect x="${x(phases.faultFrom)}" y="${plot.top}" width="${x(trace.until) - x(phases.faultFrom)}" height="${plot.bottom - plot.top}" fill="#f6e9e9"/><text x="${x(phases.faultFrom) + 6}" y="${plot.bottom - 8}" fill="#995555">the fault</text>`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="13" fill="#333">
<title>${trace.name}: what an arrival was worth over time, in each build</title>
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="${plot.left}" y="24" font-size="16" font-weight="600">${trace.name}: what an arrival was worth</text>
${fault}
${ticks.join("\n")}
${times.join("\n")}
<text x="${(plot.left + plot.right) / 2}" y="${height - 12}" text-anchor="middle">seconds</text>
<path d="${line(oracle)}" fill="none" stroke="#333" stroke-width="1.2" stroke-dasharray="4 4"/>
${paths.join("\n")}
${legend.join("\n")}
<path d="M716 ${oracleAt}h22" stroke="#333" stroke-width="1.2" stroke-dasharray="4 4"/><text x="746" y="${oracleAt + 4}">oracle ${goodput(({ oracle }) => oracle.goodput)}</text>
</svg>
`
}

/** The name of a trace as a file's. */
export const fileName = (trace: Trace): string => `${trace.name.replaceAll(/[^a-z0-9]+/g, "-").replace(/-$/, "")}.svg`
