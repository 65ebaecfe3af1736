/**
 * Who may answer a request before anything is made for it: no fiber, no Effect request,
 * no response object. What a shed request costs is mostly these.
 *
 * Node gives an event to all its listeners and has no way for one to keep it from the
 * others, so the door stands where the event is emitted.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import * as Context from "effect/Context"

/** Answers the request and says so, or leaves it alone. */
export type Porter = (request: IncomingMessage, response: ServerResponse) => boolean

/** The door of one server. */
export class FrontDoor {
  private porters: ReadonlyArray<Porter> = []

  /** Adds one; what is returned takes it away again. */
  add(porter: Porter): () => void {
    this.porters = [...this.porters, porter]
    return () => {
      this.porters = this.porters.filter((other) => other !== porter)
    }
  }

  /** Whether somebody has answered. One that throws has not, and the request goes on its usual way. */
  answers(request: IncomingMessage, response: ServerResponse): boolean {
    for (const porter of this.porters) {
      try {
        if (porter(request, response)) return true
      } catch {
        if (response.headersSent) return true
      }
    }
    return false
  }
}

/** The door of the current server, where it has one. */
export const Door: Context.Reference<FrontDoor | undefined> = Context.Reference<FrontDoor | undefined>(
  "@failsoft/http/internal/Door",
  { defaultValue: () => undefined }
)

/** The server with the door before its `request` listeners. */
export const withDoor = (server: Server, door: FrontDoor): Server => {
  const emit = server.emit.bind(server)
  return Object.assign(server, {
    emit: (event: string, ...args: ReadonlyArray<unknown>): boolean => {
      const [request, response] = args
      if (event === "request" && isRequest(request) && isResponse(response) && door.answers(request, response)) {
        return true
      }
      return emit(event, ...args)
    }
  })
}

/** Node emits `request` with these two, whatever classes a server has for them. */
const isRequest = (of: unknown): of is IncomingMessage => typeof of === "object" && of !== null && "headers" in of
const isResponse = (of: unknown): of is ServerResponse => typeof of === "object" && of !== null && "writeHead" in of
