/** Who sees what a session is shown, beside the marks that decide it: the simulator, which judges them. */
import * as Context from "effect/Context"

/** A call of a method with monotonic reads, as it begins. */
export interface Reading {
  readonly downstream: string
  readonly method: string
  readonly session: string
  /** What is asked for: of which method, whose, and with which payload. */
  readonly key: string
}

/** Told that a call begins; what it returns is told how old what was shown is, in milliseconds, and whether a cache below says so. */
export type Witness = (reading: Reading) => (ageMillis: number, aged: boolean) => void

/** The witness of the current request; nobody outside of the simulator. */
export const Witness: Context.Reference<Witness | undefined> = Context.Reference<Witness | undefined>(
  "@failsoft/core/internal/Witness",
  { defaultValue: () => undefined }
)
