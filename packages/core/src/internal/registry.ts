/**
 * What the registry of settings knows, and every change of it as one synchronous
 * block.
 *
 * A source holds values by name; a cell is one knob of one living policy, under all
 * of its names. The effective value of a cell at a moment follows from what the
 * sources hold, so an expiry or a change of a lower source needs no bookkeeping.
 */
import { namesOf, problemsOf, problemsOfBudget } from "../Composition.ts"
import type { Knob, Value } from "../Knob.ts"
import type { Facts, Instance, Part } from "../Policy.ts"
import type { Change, Origin, Problem, RegisteredRow, Setting, Source } from "../Settings.ts"
import { unknownName } from "./settingNames.ts"
import { readValue } from "./settingValue.ts"

/** What a source says of one name. `value` is absent until a ring says what it must be. */
interface Entry {
  readonly raw: unknown
  readonly value: Value | undefined
  readonly at: number
  readonly by: string
  readonly reason: string | undefined
  readonly expiresAt: number | undefined
}

type Held = ReadonlyMap<string, Entry>

/** One knob of one living policy. */
interface Cell {
  readonly instance: Instance
  readonly knobName: string
  readonly knob: Knob
  readonly names: Array<string>
  readonly rows: Set<Placed>
  /** What is in force, nothing for the value in the code. */
  entry: Entry | undefined
  origin: Origin
  since: number
}

/** A registered row, under the name that its downstream has here. */
interface Placed extends RegisteredRow {
  readonly downstream: string
  readonly cells: Array<Cell>
  readonly instances: ReadonlyMap<Part, Instance>
  readonly addresses: ReadonlyArray<string>
}

/** The rows of one ring. */
export interface Registration {
  readonly name: string
  readonly rows: ReadonlyArray<Placed>
}

/** A change that is asked for; without `raw` the value is taken away. */
export interface Edit {
  readonly name: string
  readonly raw: unknown
}

/** Who asks; without a name it is whoever gave the value that comes into force. */
interface Asking {
  readonly by?: string
  readonly reason?: string | undefined
}

/** Who asks, until when, and as which source. */
export interface Asked extends Asking {
  readonly by: string
  readonly reason: string | undefined
  readonly expiresAt: number | undefined
  readonly source: Source
}

/** Why nothing was changed. */
export interface Refusal {
  readonly reason: "unknown-name" | "malformed" | "does-not-fit"
  readonly problems: ReadonlyArray<string>
}

/** Why a value is not in force, and who said it. */
interface Refusing {
  readonly by: string
  readonly problem: string
}

/** Highest first. */
const sources: ReadonlyArray<Source> = ["admin", "flag", "environment", "file"]

const auditMax = 1000

/** More than a program has knobs. */
const namesMax = 10_000

export class Registry {
  private held: Record<Source, Held> = { file: new Map(), environment: new Map(), flag: new Map(), admin: new Map() }
  private readonly refused: Record<Source, Map<string, Refusing>> = {
    file: new Map(),
    environment: new Map(),
    flag: new Map(),
    admin: new Map()
  }
  private readonly cells = new Map<string, Cell>()
  private readonly byInstance = new Map<Facts, Map<string, Cell>>()
  private readonly downstreams = new Set<string>()
  private readonly changes: Array<Change> = []

  readonly list = (): ReadonlyArray<Setting> => [...this.cells.keys()].sort().flatMap((name) => this.get(name) ?? [])

  readonly get = (name: string): Setting | undefined => {
    const cell = this.cells.get(name)
    if (cell === undefined) return undefined
    return {
      name,
      value: cell.instance.values[cell.knobName] ?? cell.knob.initial,
      default: cell.knob.initial,
      expected: cell.knob.expected,
      origin: cell.origin,
      since: cell.since,
      by: cell.entry?.by ?? "code",
      ...optional(cell.entry),
      sharedWith: cell.names.filter((of) => of !== name)
    }
  }

  readonly audit = (): ReadonlyArray<Change> => [...this.changes].reverse()

  readonly problems = (): ReadonlyArray<Problem> => {
    const known = [...this.cells.keys()]
    return sources.flatMap((source) => [
      ...[...this.held[source]]
        .filter(([name]) => !this.cells.has(name))
        .map(([name, { by }]) => ({ source, by, name, problem: unknownName(name, known) })),
      ...[...this.refused[source]].map(([name, { by, problem }]) => ({ source, by, name, problem }))
    ])
  }

