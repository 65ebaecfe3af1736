/** A write by which a service finds out whether it works again: it must have come as far as the routes. */
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"

/** What has become of it. */
export interface Trial {
  refused: boolean
}

/** The trial that the current request is, where it is one. */
export const Trial: Context.Reference<Trial | undefined> = Context.Reference<Trial | undefined>(
  "@failsoft/http/internal/Trial",
  { defaultValue: () => undefined }
)

/** The edge has refused the request of this fiber, so nothing was tried. */
export const refuseTrial = (fiber: Fiber.Fiber<unknown, unknown>): void => {
  const trial = fiber.getRef(Trial)
  if (trial !== undefined) trial.refused = true
}
