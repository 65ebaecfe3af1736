/** What each source says, one above the other, and what of it cannot be in force. */
import type { Problem, Source } from "../../Settings.ts"
import { readValue } from "../settingValue.ts"
import type { Cell, Entry, Held } from "./cell.ts"

/** Highest first. */
export const sources: ReadonlyArray<Source> = ["admin", "flag", "environment", "file"]

/** What one source says of a cell at a moment. */
export const entryIn = (held: Held, source: Source, cell: Cell, moment: number): Entry | undefined => {
  for (const name of cell.names) {
    const entry = held[source].get(name)
    if (entry?.value !== undefined && (entry.expiresAt === undefined || entry.expiresAt > moment)) return entry
  }
  return undefined
}

/** What is in force at a moment: the highest source that has a value. */
export const entryOf = (held: Held, cell: Cell, moment: number) => {
  for (const source of sources) {
    const entry = entryIn(held, source, cell, moment)
    if (entry !== undefined) return { source, entry }
  }
  return undefined
}

/** The same with other entries of one source. */
export const edited = (held: Held, source: Source, edit: (entries: Map<string, Entry>) => void): Held => {
  const entries = new Map(held[source])
  edit(entries)
  return { ...held, [source]: entries }
}

/** What is said of one value that was given twice. */
export const twice = (one: string, other: string) =>
  `${one} and ${other} are one value, which several rows share: give it one value, not two`

/** Why a value is not in force, and who said it. */
interface Refusing {
  readonly by: string
  readonly problem: string
}

export class Layers {
  held: Held = { file: new Map(), environment: new Map(), flag: new Map(), admin: new Map() }
  private readonly refused: Record<Source, Map<string, Refusing>> = {
    file: new Map(),
    environment: new Map(),
    flag: new Map(),
    admin: new Map()
  }

  refuse(source: Source, name: string, by: string, problem: string): void {
    this.refused[source].set(name, { by, problem })
  }

  /** Forgets what was refused: the source is asked anew. */
  pardon(source: Source): void {
    this.refused[source].clear()
  }

  refusals(source: Source): ReadonlyArray<Problem> {
    return [...this.refused[source]].map(([name, refusing]) => ({ source, name, ...refusing }))
  }

  /** Reads what a source already says of a cell that is new under some of its names. */
  adopt(cell: Cell, source: Source, now: number): void {
    if (!cell.names.some((name) => this.held[source].has(name))) return
    this.held = edited(this.held, source, (entries) => {
      let kept: string | undefined
      for (const name of cell.names) {
        const entry = entries.get(name)
        if (entry === undefined) continue
        const read = readValue(name, cell.knobName, cell.knob, entry.raw, source === "environment")
        if (read._tag === "Problem" || (kept !== undefined && entries.get(kept)?.value !== read.value)) {
          entries.delete(name)
          this.refuse(source, name, entry.by, read._tag === "Problem" ? read.problem : twice(kept ?? "", name))
        } else {
          kept ??= name
          entries.set(name, { ...entry, value: read.value, at: entry.value === undefined ? now : entry.at })
        }
      }
    })
  }

  /** Takes away all that was said of some names, and keeps why. */
  discard(names: ReadonlyArray<string>, why: string): void {
    for (const source of sources) {
      this.held = edited(this.held, source, (entries) => {
        for (const name of names) {
          const entry = entries.get(name)
          if (entry !== undefined) this.refuse(source, name, entry.by, `${name} is not in force: ${why}`)
          entries.delete(name)
        }
      })
    }
  }

  /** What was said of a name that goes away is said of another name of the same value. */
  inherit(name: string, heir: string): void {
    for (const source of sources) {
      const entry = this.held[source].get(name)
      if (entry === undefined || this.held[source].has(heir)) continue
      this.held = edited(this.held, source, (entries) => {
        entries.set(heir, entry)
        entries.delete(name)
      })
    }
  }
}
