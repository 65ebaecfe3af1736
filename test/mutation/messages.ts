/** What the process that runs the tests and the one that leads it tell each other. */
import type { Mutant } from "./mutants.ts"

/** What the running process is told when it starts. */
export interface Job {
  /** The root of the repository. */
  readonly root: string
  /** The sources with mutants, by path from the root. */
  readonly sources: ReadonlyArray<{ readonly file: string; readonly text: string }>
  /** The files of tests, by path from the root. */
  readonly tests: ReadonlyArray<string>
  /** Tests whose name fits are left out. */
  readonly without: string
  /** A mutant that lives from the start, while all is loaded; -1: none. */
  readonly active: Mutant["id"]
}

/** A test as the leading process knows it. */
export interface TestName {
  readonly file: string
  readonly name: string
}

export type Order =
  | { readonly _tag: "Measure"; readonly test: number }
  /** Tries the tests on a mutant, until one fails. */
  | {
      readonly _tag: "Try"
      readonly mutant: number
      readonly tests: ReadonlyArray<{ readonly test: number; readonly limit: number; readonly millis: number }>
    }

export type Told =
  /** All is loaded: the tests, and which mutants each file came by while it was loaded. */
  | {
      readonly _tag: "Loaded"
      readonly tests: ReadonlyArray<TestName>
      readonly onLoad: Readonly<Record<string, ReadonlyArray<number>>>
    }
  | {
      readonly _tag: "Measured"
      readonly failed: string | undefined
      readonly millis: number
      readonly passed: number
      readonly mutants: ReadonlyArray<number>
    }
  | { readonly _tag: "Begun"; readonly test: number }
  | {
      readonly _tag: "Killed"
      readonly test: number
      readonly why: string
      /** Whether the same test passes again without the mutant. */
      readonly sound: boolean
    }
  | { readonly _tag: "Survived" }
