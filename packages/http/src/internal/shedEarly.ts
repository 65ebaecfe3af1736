/** Sheds a request as it stands on the socket, where the shedder would not let it in. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { type Gate, type Policy, Refused, type ServiceMode, Shedder } from "@failsoft/core"
import * as Context from "effect/Context"
import type { DrainSwitch } from "../Drain.ts"
import type { Porter } from "./frontDoor.ts"
import { modeHeaders } from "./modeHeaders.ts"
import { statedPriority } from "./priorityHeader.ts"
import { grantedMillis } from "./requestDeadline.ts"
import type { RoutePlaces } from "./routePlaces.ts"
import { shedBody, shedHeaders } from "./shedAnswer.ts"

/** What a shedder needs on the socket. */
export interface Shedding {
  readonly gate: Gate.Gate
  readonly places: RoutePlaces
  readonly now: () => number
  readonly random: () => number
  readonly drain: DrainSwitch
  /** What every answer on the socket has besides its own. */
  readonly headers: Readonly<Record<string, string>>
}

/** Makes the porter of an edge, for the mode of its service at a time. */
export type Early = (modeAt: (now: number) => ServiceMode.Mode) => Porter

/** What the current shedder has for the edge below it, where it may answer on the socket. */
export const Early: Context.Reference<Early | undefined> = Context.Reference<Early | undefined>(
  "@failsoft/http/internal/Early",
  { defaultValue: () => undefined }
)

/** A request as the gate sees it: one object, and nothing of Effect's. */
class Arrived implements Gate.Attempt {
  readonly row: Policy.Row
  readonly now: number
  readonly deadlineAt: number
  readonly random: () => number
  private readonly priority: Shedder.Priority

  constructor(row: Policy.Row, priority: Shedder.Priority, now: number, millis: number, random: () => number) {
    this.row = row
    this.priority = priority
    this.now = now
    this.deadlineAt = now + millis
    this.random = random
  }

  key(): string {
    return this.priority
  }

  outlive(): void {}
}

/** Answers those whom the shedder would refuse now; all others go in and ask it themselves. */
export const shedEarly =
  ({ drain, gate, headers, now, places, random }: Shedding): Early =>
  (modeAt) =>
  (request, response) => {
    if (gate.refuses === undefined || !readsCheaply(request, drain.draining())) return false
    const { place, row } = places.find(request.method ?? "", request.url ?? "")
    if (place === "exempt") return false
    const priority = worth(place, request)
    if (priority === undefined) return false
    const granted = grantedMillis(singles(request))
    // What is malformed is refused by the edge, with a sentence.
    if (typeof granted === "string") return false
    const attempt = new Arrived(row, priority, now(), granted, random)
    if (!gate.refuses(attempt)) return false
    const mode = modeAt(attempt.now)
    // Something may not be served in it at all, which is said first, and of whom is not known here.
    if (mode === "read-only" || mode === "unavailable") return false
    const refused = gate.enter(attempt)
    if (refused instanceof Refused.Refused) {
      const own = { ...headers, ...modeHeaders(mode), ...shedHeaders(refused, random(), drain.draining()) }
      answer(request, response, refused, own)
      return true
    }
    // It has changed its mind in the same step, which it must not: nothing is kept of that.
    if (typeof refused === "number") gate.leave(attempt, refused, "aborted", attempt.now, -1)
    else gate.abandon?.(attempt, refused, attempt.now)
    return false
  }

/**
 * Node reads all of a body that nobody has read, however long it is, and destroys a socket
 * that is to close while some of it still arrives, which can lose the answer. Effect's
 * adapter ends both in good order, so what is large or unknown goes in and is shed there.
 */
const readsCheaply = ({ headers }: IncomingMessage, draining: boolean): boolean =>
  headers["transfer-encoding"] === undefined && Number(headers["content-length"] ?? 0) <= (draining ? 0 : bodyMaxBytes)

/** As much as the adapter reads of an unread body to keep its connection. */
const bodyMaxBytes = 256 * 1024

/** A caller may step back by itself; whether it may come forward is for who sees the whole request. */
const worth = (place: Shedder.Priority, { headers }: IncomingMessage): Shedder.Priority | undefined => {
  const field = headers["priority"]
  if (field === undefined) return place
  const stated = statedPriority(typeof field === "string" ? field : field.join(", "))
  if (stated === undefined) return place
  return Shedder.lower(place, stated) === stated ? stated : undefined
}

const singles = ({ headers }: IncomingMessage): Readonly<Record<string, string | undefined>> => {
  const grpc = headers["grpc-timeout"]
  const envoy = headers["x-envoy-expected-rq-timeout-ms"]
  return {
    "grpc-timeout": typeof grpc === "string" ? grpc : undefined,
    "x-envoy-expected-rq-timeout-ms": typeof envoy === "string" ? envoy : undefined
  }
}

const answer = (
  request: IncomingMessage,
  response: ServerResponse,
  refused: Refused.Refused,
  headers: Readonly<Record<string, string>>
): void => {
  const { traceparent } = request.headers
  const body = shedBody(refused, request.url ?? "", typeof traceparent === "string" ? traceparent : undefined)
  response.writeHead(503, { ...headers, "content-length": Buffer.byteLength(body) })
  // Node reads and drops what is left of a body once the answer is out; it is a small one.
  response.end(request.method === "HEAD" ? undefined : body)
}
