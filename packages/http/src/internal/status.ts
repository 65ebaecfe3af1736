/** What a status means before a contract says otherwise (AIP-194, RFC 9110). */
import type { TransportCause } from "./transportCause.ts"

const transient: Readonly<Record<number, TransportCause>> = {
  408: { cause: "http_request_timeout", applied: "no" },
  429: { cause: "connection_limit_reached", applied: "no" },
  502: { cause: "destination_unavailable", applied: "unknown" },
  503: { cause: "destination_unavailable", applied: "no" },
  504: { cause: "http_response_timeout", applied: "unknown" }
}

/** The cause of a status that is transient by default; nothing for the others. */
export const transientStatus = (status: number): TransportCause | undefined => transient[status]