  /** When the next value expires. */
  nextExpiry(): number | undefined {
    let next = Number.POSITIVE_INFINITY
    for (const source of sources) {
      for (const { expiresAt } of this.held[source].values()) next = Math.min(next, expiresAt ?? next)
    }
    return next === Number.POSITIVE_INFINITY ? undefined : next
  }

  /** Changes a group, all of it or nothing. */
  change(edits: ReadonlyArray<Edit>, asked: Asked, now: number): ReadonlyArray<Change> | Refusal {
    const known = [...this.cells.keys()]
    const unknown = edits.filter(({ name }) => !this.cells.has(name))
    if (unknown.length > 0) {
      return { reason: "unknown-name", problems: unknown.map(({ name }) => unknownName(name, known)) }
    }
    const { entries, problems } = this.read(edits, asked, now)
    if (problems.size > 0) return { reason: "malformed", problems: [...problems.values()] }
    return this.commit(entries, asked, now)
  }

  /** Replaces what a source says, as far as it fits. */
  load(source: Source, values: Readonly<Record<string, unknown>>, by: string, now: number): ReadonlyArray<Problem> {
    const asked = { source, by, reason: undefined, expiresAt: undefined }
    const before = this.held[source]
    const given = Object.entries(values).slice(0, namesMax)
    const gone = [...before.keys()].filter((name) => !Object.hasOwn(values, name))
    const refused = this.refused[source]
    refused.clear()
    for (const [name] of Object.entries(values).slice(namesMax)) {
      refused.set(name, { by, problem: `${name} is left out: a source may have at most ${namesMax} settings` })
    }
    // Nobody knows yet what these must be: they wait.
    const waiting = new Map([...before].filter(([name]) => this.cells.has(name)))
    for (const [name, raw] of given) {
      if (!this.cells.has(name))
        waiting.set(name, { raw, value: undefined, at: now, by, reason: undefined, expiresAt: undefined })
    }
    this.held = { ...this.held, [source]: waiting }

    const edits: ReadonlyArray<Edit> = [
      ...given.map(([name, raw]) => ({ name, raw })),
      ...gone.map((name) => ({ name, raw: undefined }))
    ].filter(({ name }) => this.cells.has(name))
    const { entries, problems } = this.read(edits, asked, now)
    for (const [name, problem] of problems) refused.set(name, { by, problem })
    for (const group of this.together(entries)) {
      const made = this.commit(group, asked, now)
      if ("problems" in made)
        for (const name of group.keys()) refused.set(name, { by, problem: made.problems.join("; ") })
    }
    return this.problems().filter((of) => of.source === source)
  }

  /** Says that a source cannot be understood. */
  report(source: Source, by: string, problem: string): void {
    this.refused[source].set(by, { by, problem })
  }

  /** Lets go what has expired. What remains was judged when it was set. */
  expire(now: number): void {
    for (const source of sources) {
      const held = new Map(this.held[source])
      const expired = [...held.keys()].filter((name) => (held.get(name)?.expiresAt ?? Number.POSITIVE_INFINITY) <= now)
      if (expired.length === 0) continue
      for (const name of expired) held.delete(name)
      this.held = { ...this.held, [source]: held }
      this.apply(
        expired.flatMap((name) => this.cells.get(name) ?? []),
        { by: "expiry", reason: `the ${source} value expired` },
        now
      )
    }
  }

  register(given: ReadonlyArray<RegisteredRow>, now: number): Registration {
    const name = this.freeName(given[0]?.row.downstream ?? "")
    this.downstreams.add(name)
    const rows = given.map((row) => this.place(row, name, now))
    for (const row of rows) {
      for (const cell of row.cells) {
        for (const source of sources) this.adopt(cell, source, now)
      }
    }
    for (const row of rows) {
      const problems = this.problemsOfRows([row], this.held, now)
      if (problems.length > 0) this.drop(row, problems.join("; "), now)
    }
    const cells = new Set(rows.flatMap((row) => row.cells))
    this.apply(cells, {}, now)
    return { name, rows }
  }

