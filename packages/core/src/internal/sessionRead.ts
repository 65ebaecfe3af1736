/** One call of a method with monotonic reads: what its session was shown, and what it is shown now. */
import type * as Fiber from "effect/Fiber"
import { Caller } from "../Caller.ts"
import type * as Fallback from "../Fallback.ts"
import type { Row } from "../Policy.ts"
import { Carried, type CarriedMarks, type ReadMarks, sessionLengthMax } from "../ReadMarks.ts"

export class SessionRead {
  private readonly key: string
  private readonly session: string | undefined
  private readonly marks: ReadMarks
  private readonly carried: CarriedMarks | undefined

  constructor(key: string, session: string | undefined, marks: ReadMarks, carried: CarriedMarks | undefined) {
    this.key = key
    this.session = session
    this.marks = marks
    this.carried = carried
  }

  /** As of when an answer must be true at least, in milliseconds since the epoch. */
  get mark(): number {
    const own = this.session === undefined ? undefined : this.marks.of(this.session, this.key)
    return Math.max(own ?? Number.NEGATIVE_INFINITY, this.carried?.of(this.key) ?? Number.NEGATIVE_INFINITY)
  }

  shown(asOf: number): void {
    // A time that is none, of a step of the user's own, would end the promise for this key.
    if (!Number.isFinite(asOf)) return
    if (this.session !== undefined) this.marks.raise(this.session, this.key, asOf)
    this.carried?.raise(this.key, asOf)
  }
}

/** The read of the fiber's session; nothing where there is no session, which is told, or no key. */
export const sessionRead = (
  row: Row,
  marks: ReadMarks,
  fiber: Fiber.Fiber<unknown, unknown>,
  request: Fallback.Request
): SessionRead | undefined => {
  const { session: named } = fiber.getRef(Caller)
  const session = named === "" || (named?.length ?? 0) > sessionLengthMax ? undefined : named
  const carried = fiber.getRef(Carried)
  if (session === undefined && carried === undefined) {
    const { bus, downstream, method } = row
    if (bus.active) bus.emit({ _tag: "SessionUnknown", at: request.now, downstream, method })
    return undefined
  }
  const key = keyOf(request)
  return key === undefined ? undefined : new SessionRead(key, session, marks, carried)
}

/** Nothing where the payload has no text form: then nothing is kept of it that could be older. */
const keyOf = (request: Fallback.Request): string | undefined => {
  try {
    return request.key()
  } catch {
    return undefined
  }
}
