/**
 * What the registry of settings knows, and every change of it as one synchronous
 * block.
 *
 * A source holds values by name; a cell is one knob of one living policy, under all
 * of its names. The effective value of a cell at a moment follows from what the
 * sources hold, so an expiry or a change of a lower source needs no bookkeeping.
 */
import type { Change, Problem, RegisteredRow, Setting, Source } from "../Settings.ts"
import { Audit } from "./registry/audit.ts"
import { type Cell, optional, type Refusal, type Registration, valueOf } from "./registry/cell.ts"
import { type Asked, type Edit, type Entries, readEdits, together } from "./registry/edits.ts"
import { expiredOf, nextExpiry } from "./registry/expiry.ts"
import { problemsOfRows } from "./registry/judge.ts"
import { edited, Layers, sources } from "./registry/layers.ts"
import { operate } from "./registry/operate.ts"
import { Roster, related } from "./registry/roster.ts"
import { type Asking, turn } from "./registry/turn.ts"
import { unknownNames } from "./settingNames.ts"

export type { Edit } from "./registry/edits.ts"

/** More than a program has knobs. */
const namesMax = 10_000

export class Registry {
  private readonly roster = new Roster()
  private readonly layers = new Layers()
  private readonly changes = new Audit()

  readonly list = (): ReadonlyArray<Setting> => [...this.roster.names()].sort().flatMap((name) => this.get(name) ?? [])

  readonly get = (name: string): Setting | undefined => {
    const cell = this.roster.cells.get(name)
    if (cell === undefined) return undefined
    return {
      name,
      value: valueOf(cell),
      default: cell.knob.initial,
      expected: cell.knob.expected,
      origin: cell.origin,
      since: cell.since,
      by: cell.entry?.by ?? "code",
      ...optional(cell.entry),
      sharedWith: cell.names.filter((of) => of !== name)
    }
  }

  readonly audit = (): ReadonlyArray<Change> => this.changes.list()

  readonly problems = (): ReadonlyArray<Problem> => {
    const known = this.roster.names()
    return sources.flatMap((source) => {
      const unknown = [...this.layers.held[source]].filter(([name]) => !this.roster.cells.has(name))
      const sentences = unknownNames(
        unknown.map(([name]) => name),
        known
      )
      return [
        ...unknown.map(([name, { by }], nth) => ({ source, by, name, problem: sentences[nth] ?? name })),
        ...this.layers.refusals(source)
      ]
    })
  }

  /** When the next value expires. */
  nextExpiry(): number | undefined {
    return nextExpiry(this.layers.held)
  }

  /** Changes a group, all of it or nothing. */
  change(edits: ReadonlyArray<Edit>, asked: Asked, now: number): ReadonlyArray<Change> | Refusal {
    const known = this.roster.names()
    const unknown = edits.filter(({ name }) => !this.roster.cells.has(name))
    if (unknown.length > 0) {
      const names = unknown.map(({ name }) => name)
      return { reason: "unknown-name", problems: unknownNames(names, known) }
    }
    const { entries, problems } = readEdits(edits, this.roster.cells, this.layers.held, asked, now)
    if (problems.size > 0) return { reason: "malformed", problems: [...problems.values()] }
    return this.commit(entries, asked, now)
  }

  /** Replaces what a source says, as far as it fits. */
  load(source: Source, values: Readonly<Record<string, unknown>>, by: string, now: number): ReadonlyArray<Problem> {
    const asked = { source, by, reason: undefined, expiresAt: undefined }
    const { cells } = this.roster
    const given = Object.entries(values).slice(0, namesMax)
    const gone = [...this.layers.held[source].keys()].filter((name) => !Object.hasOwn(values, name))
    this.layers.pardon(source)
    for (const [name] of Object.entries(values).slice(namesMax)) {
      this.layers.refuse(source, name, by, `${name} is left out: a source may have at most ${namesMax} settings`)
    }
    this.layers.held = edited(this.layers.held, source, (entries) => {
      for (const name of [...entries.keys()]) if (!cells.has(name)) entries.delete(name)
      // Nobody knows yet what these must be: they wait.
      for (const [name, raw] of given) {
        if (!cells.has(name))
          entries.set(name, { raw, value: undefined, at: now, by, reason: undefined, expiresAt: undefined })
      }
    })

    const edits: ReadonlyArray<Edit> = [
      ...given.map(([name, raw]) => ({ name, raw })),
      ...gone.map((name) => ({ name, raw: undefined }))
    ].filter(({ name }) => cells.has(name))
    const { entries, problems } = readEdits(edits, cells, this.layers.held, asked, now)
    for (const [name, problem] of problems) this.layers.refuse(source, name, by, problem)
    for (const group of together(entries, cells)) {
      const made = this.commit(group, asked, now)
      if ("problems" in made)
        for (const name of group.keys()) this.layers.refuse(source, name, by, made.problems.join("; "))
    }
    return this.problems().filter((of) => of.source === source)
  }