  unregister({ name, rows }: Registration, now: number): void {
    this.downstreams.delete(name)
    const left = new Set<Cell>()
    for (const row of rows) {
      for (const cell of row.cells) {
        cell.rows.delete(row)
        for (const of of cell.names.filter((of) => of.startsWith(`${name}/${row.row.method}/`))) {
          this.cells.delete(of)
          cell.names.splice(cell.names.indexOf(of), 1)
          const [heir] = cell.names
          if (heir !== undefined) this.inherit(of, heir)
        }
        if (cell.rows.size === 0) this.byInstance.delete(cell.instance.values)
        else left.add(cell)
      }
    }
    this.apply(left, {}, now)
  }

  /** Does by hand what a policy offers. */
  operate(
    address: string,
    action: string,
    { by, reason }: { readonly by: string; readonly reason?: string | undefined },
    now: number
  ): Refusal | undefined {
    const at = new Map<string, readonly [Placed, Instance]>()
    for (const cell of this.cells.values()) {
      for (const row of cell.rows) {
        row.addresses.forEach((of, nth) => {
          const instance = row.parts[nth]?.instance
          if (instance !== undefined) at.set(of, [row, instance])
        })
      }
    }
    const operable = [...at].filter(([, [, { controls }]]) => Object.keys(controls).length > 0).map(([of]) => of)
    const found = at.get(address)
    if (found === undefined) return { reason: "unknown-name", problems: [unknownPolicy(address, operable)] }
    const [{ row }, instance] = found
    const control = Object.hasOwn(instance.controls, action) ? instance.controls[action] : undefined
    if (control === undefined) {
      const offers = Object.keys(instance.controls)
      const others = offers.length > 0 ? `it has ${offers.join(", ")}` : unknownPolicy(address, operable)
      return { reason: "unknown-name", problems: [`${address} has no '${action.slice(0, 64)}'; ${others}`] }
    }
    const from = shownState(instance)
    control(row, now)
    this.note({
      at: now,
      by,
      names: [...at].filter(([, [, of]]) => of.values === instance.values).map(([of]) => of),
      from,
      to: action,
      origin: "admin",
      ...optional({ reason, expiresAt: undefined })
    })
    return undefined
  }

  private freeName(name: string): string {
    if (!this.downstreams.has(name)) return name
    let nth = 2
    while (this.downstreams.has(`${name}#${nth}`)) nth++
    return `${name}#${nth}`
  }

  private place(given: RegisteredRow, downstream: string, now: number): Placed {
    const names = namesOf(given.policy.parts)
    const addresses = given.parts.map(({ part }, nth) => `${downstream}/${given.row.method}/${names[nth] ?? part.name}`)
    const row: Placed = {
      ...given,
      downstream,
      addresses,
      cells: [],
      instances: new Map(given.parts.map(({ part, instance }) => [part, instance]))
    }
    given.parts.forEach(({ part, instance }, nth) => {
      const own = this.byInstance.get(instance.values) ?? new Map<string, Cell>()
      this.byInstance.set(instance.values, own)
      for (const [knobName, knob] of Object.entries(part.knobs)) {
        const cell: Cell = own.get(knobName) ?? {
          instance,
          knobName,
          knob,
          names: [],
          rows: new Set(),
          entry: undefined,
          origin: "code",
          since: now
        }
        own.set(knobName, cell)
        const name = `${addresses[nth]}.${knobName}`
        cell.names.push(name)
        cell.rows.add(row)
        row.cells.push(cell)
        this.cells.set(name, cell)
      }
    })
    return row
  }

  /** Reads what a source already says of a cell that is new under some of its names. */
  private adopt(cell: Cell, source: Source, now: number): void {
    const held = new Map(this.held[source])
    let kept: string | undefined
    for (const name of cell.names) {
      const entry = held.get(name)
      if (entry === undefined) continue
      const read = readValue(name, cell.knobName, cell.knob, entry.raw, source === "environment")
      if (read._tag === "Problem" || (kept !== undefined && held.get(kept)?.value !== read.value)) {
        held.delete(name)
        const problem = read._tag === "Problem" ? read.problem : twice(kept ?? "", name)
        this.refused[source].set(name, { by: entry.by, problem })
      } else {
        kept ??= name
        held.set(name, { ...entry, value: read.value, at: entry.value === undefined ? now : entry.at })
      }
    }
    this.held = { ...this.held, [source]: held }
  }

