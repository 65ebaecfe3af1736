/** Turns knobs to what is in force. */
import type { Value } from "../../Knob.ts"
import type { Facts } from "../../Policy.ts"
import type { Change } from "../../Settings.ts"
import { type Cell, type Held, optional, type Turnable, valueOf } from "./cell.ts"
import { entryOf } from "./layers.ts"

/** Who asks; without a name it is whoever gave the value that comes into force. */
export interface Asking {
  readonly by?: string
  readonly reason?: string | undefined
}

/** Turns the knobs whose effective value is another now, one `assign` for each policy. */
export const turn = (cells: Iterable<Cell>, held: Held, asking: Asking, now: number): ReadonlyArray<Change> => {
  const turned = new Map<Facts, { readonly of: Turnable; readonly values: Record<string, Value> }>()
  const made: Array<Change> = []
  for (const cell of new Set(cells)) {
    const found = entryOf(held, cell, now)
    const entry = found?.entry
    if (entry === cell.entry) continue
    const from = valueOf(cell)
    const to = entry?.value ?? cell.knob.initial
    cell.entry = entry
    cell.origin = found?.source ?? "code"
    cell.since = now
    if (from !== to) {
      const group = turned.get(cell.of.values) ?? { of: cell.of, values: {} }
      turned.set(cell.of.values, group)
      group.values[cell.knobName] = to
    }
    made.push({
      at: now,
      by: asking.by ?? entry?.by ?? "code",
      names: [...cell.names],
      from,
      to,
      origin: cell.origin,
      ...optional({ reason: asking.reason ?? entry?.reason, expiresAt: entry?.expiresAt })
    })
  }
  for (const { of, values } of turned.values()) of.assign(values)
  return made
}
