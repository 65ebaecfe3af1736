/** Changes that are asked for, as entries of a source. */
import type { Value } from "../../Knob.ts"
import type { Source } from "../../Settings.ts"
import { readValue } from "../settingValue.ts"
import type { Cell, Entry, Held, Placed } from "./cell.ts"
import { entryIn, twice } from "./layers.ts"

/** A change that is asked for; without `raw` the value is taken away. */
export interface Edit {
  readonly name: string
  readonly raw: unknown
}

/** Who asks, until when, and as which source. */
export interface Asked {
  readonly by: string
  readonly reason: string | undefined
  readonly expiresAt: number | undefined
  readonly source: Source
}

type Cells = ReadonlyMap<string, Cell>

/** Entries by name; nothing in the place of one takes it away. */
export type Entries = ReadonlyMap<string, Entry | undefined>

/** Edits as entries, without those that change nothing, and what cannot be read. */
export const readEdits = (
  edits: ReadonlyArray<Edit>,
  cells: Cells,
  held: Held,
  { by, reason, expiresAt, source }: Asked,
  now: number
): { readonly entries: Entries; readonly problems: ReadonlyMap<string, string> } => {
  const entries = new Map<string, Entry | undefined>()
  const problems = new Map<string, string>()
  const first = new Map<Cell, readonly [string, Value | undefined]>()
  for (const { name, raw } of edits) {
    const cell = cells.get(name)
    if (cell === undefined) continue
    const read =
      raw === undefined ? undefined : readValue(name, cell.knobName, cell.knob, raw, source === "environment")
    if (read?._tag === "Problem") {
      problems.set(name, read.problem)
      continue
    }
    const said = first.get(cell)
    if (said === undefined) first.set(cell, [name, read?.value])
    else if (said[1] !== read?.value) {
      if (read !== undefined && said[1] !== undefined) problems.set(name, twice(said[0], name))
      continue
    }
    const before = entryIn(held, source, cell, now)
    const same = before?.value === read?.value && before?.expiresAt === expiresAt
    if (!same) entries.set(name, read && { raw, value: read.value, at: now, by, reason, expiresAt })
  }
  return { entries, problems }
}

/** Groups of entries whose rows share a knob: they are judged together. */
export const together = (entries: Entries, cells: Cells): ReadonlyArray<Entries> => {
  const groups: Array<{ readonly rows: ReadonlySet<Placed>; readonly of: Entries }> = []
  for (const [name, entry] of entries) {
    const rows = new Set(cells.get(name)?.rows)
    const touched = groups.filter((group) => [...rows].some((row) => group.rows.has(row)))
    const joined = {
      rows: new Set([...rows, ...touched.flatMap((group) => [...group.rows])]),
      of: new Map([...touched.flatMap((group) => [...group.of]), [name, entry] as const])
    }
    groups.splice(0, groups.length, ...groups.filter((group) => !touched.includes(group)), joined)
  }
  return groups.map(({ of }) => of)
}
