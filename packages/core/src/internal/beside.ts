/** Attempts of one call that run beside each other, and where. */
import * as Context from "effect/Context"

/** The regions that the attempts of one hedged call are asking now; one that is asked twice stands there twice. */
export interface Beside {
  /** What is hedged: what an attempt asks in its turn is told of it too, and has regions of its own. */
  readonly downstream: string
  readonly regions: Array<string>
}

/** Told to what is below a hedge; nothing where an attempt is alone. */
export const Beside: Context.Reference<Beside | undefined> = Context.Reference<Beside | undefined>(
  "@failsoft/core/internal/Beside",
  { defaultValue: () => undefined }
)
