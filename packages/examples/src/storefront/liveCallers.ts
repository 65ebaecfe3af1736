/** Whose requests may have a live answer: who looks after the data, and has just changed some. */
import { Caching } from "@failsoft/http"
import type { Settings } from "./settings.ts"

/** Any visitor could reload a page for ever, and the catalog would bear it; so a token says who may. */
export const callers = ({ liveToken }: Pick<Settings, "liveToken">): Caching.Callers => ({
  live: Caching.bearing("live-token", liveToken)
})
