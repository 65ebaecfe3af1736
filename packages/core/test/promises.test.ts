/** What a contract promises holds whatever a transport, a fallback or a payload does. */
import { assert, describe, it } from "@effect/vitest"
import { Attempt, Contract, Deadline, Downstream, Fallback, Policy, Signal, Transient } from "@failsoft/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { info } from "./shop.ts"

const down = Effect.fail(new Transient.Transient({ cause: "connection_refused", applied: "no" }))
const stale = Fallback.chain(Fallback.stale({ maxAge: "1 hour", entriesMax: 10 }), Fallback.value("nothing"))

let made = 0

/** A downstream with one method that degrades, over the given payload. */
const one = <P extends Contract.PlainSchema>(payload: P, name?: string) => {
  class One extends Downstream.Service<One>()(
    `@failsoft/core/test/One${made++}`,
    {
      get: Contract.method({
        payload,
        success: Schema.String,
        transient: Transient.Transient,
        permanent: Schema.Never,
        idempotency: "keyed",
        idempotencyKey: () => {
          throw new Error("no key")
        },
        onOutage: "degrade",
        scope: "public"
      })
    },
    name === undefined ? info : { ...info, name }
  ) {}
  return One
}

type Raw = Effect.Effect<string, Transient.Transient>
type Fall = Fallback.Fallback<string, unknown, "enqueues" | "keeps">

const answersOf = <P extends Contract.PlainSchema>(payload: P, raw: () => Raw, fallback: Fall, asked: P["Type"][]) => {
  const One = one(payload)
  const ring = One.layer({ get: { policy: Policy.deadline("1 second"), fallback } })
  return Effect.gen(function* () {
    const client = yield* One
    return yield* Effect.forEach(asked, (of) => client.get(of))
  }).pipe(Effect.provide(Layer.provide(ring, One.transport({ get: raw }))))
}

/** Answers the first call, then is down. */
const onlyOnce = () => {
  let asked = 0
  return () => Effect.suspend((): Raw => (asked++ === 0 ? Effect.succeed("of the first") : down))
}

describe("a stale answer is only given to who asks for the same", () => {
  const pairs = [
    ["a secret", Schema.Struct({ token: Schema.Redacted(Schema.String) }), "token"],
    ["a number that is none", Schema.Number, "number"],
    ["a map", Schema.ReadonlyMap(Schema.String, Schema.String), "map"],
    ["a set", Schema.ReadonlySet(Schema.String), "set"],
    ["a pattern", Schema.RegExp, "pattern"]
  ] as const
  const values: Record<string, readonly [unknown, unknown]> = {
    token: [{ token: Redacted.make("alice") }, { token: Redacted.make("bob") }],
    number: [Number.NaN, Number.POSITIVE_INFINITY],
    map: [new Map([["a", "1"]]), new Map([["b", "2"]])],
    set: [new Set(["a"]), new Set(["b"])],
    pattern: [/a/, /b/]
  }
  it.effect.each(pairs)("%s", ([, schema, kind]) =>
    Effect.gen(function* () {
      const [first, second] = values[kind] ?? []
      const asked: ReadonlyArray<unknown> = [first, second, first]
      const answers = yield* answersOf(Schema.toType(schema) as Contract.PlainSchema, onlyOnce(), stale, [...asked])
      assert.deepEqual(
        answers.map(({ value, quality }) => [value, quality]),
        [
          ["of the first", "fresh"],
          ["nothing", "substituted"],
          ["of the first", "stale"]
        ]
      )
    })
  )

  it.effect("and of the same downstream, also where two have one name in telemetry", () =>
    Effect.gen(function* () {
      const [Eu, Us] = [one(Schema.String, "prices"), one(Schema.String, "prices")]
      const table = { get: { policy: Policy.deadline("1 second"), fallback: stale } }
      const layer = Layer.mergeAll(
        Layer.provide(Eu.layer(table), Eu.transport({ get: () => Effect.succeed("EUR") })),
        Layer.provide(Us.layer(table), Us.transport({ get: () => down }))
      )
      const answer = yield* Effect.gen(function* () {
        yield* (yield* Eu).get("a")
        return yield* (yield* Us).get("a")
      }).pipe(Effect.provide(layer))
      assert.strictEqual(answer.value, "nothing")
    })
  )
})

