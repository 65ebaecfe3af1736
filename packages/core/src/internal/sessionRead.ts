/** One call of a method with monotonic reads: what its session was shown, and what it is shown now. */
import type * as Fiber from "effect/Fiber"
import { Caller } from "../Caller.ts"
import type * as Fallback from "../Fallback.ts"
import type { Row } from "../Policy.ts"
import { Carried, type CarriedMarks, type Mark, type ReadMarks, sessionLengthMax } from "../ReadMarks.ts"
import { mayFollow } from "./readMark.ts"
import { requestKey } from "./requestKey.ts"

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

  /** Whether an answer is not older than what the session was shown; one without `cameAt` is on its way. */
  mayShow(begunAt: number, cameAt?: number): boolean {
    const at = whole(begunAt, cameAt ?? Number.POSITIVE_INFINITY)
    return mayFollow(this.own, at.begunAt, at.cameAt) && mayFollow(this.carried?.of(this.key), at.begunAt, at.cameAt)
  }

  /** Whether an answer that was read at `cameAt` at the latest was certainly read before what the session was shown. */
  isOlder(cameAt: number): boolean {
    const before = (mark: Mark | undefined) => mark?.begunAt !== undefined && Math.ceil(cameAt) < mark.begunAt
    return before(this.own) || before(this.carried?.of(this.key))
  }

  /** How much older an answer may be that may not be shown, in milliseconds. A mark of a time to come counts as now. */
  behindMillis(begunAt: number, now: number): number {
    const mark = Math.max(this.own?.cameAt ?? 0, this.carried?.of(this.key)?.cameAt ?? 0)
    return Math.max(0, Math.min(mark, now) - begunAt)
  }

  shown(begunAt: number, cameAt: number): void {
    const at = whole(begunAt, cameAt)
    if (this.session !== undefined) this.marks.raise(this.session, this.key, at)
    this.carried?.raise(this.key, at)
  }

  private get own(): Mark | undefined {
    return this.session === undefined ? undefined : this.marks.of(this.session, this.key)
  }
}

/** In whole milliseconds, as the field of a request holds them; a clock that was set back lets nothing come before it began. */
const whole = (begunAt: number, cameAt: number) => {
  const begun = Math.floor(begunAt)
  return { begunAt: begun, cameAt: Math.max(begun, Math.ceil(cameAt)) }
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
  const key = requestKey(request)
  return key === undefined ? undefined : new SessionRead(key, session, marks, carried)
}
