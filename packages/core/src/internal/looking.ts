/** Whether a raw call is a look: beside somebody's call, only to know how a region does. */
import * as Context from "effect/Context"

/** Told to what is below the regions; the simulator writes it down. */
export const Looking: Context.Reference<boolean> = Context.Reference<boolean>("@failsoft/core/internal/Looking", {
  defaultValue: () => false
})