  /** The values in the code fit by themselves: all that a row and those that share with it were given goes. */
  private drop(row: Placed, why: string, now: number): void {
    const rows = new Set([row])
    const cells = new Set<Cell>()
    for (const of of rows) {
      for (const cell of of.cells) {
        cells.add(cell)
        for (const other of cell.rows) rows.add(other)
      }
    }
    const names = [...cells].flatMap((cell) => cell.names)
    for (const source of sources) {
      const held = new Map(this.held[source])
      for (const name of names) {
        const entry = held.get(name)
        if (entry === undefined) continue
        held.delete(name)
        this.refused[source].set(name, { by: entry.by, problem: `${name} is not in force: ${why}` })
      }
      this.held = { ...this.held, [source]: held }
    }
    this.apply(cells, { by: "registry", reason: why }, now)
  }

  private inherit(name: string, heir: string): void {
    for (const source of sources) {
      const entry = this.held[source].get(name)
      if (entry === undefined || this.held[source].has(heir)) continue
      const held = new Map(this.held[source]).set(heir, entry)
      held.delete(name)
      this.held = { ...this.held, [source]: held }
    }
  }

  /** Edits as entries by name, without those that change nothing. */
  private read(edits: ReadonlyArray<Edit>, { by, reason, expiresAt, source }: Asked, now: number) {
    const entries = new Map<string, Entry | undefined>()
    const problems = new Map<string, string>()
    const first = new Map<Cell, readonly [string, Value | undefined]>()
    for (const { name, raw } of edits) {
      const cell = this.cells.get(name)
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
      const before = this.entryIn(cell, source, this.held, now)
      const same = before?.value === read?.value && before?.expiresAt === expiresAt
      if (!same) entries.set(name, read && { raw, value: read.value, at: now, by, reason, expiresAt })
    }
    return { entries, problems }
  }

  /** Groups of entries whose rows share a knob: they are judged together. */
  private together(entries: ReadonlyMap<string, Entry | undefined>): ReadonlyArray<Map<string, Entry | undefined>> {
    const groups: Array<{ rows: Set<Placed>; of: Map<string, Entry | undefined> }> = []
    for (const [name, entry] of entries) {
      const rows = new Set(this.cells.get(name)?.rows)
      const touched = groups.filter((group) => [...rows].some((row) => group.rows.has(row)))
      const joined = {
        rows: new Set([...rows, ...touched.flatMap((group) => [...group.rows])]),
        of: new Map([...touched.flatMap((group) => [...group.of]), [name, entry] as const])
      }
      groups.splice(0, groups.length, ...groups.filter((group) => !touched.includes(group)), joined)
    }
    return groups.map(({ of }) => of)
  }

  private commit(
    entries: ReadonlyMap<string, Entry | undefined>,
    asked: Asked,
    now: number
  ): ReadonlyArray<Change> | Refusal {
    if (entries.size === 0) return []
    const { source } = asked
    const next = new Map(this.held[source])
    const cells = new Set<Cell>()
    for (const [name, entry] of entries) {
      const cell = this.cells.get(name)
      if (cell === undefined) continue
      cells.add(cell)
      // One value has one entry, whatever name it was set by.
      for (const other of cell.names) next.delete(other)
      if (entry !== undefined) next.set(name, entry)
    }
    const held = { ...this.held, [source]: next }
    const rows = new Set([...cells].flatMap((cell) => [...cell.rows]))
    const problems = this.problemsOfRows([...rows], held, now)
    if (problems.length > 0) return { reason: "does-not-fit", problems }
    this.held = held
    return this.apply(cells, asked, now)
  }

  /** What is wrong with rows now, and at each moment at which a value of theirs expires. */
  private problemsOfRows(
    rows: ReadonlyArray<Placed>,
    held: Readonly<Record<Source, Held>>,
    now: number
  ): ReadonlyArray<string> {
    return rows.flatMap((row) => {
      const moments = new Set([now])
      for (const cell of row.cells) {
        for (const source of sources) {
          const expiresAt = this.entryIn(cell, source, held, now)?.expiresAt
          if (expiresAt !== undefined) moments.add(expiresAt)
        }
      }
      for (const moment of [...moments].sort((a, b) => a - b)) {
        const problems = this.problemsAt(row, held, moment)
        const when = moment === now ? "" : ` (once a value expires, in ${moment - now} ms)`
        if (problems.length > 0)
          return problems.map((problem) => `${row.downstream}/${row.row.method}: ${problem}${when}`)
      }
      return []
    })
  }

