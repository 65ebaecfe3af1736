/** What a plan does to a call, done on its socket. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { Fault, type Player, Workers } from "@failsoft/core/testing/faults"
import * as Effect from "effect/Effect"
import { bytesOf, closed, type Written, write, writeHead } from "./message.ts"

/** A call, what it meets, and how it is answered. */
export interface Call {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly met: Player.Met
  /** Milliseconds since the plan began. */
  readonly elapsedMillis: () => number
  /** Ends when the plan is not played any more. */
  readonly over: Effect.Effect<void>
  readonly answer: Effect.Effect<Written, unknown>
}

/** One byte of an answer that drips takes so long, as in the simulator. */
const dripMillis = 200

const garbled: Written = {
  status: 200,
  headers: { "content-type": "application/json" },
  body: '{"unexpected":["this","is","not","the","contract"]}'
}

const refusal = (status: number, retryAfterSeconds: number | undefined): Written => ({
  status,
  headers: {
    "content-type": "application/problem+json",
    ...(retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) })
  },
  body: JSON.stringify({
    type: "about:blank",
    status,
    title: "a fault by a plan",
    detail: "a plan of faults refuses this call",
    reason: "FAULT",
    retryable: status !== 422
  })
})

const reset = ({ request }: Call) => Effect.sync(() => void request.socket.resetAndDestroy())

/** Carries a call out, with what it meets done to it. */
export const done = (call: Call): Effect.Effect<void, unknown> => {
  const { delayMillis } = call.met
  const all = Effect.catch(outcome(call), (error) =>
    error instanceof Workers.QueueFull
      ? Effect.sync(() => write(call.response, refusal(Fault.busy.status, Fault.busy.retryAfterSeconds)))
      : Effect.fail(error)
  )
  return delayMillis > 0 ? Effect.delay(all, delayMillis) : all
}

const outcome = (call: Call): Effect.Effect<void, unknown> => {
  const { answer, met, response } = call
  const { decision } = met
  switch (decision._tag) {
    case "Serve":
      return Effect.map(answer, (reply) => write(response, reply))
    case "Refuse":
      return Effect.sync(() => write(response, refusal(decision.status, decision.retryAfterSeconds)))
    case "Hang":
      return Effect.andThen(hang(call), reset(call))
    case "Drip":
      return Effect.flatMap(answer, (reply) => drip(response, reply))
    case "Garble":
      return Effect.map(answer, () => write(response, garbled))
    case "Truncate":
      return Effect.flatMap(answer, (reply) => truncate(call, reply))
    case "FailAfter":
      return Effect.map(answer, () => write(response, refusal(502, undefined)))
    case "ResetAfter":
      return Effect.andThen(answer, reset(call))
    case "Unreachable":
    case "ResetBefore":
      return reset(call)
  }
}

/** Until the fault ends, or nobody waits any more. */
const hang = ({ elapsedMillis, met, over, response }: Call): Effect.Effect<void> =>
  Effect.raceAllFirst([Effect.sleep(Math.max(0, met.until - elapsedMillis())), over, closed(response)])

const drip = (response: ServerResponse, reply: Written): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (const byte of writeHead(response, reply)) {
      if (response.destroyed) return
      response.write(Uint8Array.of(byte))
      yield* Effect.sleep(dripMillis)
    }
    response.end()
  })

/** Half of the answer; where there is no half, the connection ends before it. */
const truncate = (call: Call, reply: Written): Effect.Effect<void> => {
  const half = Math.floor(bytesOf(reply).byteLength / 2)
  if (half === 0) return reset(call)
  return Effect.callback((resume) => {
    const { response } = call
    const body = writeHead(response, reply)
    response.write(body.subarray(0, half), () => {
      response.destroy()
      resume(Effect.void)
    })
  })
}