  /** Says that a source cannot be understood. */
  report(source: Source, by: string, problem: string): void {
    this.layers.refuse(source, by, by, problem)
  }

  /** Lets go what has expired. What remains was judged when it was set. */
  expire(now: number): void {
    for (const source of sources) {
      const expired = expiredOf(this.layers.held, source, now)
      if (expired.length === 0) continue
      this.layers.held = edited(this.layers.held, source, (entries) => {
        for (const name of expired) entries.delete(name)
      })
      const cells = expired.flatMap((name) => this.roster.cells.get(name) ?? [])
      this.apply(cells, { by: "expiry", reason: `the ${source} value expired` }, now)
    }
  }

  register(given: ReadonlyArray<RegisteredRow>, now: number): Registration {
    const registration = this.roster.add(given, now)
    const { rows } = registration
    for (const row of rows) {
      for (const cell of row.cells) {
        for (const source of sources) this.layers.adopt(cell, source, now)
      }
    }
    for (const row of rows) {
      const problems = problemsOfRows([row], this.layers.held, now)
      if (problems.length === 0) continue
      // The values in the code fit by themselves: all that the row and those that share with it were given goes.
      const why = problems.join("; ")
      const { cells } = related(row)
      this.layers.discard(
        [...cells].flatMap((cell) => cell.names),
        why
      )
      this.apply(cells, { by: "registry", reason: why }, now)
    }
    this.apply(
      rows.flatMap((row) => row.cells),
      {},
      now
    )
    return registration
  }

  unregister(registration: Registration, now: number): void {
    this.apply(
      this.roster.remove(registration, (name, heir) => this.layers.inherit(name, heir)),
      {},
      now
    )
  }

  /** Does by hand what a policy offers. */
  operate(
    address: string,
    action: string,
    asked: { readonly by: string; readonly reason?: string | undefined },
    now: number
  ): Refusal | undefined {
    const made = operate(this.roster.cells.values(), address, action, asked, now)
    if ("problems" in made) return made
    this.changes.note(made)
    return undefined
  }

  private commit(entries: Entries, asked: Asked, now: number): ReadonlyArray<Change> | Refusal {
    if (entries.size === 0) return []
    const cells = new Set<Cell>()
    const held = edited(this.layers.held, asked.source, (next) => {
      for (const [name, entry] of entries) {
        const cell = this.roster.cells.get(name)
        if (cell === undefined) continue
        cells.add(cell)
        // One value has one entry, whatever name it was set by.
        for (const other of cell.names) next.delete(other)
        if (entry !== undefined) next.set(name, entry)
      }
    })
    const rows = new Set([...cells].flatMap((cell) => [...cell.rows]))
    const problems = problemsOfRows(rows, held, now)
    if (problems.length > 0) return { reason: "does-not-fit", problems }
    this.layers.held = held
    return this.apply(cells, asked, now)
  }

  private apply(cells: Iterable<Cell>, asking: Asking, now: number): ReadonlyArray<Change> {
    const made = turn(cells, this.layers.held, asking, now)
    for (const change of made) this.tell(change)
    return made
  }

  private tell(change: Change): void {
    this.changes.note(change)
    const [row] = this.roster.cells.get(change.names[0] ?? "")?.rows ?? []
    if (row === undefined || change.from === change.to || !row.row.bus.active) return
    const { names, from, to, origin, by } = change
    const { downstream, method } = row.row
    row.row.bus.emit({ _tag: "SettingChanged", at: change.at, downstream, method, names, from, to, origin, by })
  }
}
