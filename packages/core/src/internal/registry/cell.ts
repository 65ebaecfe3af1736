/** What the registry of settings is made of: entries of sources, and cells, which are knobs under all of their names. */
import type { Part as CachePart } from "../../Cache.ts"
import type { Step } from "../../Fallback.ts"
import type { Knob, Value } from "../../Knob.ts"
import type { Instance, Part } from "../../Policy.ts"
import type { Origin, RegisteredRow, Source } from "../../Settings.ts"

/** What a source says of one name. `value` is absent until a ring says what it must be. */
export interface Entry {
  readonly raw: unknown
  readonly value: Value | undefined
  readonly at: number
  readonly by: string
  readonly reason: string | undefined
  readonly expiresAt: number | undefined
}

/** What all sources say. */
export type Held = Readonly<Record<Source, ReadonlyMap<string, Entry>>>

/** What has the values of knobs and can be told others. */
export type Turnable = Pick<Instance, "values" | "assign">

/** One knob of one living policy, or of one living step of a fallback. */
export interface Cell {
  readonly of: Turnable
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
export interface Placed extends RegisteredRow {
  readonly downstream: string
  readonly cells: Array<Cell>
  /** What lives of each policy and each step. */
  readonly living: ReadonlyMap<Part | Step | CachePart, Turnable>
  /** Of its policies, in their order. */
  readonly addresses: ReadonlyArray<string>
}

/** The rows of one ring. */
export interface Registration {
  readonly name: string
  readonly rows: ReadonlyArray<Placed>
}

/** Why nothing was changed. */
export interface Refusal {
  readonly reason: "unknown-name" | "malformed" | "does-not-fit"
  readonly problems: ReadonlyArray<string>
}

/** The value that a cell has now. */
export const valueOf = (cell: Cell): Value => cell.of.values[cell.knobName] ?? cell.knob.initial

/** Only what is there, for records without absent fields. */
export const optional = (
  of: { readonly reason: string | undefined; readonly expiresAt: number | undefined } | undefined
) => ({
  ...(of?.reason === undefined ? {} : { reason: of.reason }),
  ...(of?.expiresAt === undefined ? {} : { expiresAt: of.expiresAt })
})
