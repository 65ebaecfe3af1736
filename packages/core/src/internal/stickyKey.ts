/** The key by which a request keeps its side. */
import type { Request } from "../Fallback.ts"

/** The request's own, which names its method, payload and owner, or what is taken from the payload. */
export const keyOf =
  <Payload>(key: ((payload: Payload) => string) | undefined) =>
  (request: Request): string =>
    // The ring gives only payloads of its own method; `Payload` says so to the caller.
    key === undefined ? (request.key() ?? "") : key(request.payload as Payload)
