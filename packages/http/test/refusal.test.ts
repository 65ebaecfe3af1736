import { assert, describe, it } from "@effect/vitest"
import { Contract, Downstream, Policy, Refused, Signal, SignalLog, Transient } from "@failsoft/core"
import { Problem } from "@failsoft/http"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Schema from "effect/Schema"

class Stock extends Downstream.Service<Stock>()(
  "@failsoft/http/test/RefusingStock",
  {
    get: Contract.method({
      payload: Schema.Void,
      success: Schema.Finite,
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "safe",
      onOutage: "fail"
    })
  },
  {
    name: "stock",
    criticality: "optional",
    owner: "team-stock",
    slo: { objective: 0.99, window: "30 days" },
    budget: "2 seconds",
    docs: "https://runbooks.example/stock"
  }
) {}

const ring = Stock.layer({
  get: { policy: Policy.stack(Policy.deadline("1 second"), Policy.bulkhead({ permits: 1, queueMax: 0 })) }
})
const hanging = Stock.transport({ get: () => Effect.never })

describe("a rejection", () => {
  it.effect("has one record of why: in the error, the signal, the log, the span and the problem body", () =>
    Effect.gen(function* () {
      const signals: Array<Signal.Signal> = []
      const lines: Array<Record<string, unknown>> = []
      const logger = Logger.make(({ fiber }) => {
        lines.push({ ...fiber.getRef(References.CurrentLogAnnotations) })
      })
      const bus = Signal.layer
      const layer = Layer.merge(Layer.provide(ring, hanging), SignalLog.layer()).pipe(
        Layer.provideMerge(bus),
        Layer.provideMerge(Logger.layer([logger]))
      )
      yield* Effect.gen(function* () {
        const listening = yield* Signal.Bus
        yield* listening.subscribe((signal) => signals.push(signal))
        const stock = yield* Stock
        yield* Effect.forkChild(stock.get())
        yield* Effect.yieldNow
        const traced = Effect.gen(function* () {
          const failure = yield* Effect.flip(stock.get())
          return { failure, span: yield* Effect.currentSpan }
        })
        const { failure, span } = yield* Effect.withSpan(traced, "page")
        for (let i = 0; i < 10; i++) yield* Effect.yieldNow
        if (failure._tag !== "Unavailable") return assert.fail(failure._tag)

        const record = failure.refusal ?? assert.fail("no record")
        assert.deepEqual(record, {
          policy: "bulkhead",
          reason: "BULKHEAD_FULL",
          deadlineLeftMillis: 1000,
          state: { running: 1, waiting: 0, permits: 1 }
        })
        assert.deepEqual(
          signals.flatMap((signal) => (signal._tag === "CallRefused" ? [Refused.record(signal.refused)] : [])),
          [record]
        )
        assert.deepEqual(
          lines.flatMap(({ refused }) => (refused === undefined ? [] : [refused])),
          [record]
        )
        const events = "events" in span && Array.isArray(span.events) ? span.events : []
        assert.deepEqual(
          events.map(([name, , attributes]) => ({ name, attributes })),
          [
            {
              name: "resilience.refused",
              attributes: {
                downstream: "stock",
                method: "get",
                "resilience.policy": "bulkhead",
                "resilience.reason": "BULKHEAD_FULL",
                "resilience.deadlineLeftMillis": 1000,
                "resilience.running": 1,
                "resilience.waiting": 0,
                "resilience.permits": 1
              }
            }
          ]
        )
        const response = yield* Problem.toResponse(Problem.fromUnavailable(failure))
        const json = yield* Effect.promise(() => HttpServerResponse.toWeb(response).json())
        const body = yield* Schema.decodeUnknownEffect(Problem.Body)(json)
        assert.deepEqual(body.refusal, record)
        assert.strictEqual(body.type, Problem.temporaryReducedCapacity)
      }).pipe(Effect.scoped, Effect.provide(layer))
    })
  )
})
