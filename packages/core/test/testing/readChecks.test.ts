/** The check that looks at what sessions are shown finds planted bugs, and nothing where there is none. */
import { Cache, Caller, Contract, Downstream, Fallback, Policy, ReadMarks, Transient } from "@failsoft/core"
import { Fake, Simulation, Traffic } from "@failsoft/core/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import { info } from "../shop.ts"

class Pages extends Downstream.Service<Pages>()(
  "@failsoft/core/test/ShownPages",
  {
    show: Contract.method({
      payload: Schema.Struct({ id: Schema.Int }),
      success: Schema.Finite,
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "safe",
      onOutage: "degrade-or-fail",
      scope: "public",
      reads: "monotonic"
    })
  },
  info
) {}

type Client = Contract.Client<typeof Pages.contract.methods>

/** The same ring in another process, with memories of its own. */
class Elsewhere extends Context.Service<Elsewhere, Client>()("@failsoft/core/test/ShownElsewhere") {}

/** What a ring remembers, and the marks that the two share. */
interface Parts {
  readonly stale: ReturnType<typeof Fallback.stale>
  readonly cache: ReturnType<typeof cacheOf>
  readonly marks: ReadMarks.ReadMarks
}

const cacheOf = () => Cache.make({ fresh: "100 millis", staleIfError: "1 second", entriesMax: 10 })

const sound = (): Parts => ({
  stale: Fallback.stale({ maxAge: "30 seconds", entriesMax: 10 }),
  cache: cacheOf(),
  marks: ReadMarks.make()
})

/** A fallback that ignores the marks: whoever asks for one after it has answered is told that there is none. */
const fallbackIgnores = (): Parts => {
  const { cache, marks, stale } = sound()
  let ignored = false
  return {
    cache,
    marks: {
      ...marks,
      of: (session, key) => {
        const mark = ignored ? undefined : marks.of(session, key)
        ignored = false
        return mark
      }
    },
    stale: {
      ...stale,
      steps: stale.steps.map((step) => ({
        ...step,
        build: Effect.map(step.build, (instance) => ({
          ...instance,
          answer: (request, failure) =>
            Effect.tap(instance.answer(request, failure), () =>
              Effect.sync(() => {
                ignored = true
              })
            )
        }))
      }))
    }
  }
}

/** What was shown is not written down. */
const marksAreLost = (): Parts => {
  const { marks, ...rest } = sound()
  return { ...rest, marks: { ...marks, raise: () => {} } }
}

/** An entry that is too old for the session serves all the same. */
const cacheIgnores = (): Parts => {
  const { cache, ...rest } = sound()
  const build = Effect.map(
    cache.part.build,
    (instance): Cache.Instance => ({
      ...instance,
      serve: (row) =>
        Effect.map(instance.serve(row), (living) => {
          const ask = living.ask.bind(living)
          return Object.assign(living, {
            ask: (of: Parameters<typeof ask>[0]) => ask({ ...of, mayShow: () => true })
          })
        })
    })
  )
  return { ...rest, cache: { ...cache, part: { ...cache.part, build } } }
}

const setup = (make: () => Parts) =>
  ({
    name: "pages",
    // Each run begins with memories and marks of its own.
    layer: Layer.suspend(() => {
      const { cache, marks, stale } = make()
      const row = { policy: Policy.deadline("400 millis"), fallback: stale }
      const elsewhere = Layer.effect(Elsewhere, Pages).pipe(Layer.provide(Layer.fresh(Pages.layer({ show: row }))))
      return Layer.merge(Pages.layer({ show: { ...row, cache } }), elsewhere).pipe(
        Layer.provide(Layer.succeed(ReadMarks.ReadMarks, marks))
      )
    }),
    fakes: [Fake.make(Pages)],
    traffic: [
      Traffic.make("show", ({ draw }) =>
        Effect.gen(function* () {
          const pages = draw("where") < 0.6 ? yield* Pages : yield* Elsewhere
          return yield* pages.show({ id: Math.floor(draw("id") * 2) })
        }).pipe(Caller.as({ session: `s-${Math.floor(draw("session") * 2)}` }))
      )
    ],
    deadline: "1 second",
    recovery: "10 seconds",
    matrix: false
  }) as const

const rule = "a session is never shown anything older than before"

const search = (make: () => Parts, runs: number) =>
  Simulation.search({
    ...setup(make),
    runs,
    sometimes: {
      "a step was too old": ({ signals }) =>
        signals.some(({ signal }) => signal._tag === "ReadTooOld" && signal.step === "stale"),
      "an entry was too old": ({ signals }) =>
        signals.some(({ signal }) => signal._tag === "CacheMiss" && signal.why === "too-old"),
      "a session was shown something again": ({ reads }) =>
        reads.some(({ endedNth, key, session }) =>
          reads.some((of) => of.session === session && of.key === key && endedNth !== undefined && of.nth > endedNth)
        )
    }
  })

describe("sessions that read in two processes", () => {
  it("are never shown anything older than before, though the memories are", () => {
    const outcome = search(sound, 60)
    assert.isUndefined(Simulation.report(outcome))
    for (const [name, count] of Object.entries(outcome.sometimes)) {
      if (/too old|again/.test(name)) assert.isAbove(count, 10, name)
    }
  }, 60_000)

  it.each([
    ["a fallback ignores the marks", fallbackIgnores],
    ["the marks are lost", marksAreLost],
    ["a cache ignores the marks", cacheIgnores]
  ])(
    "are found to be, where %s",
    (_, make) => {
      const { found } = search(make, 60)
      assert.strictEqual(found?.judged.violation?.rule, rule)
    },
    60_000
  )

  it("are told of in the story of the request", () => {
    const report = Simulation.report(search(fallbackIgnores, 60))
    assert.match(report ?? "", /shownPages\/show shows session s-\d what is of \d+ ms/)
  }, 60_000)

  it("are written down the same in the same run", () => {
    const one = () => Simulation.run(setup(sound), { faults: [] }, { length: "5 seconds" })
    assert.deepEqual(one().reads, one().reads)
    assert.isAbove(one().reads.length, 10)
  })
})
