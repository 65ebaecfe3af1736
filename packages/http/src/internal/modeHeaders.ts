/** The header that tells callers the mode of the service. */
import type { ServiceMode } from "@failsoft/core"

const none: Readonly<Record<string, string>> = {}

/** Nothing while all is well, as most of the time. */
export const modeHeaders = (mode: ServiceMode.Mode): Readonly<Record<string, string>> =>
  mode === "full" ? none : { "service-mode": mode }
