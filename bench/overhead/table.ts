/** The tables of the benchmark, in Markdown. */

export const median = (of: ReadonlyArray<number>): number => {
  const sorted = [...of].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** How a number is shown. */
export const spread = {
  of: (values: ReadonlyArray<number>, digits: number): string =>
    values.some(Number.isNaN) || values.length === 0
      ? "–"
      : `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`,
  bytes: (value: number): string => (Number.isNaN(value) ? "–" : Math.round(value).toLocaleString("en"))
}

export const row = (first: string, cells: ReadonlyArray<string>): string => `| ${[first, ...cells].join(" | ")} |`

/** Nanoseconds per call, and the ratio to each peer within a round: median (least–most). */
export const table = (
  scenario: string,
  samples: ReadonlyMap<string, ReadonlyArray<number>>,
  peers: ReadonlyArray<string>
): string => {
  const shown = peers.filter((peer) => samples.has(peer))
  const ratios = (values: ReadonlyArray<number>, peer: string) =>
    values.map((nanos, round) => nanos / (samples.get(peer)?.[round] ?? Number.NaN))
  return [
    row(scenario, ["ns per call", ...shown.map((peer) => `÷ ${peer}`)]),
    row("---", ["---", ...shown.map(() => "---")]),
    ...[...samples].map(([name, values]) =>
      row(name, [spread.of(values, 0), ...shown.map((peer) => spread.of(ratios(values, peer), 2))])
    )
  ].join("\n")
}
