/** What a payload, an answer or a declared error holds is told to nobody but the caller. */
import { assert, describe, it } from "@effect/vitest"
import {
  Cache,
  Caller,
  Contract,
  Downstream,
  Fallback,
  Journal,
  Policy,
  Signal,
  SignalLog,
  Unavailable
} from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import { TestClock } from "effect/testing"
import { info } from "./shop.ts"

const canary = "canary: 4000-0000-0000-0002"

class Busy extends Schema.TaggedError<Busy>()("Busy", { cause: Schema.String, text: Schema.String }) {}
class Denied extends Schema.TaggedError<Denied>()("Denied", { text: Schema.String }) {}

const shape = {
  payload: Schema.Struct({ card: Schema.String, token: Schema.Redacted(Schema.String) }),
  success: Schema.Struct({ text: Schema.String }),
  transient: Busy,
  permanent: Denied,
  scope: "principal"
} as const

class Vault extends Downstream.Service<Vault>()(
  "@failsoft/core/test/Vault",
  {
    get: Contract.method({ ...shape, idempotency: "safe", onOutage: "degrade-or-fail" }),
    cached: Contract.method({ ...shape, idempotency: "safe", onOutage: "degrade-or-fail" }),
    put: Contract.method({
      ...shape,
      idempotency: "keyed",
      idempotencyKey: ({ card }) => card,
      onOutage: "fail"
    })
  },
  info
) {}

const outcomes = {
  answers: () => Effect.succeed({ text: canary }),
  busy: () => Effect.fail(new Busy({ cause: canary, text: canary })),
  denied: () => Effect.fail(new Denied({ text: canary })),
  hangs: () => Effect.never
}

type Outcome = keyof typeof outcomes

/** Everything that is told, as text. */
const listening = () => {
  const told: Array<string> = []
  const signals: Array<string> = []
  const texts = (of: unknown) => told.push(JSON.stringify(of) ?? "", String(of))
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  const logger = Logger.map(Logger.formatStructured, texts)
  return {
    layer: Layer.mergeAll(Logger.layer([logger]), Layer.succeed(Tracer.Tracer, tracer)),
    hear: (signal: Signal.Signal) => {
      signals.push(signal._tag)
      texts(signal)
    },
    texts,
    spans,
    told,
    signals
  }
}

const policy = Policy.stack(
  Policy.deadline("600 millis"),
  Policy.retry({ times: 1 }),
  Policy.circuitBreaker({ minimumCalls: 4 }),
  Policy.bulkhead({ permits: 1, queueMax: 1 }),
  Policy.rateLimit({ permits: 30 }),
  Policy.timeout("50 millis")
)

const program = (heard: ReturnType<typeof listening>) => {
  const world: { now: Outcome } = { now: "answers" }
  const call = () =>
    Effect.suspend((): Effect.Effect<{ readonly text: string }, Busy | Denied> => outcomes[world.now]())
  const ring = Vault.layer({
    get: {
      policy,
      fallback: Fallback.chain(
        Fallback.stale({ maxAge: "1 hour", entriesMax: 10 }),
        Fallback.compute({ compute: () => Effect.fail(canary) }),
        Fallback.optimistic({ assume: () => ({ text: canary }), holds: "1 minute" })
      )
    },
    cached: { policy, cache: Cache.make({ fresh: 1, staleIfError: "1 hour", negative: "1 second", entriesMax: 10 }) },
    put: { policy }
  })
  return Effect.gen(function* () {
    const bus = yield* Signal.Bus
    yield* bus.subscribe(heard.hear)
    const journal = yield* Journal.make
    const vault = yield* Vault
    for (const now of ["answers", "denied", "busy", "hangs", "answers", "busy"] as const) {
      world.now = now
      for (let nth = 0; nth < 4; nth++) {
        const payload = { card: nth === 3 ? `${canary} ${now}` : canary, token: Redacted.make(canary) }
        const each: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
          Effect.withSpan(vault.get(payload), "get"),
          Effect.withSpan(vault.cached(payload), "cached"),
          Effect.withSpan(vault.put(payload), "put")
        ]
        const calls = each.flatMap((of) => Array.from({ length: 4 }, () => Effect.exit(of)))
        const running = yield* Effect.forkChild(
          Effect.all(calls, { concurrency: "unbounded" }).pipe(
            Effect.provideService(Journal.Journal, journal),
            Caller.as({ principal: canary })
          )
        )
        for (let step = 0; step < 20; step++) yield* TestClock.adjust("40 millis")
        for (const exit of yield* Fiber.join(running)) {
          // What the framework itself says of a failure; the downstream's own word is for the caller.
          if (exit._tag === "Failure") {
            for (const reason of exit.cause.reasons) {
              if (reason._tag === "Fail" && reason.error instanceof Unavailable.Unavailable) heard.texts(reason.error)
              if (reason._tag === "Die") assert.fail("a defect")
            }
          }
        }
      }
    }
    heard.texts(journal.entries())
    heard.texts(Downstream.describe(vault))
    for (const { attributes, events, status } of heard.spans) {
      if (status._tag === "Ended") heard.texts([[...attributes], events.map(([name, , of]) => [name, of])])
    }
  }).pipe(
    Effect.scoped,
    Effect.provide(
      Layer.provideMerge(
        Layer.merge(Layer.provide(ring, Vault.transport({ get: call, cached: call, put: call })), SignalLog.layer()),
        Layer.merge(Signal.layer, heard.layer)
      )
    ),
    Effect.provideService(References.MinimumLogLevel, "All")
  )
}

describe("a secret", () => {
  it.effect("of a payload, an answer or an error is in no signal, log line, span, journal or refusal", () => {
    const heard = listening()
    return Effect.gen(function* () {
      yield* program(heard)
      const kinds = new Set(heard.signals)
      for (const kind of [
        "CallEnded",
        "AttemptTimedOut",
        "RetryScheduled",
        "CallRefused",
        "CircuitChanged",
        "AnswerDegraded"
      ]) {
        assert.isTrue(kinds.has(kind), `${kind} was told: ${[...kinds].join(" ")}`)
      }
      assert.deepEqual(
        heard.told.filter((text) => /canary/.test(text)),
        []
      )
    })
  })
})
