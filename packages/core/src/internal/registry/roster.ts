/** Who is registered: the rows of each ring, and the cells under their names. */
import type { Part as CachePart } from "../../Cache.ts"
import { namesOf } from "../../Composition.ts"
import type { Step } from "../../Fallback.ts"
import type { Knobs } from "../../Knob.ts"
import type { Facts, Part } from "../../Policy.ts"
import type { RegisteredRow } from "../../Settings.ts"
import { cacheName } from "../cache/judge.ts"
import { namesOfSteps } from "../steps.ts"
import type { Cell, Placed, Registration, Turnable } from "./cell.ts"

export class Roster {
  readonly cells = new Map<string, Cell>()
  private readonly byValues = new Map<Facts, Map<string, Cell>>()
  /** `downstream/method` of all rows. */
  private readonly taken = new Set<string>()

  names(): ReadonlyArray<string> {
    return [...this.cells.keys()]
  }

  add(given: ReadonlyArray<RegisteredRow>, now: number): Registration {
    const methods = given.map(({ row }) => row.method)
    const name = this.freeName(given[0]?.row.downstream ?? "", methods)
    for (const method of methods) this.taken.add(`${name}/${method}`)
    return { name, rows: given.map((row) => this.place(row, name, now)) }
  }

  /** The cells that rows of other rings still have; `pass` is told of each name that goes, and of one that stays. */
  remove({ name, rows }: Registration, pass: (name: string, heir: string) => void): ReadonlySet<Cell> {
    for (const { row } of rows) this.taken.delete(`${name}/${row.method}`)
    const left = new Set<Cell>()
    for (const row of rows) for (const cell of row.cells) cell.rows.delete(row)
    const prefixes = rows.map(({ row }) => `${name}/${row.method}/`)
    for (const cell of new Set(rows.flatMap((row) => row.cells))) {
      const goes = (of: string) => prefixes.some((prefix) => of.startsWith(prefix))
      const gone = cell.names.filter(goes)
      const kept = gone.length === cell.names.length ? [] : cell.names.filter((of) => !goes(of))
      cell.names.splice(0, cell.names.length, ...kept)
      const [heir] = cell.names
      for (const of of gone) {
        this.cells.delete(of)
        if (heir !== undefined) pass(of, heir)
      }
      if (cell.rows.size === 0) this.byValues.delete(cell.of.values)
      else left.add(cell)
    }
    return left
  }

  /** Those who share nothing but the name, as flags do, have no need of a number. */
  private freeName(name: string, methods: ReadonlyArray<string>): string {
    const isFree = (of: string) => !methods.some((method) => this.taken.has(`${of}/${method}`))
    if (isFree(name)) return name
    let nth = 2
    while (!isFree(`${name}#${nth}`)) nth++
    return `${name}#${nth}`
  }

  private place(given: RegisteredRow, downstream: string, now: number): Placed {
    const names = namesOf(given.policy.parts)
    const steps = given.fallback?.steps ?? []
    const stepNames = namesOfSteps(
      given.policy.parts,
      steps.map(({ step }) => step)
    )
    const at = (name: string | undefined) => `${downstream}/${given.row.method}/${name ?? ""}`
    const addresses = given.parts.map(({ part }, nth) => at(names[nth] ?? part.name))
    const row: Placed = {
      ...given,
      downstream,
      addresses,
      cells: [],
      living: new Map<Part | Step | CachePart, Turnable>([
        ...given.parts.map(({ part, instance }) => [part, instance] as const),
        ...steps.map(({ step, instance }) => [step, instance] as const),
        ...(given.cache === undefined ? [] : [[given.cache.part, given.cache.instance] as const])
      ])
    }
    given.parts.forEach(({ part, instance }, nth) => {
      this.placeKnobs(row, addresses[nth] ?? "", part.knobs, instance, now)
    })
    steps.forEach(({ step, instance }, nth) => {
      this.placeKnobs(row, at(stepNames[nth]), step.knobs, instance, now)
    })
    if (given.cache !== undefined) {
      const { instance, part } = given.cache
      this.placeKnobs(row, at(cacheName(given.policy.parts)), part.knobs, instance, now)
    }
    return row
  }

  private placeKnobs(row: Placed, address: string, knobs: Knobs, of: Turnable, now: number): void {
    const own = this.byValues.get(of.values) ?? new Map<string, Cell>()
    this.byValues.set(of.values, own)
    for (const [knobName, knob] of Object.entries(knobs)) {
      const cell: Cell = own.get(knobName) ?? {
        of,
        knobName,
        knob,
        names: [],
        rows: new Set(),
        entry: undefined,
        origin: "code",
        since: now
      }
      own.set(knobName, cell)
      const name = `${address}.${knobName}`
      cell.names.push(name)
      cell.rows.add(row)
      row.cells.push(cell)
      this.cells.set(name, cell)
    }
  }
}

/** A row with all that share a knob with it, and those that share one with these. */
export const related = (row: Placed): { readonly rows: ReadonlySet<Placed>; readonly cells: ReadonlySet<Cell> } => {
  const rows = new Set([row])
  const cells = new Set<Cell>()
  // A set that grows while it is walked is walked to its end.
  for (const of of rows) {
    for (const cell of of.cells) {
      cells.add(cell)
      for (const other of cell.rows) rows.add(other)
    }
  }
  return { rows, cells }
}
