/** When a request arrived that had to wait before the edge began with it. */
import * as Context from "effect/Context"

/** Milliseconds of the clock; infinite for a request that did not wait, which arrives now. */
export const ArrivedAt: Context.Reference<number> = Context.Reference<number>("@failsoft/http/internal/ArrivedAt", {
  defaultValue: () => Number.POSITIVE_INFINITY
})
