/** A refusal told to the bus and returned as a value, in no virtual time. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Call } from "../Call.ts"
import type { Row } from "../Policy.ts"
import * as Refused from "../Refused.ts"

/** Refuses the call of this row. */
export const refuse = (row: Row, fields: Parameters<typeof Refused.make>[0]): Call<never, never, Refused.Refused> =>
  Effect.withFiber((fiber) => {
    if (row.bus.active) {
      row.bus.emit({
        _tag: "CallRefused",
        at: fiber.getRef(Clock.Clock).currentTimeMillisUnsafe(),
        downstream: row.downstream,
        method: row.method,
        policy: fields.policy,
        reason: fields.reason
      })
    }
    return Effect.succeed(Result.fail(Refused.make(fields)))
  })