describe("a good answer needs no fallback to be well", () => {
  const observes = Fallback.fromInstance<string, unknown, "partial">({
    kind: "observes",
    quality: "stale",
    marks: ["partial"],
    make: () =>
      Effect.succeed({
        answer: () => Effect.succeedNone,
        observe: () => {
          throw new Error("cannot remember")
        }
      })
  })

  it.effect("a payload without a text form, and a memory that throws", () =>
    Effect.gen(function* () {
      const good = () => Effect.succeed("good")
      const unsayable = yield* answersOf(Schema.Unknown, good, stale, [new Error("x")])
      const forgetful = yield* answersOf(Schema.String, good, Fallback.chain(observes, stale), ["a"])
      for (const [answer] of [unsayable, forgetful]) assert.strictEqual(answer?.quality, "fresh")
    })
  )
})

describe("a degrading method always answers", () => {
  const dies: () => Raw = () => Effect.die("a defect")
  const throws: () => Raw = () => {
    throw new Error("thrown")
  }
  const interrupts: () => Raw = () => Effect.interrupt
  it.effect.each([
    ["dies", dies],
    ["throws", throws],
    ["interrupts itself", interrupts]
  ] as const)("a transport that %s", ([, raw]) =>
    Effect.gen(function* () {
      const signals: Array<string> = []
      const One = one(Schema.String)
      const ring = One.layer({ get: { policy: Policy.standard(), fallback: stale } })
      const answer = yield* Effect.gen(function* () {
        const bus = yield* Signal.Bus
        yield* bus.subscribe((signal) => signals.push(signal._tag === "CallEnded" ? signal.outcome : signal._tag))
        return yield* (yield* One).get("a")
      }).pipe(
        Effect.provide(Layer.provideMerge(Layer.provide(ring, One.transport({ get: raw })), Signal.layer)),
        Effect.scoped
      )
      assert.deepInclude(answer, { value: "nothing", reason: "CONTRACT_VIOLATION" })
      assert.deepEqual(signals, ["ContractViolated", "AnswerDegraded", "degraded"])
    })
  )

  const step = (answer: Fallback.Instance["answer"]) =>
    Fallback.fromInstance<string, unknown, "partial">({
      kind: "x",
      quality: "partial",
      marks: ["partial"],
      make: () => Effect.succeed({ answer })
    })

  it.effect.each([
    ["a step that dies", step(() => Effect.die("bug"))],
    [
      "a step that throws",
      step(() => {
        throw new Error("bug")
      })
    ],
    ["work that interrupts itself", Fallback.compute({ compute: () => Effect.interrupt })],
    ["a queue whose key throws", Fallback.enqueue({ offer: () => Effect.succeed("queued") })]
  ] as const)("%s", ([, broken]) =>
    Effect.gen(function* () {
      const [answer] = yield* answersOf(Schema.String, () => down, Fallback.chain(broken, Fallback.value("last")), [
        "a"
      ])
      assert.strictEqual(answer?.value, "last")
    })
  )

  it.effect("within its request's deadline, which holds for the work of a fallback too", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const work = Fallback.compute({
        compute: () =>
          Effect.andThen(
            Effect.flatMap(Effect.service(Deadline.Deadline), (at) => Effect.sync(() => void seen.push(at))),
            Effect.never
          ),
        within: "10 seconds"
      })
      const now = yield* Clock.currentTimeMillis
      const fiber = yield* Effect.forkChild(
        answersOf(Schema.String, () => down, Fallback.chain(work, Fallback.value("last")), ["a"]).pipe(
          Effect.provideService(Deadline.Deadline, now + 100)
        )
      )
      yield* TestClock.adjust("100 millis")
      assert.strictEqual((yield* Fiber.join(fiber))[0]?.value, "last")
      assert.deepEqual(seen, [now + 100])
    })
  )
})

describe("an attempt", () => {
  it.effect("is counted within its own call, also under another downstream's retry", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const raw = () =>
        Effect.flatMap(Effect.service(Attempt.Attempt), (attempt) => {
          seen.push(attempt)
          return down
        })
      const inner = answersOf(Schema.String, raw, Fallback.value("nothing"), ["a"])
      yield* Effect.provideService(inner, Attempt.Attempt, 2)
      assert.deepEqual(seen, [0])
    })
  )
})
