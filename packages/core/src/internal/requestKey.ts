/** The key of a call as those read it who keep something under it. */
import type * as Fallback from "../Fallback.ts"

/** Nothing where the payload has no text form: then nothing is kept of it, and nothing found. */
export const requestKey = (request: Pick<Fallback.Request, "key">): string | undefined => {
  try {
    return request.key()
  } catch {
    return undefined
  }
}