  private problemsAt(row: Placed, held: Readonly<Record<Source, Held>>, moment: number): ReadonlyArray<string> {
    const values = new Map<Facts, Record<string, Value>>()
    for (const cell of row.cells) {
      const of = values.get(cell.instance.values) ?? { ...cell.instance.values }
      values.set(cell.instance.values, of)
      of[cell.knobName] = this.entryOf(cell, held, moment)?.entry.value ?? cell.knob.initial
    }
    const valuesOf = (part: Part): Facts => values.get(row.instances.get(part)?.values ?? {}) ?? {}
    return [...problemsOf(row.policy, valuesOf), ...problemsOfBudget(row.policy, row.budgetMillis, valuesOf)]
  }

  private entryIn(cell: Cell, source: Source, held: Readonly<Record<Source, Held>>, moment: number): Entry | undefined {
    for (const name of cell.names) {
      const entry = held[source].get(name)
      if (entry?.value !== undefined && (entry.expiresAt === undefined || entry.expiresAt > moment)) return entry
    }
    return undefined
  }

  /** What is in force at a moment: the highest source that has a value. */
  private entryOf(cell: Cell, held: Readonly<Record<Source, Held>>, moment: number) {
    for (const source of sources) {
      const entry = this.entryIn(cell, source, held, moment)
      if (entry !== undefined) return { source, entry }
    }
    return undefined
  }

  /** Turns the knobs whose effective value is another now, one `assign` for each policy. */
  private apply(cells: Iterable<Cell>, asked: Asking, now: number): ReadonlyArray<Change> {
    const turned = new Map<Facts, { readonly instance: Instance; readonly values: Record<string, Value> }>()
    const made: Array<Change> = []
    for (const cell of new Set(cells)) {
      const found = this.entryOf(cell, this.held, now)
      const entry = found?.entry
      if (entry === cell.entry) continue
      const from = cell.instance.values[cell.knobName] ?? cell.knob.initial
      const to = entry?.value ?? cell.knob.initial
      cell.entry = entry
      cell.origin = found?.source ?? "code"
      cell.since = now
      if (from !== to) {
        const of = turned.get(cell.instance.values) ?? { instance: cell.instance, values: {} }
        turned.set(cell.instance.values, of)
        of.values[cell.knobName] = to
      }
      const reason = asked.reason ?? entry?.reason
      made.push({
        at: now,
        by: asked.by ?? entry?.by ?? "code",
        names: [...cell.names],
        from,
        to,
        origin: cell.origin,
        ...optional({ reason, expiresAt: entry?.expiresAt })
      })
    }
    for (const { instance, values } of turned.values()) instance.assign(values)
    for (const change of made) this.tell(change)
    return made
  }

  private note(change: Change): void {
    this.changes.push(change)
    if (this.changes.length > auditMax) this.changes.shift()
  }

  private tell(change: Change): void {
    this.note(change)
    const [row] = this.cells.get(change.names[0] ?? "")?.rows ?? []
    if (row === undefined || change.from === change.to || !row.row.bus.active) return
    const { names, from, to, origin, by } = change
    const { downstream, method } = row.row
    row.row.bus.emit({ _tag: "SettingChanged", at: change.at, downstream, method, names, from, to, origin, by })
  }
}

const optional = (of: { readonly reason: string | undefined; readonly expiresAt: number | undefined } | undefined) => ({
  ...(of?.reason === undefined ? {} : { reason: of.reason }),
  ...(of?.expiresAt === undefined ? {} : { expiresAt: of.expiresAt })
})

const twice = (one: string, other: string) =>
  `${one} and ${other} are one value, which several rows share: give it one value, not two`

const unknownPolicy = (address: string, operable: ReadonlyArray<string>) =>
  `there is nothing to operate by hand at '${address.slice(0, 200)}'; there are ${operable.slice(0, 20).join(", ") || "no such policies"}`

const shownState = (instance: Instance): Value => instance.state()["circuit"] ?? JSON.stringify(instance.state())
