/** A ring with a cache, over a downstream that the test drives, and what it was told. */
import { Cache, Contract, Downstream, Fallback, Policy, Settings, Signal, Transient } from "@failsoft/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { info } from "./shop.ts"

export class Gone extends Schema.TaggedError<Gone>()("Gone", { id: Schema.String }) {}

export const Answered = Schema.Struct({ id: Schema.String, version: Schema.Int })
export type Answered = typeof Answered.Type

const shape = {
  payload: Schema.Struct({ id: Schema.String }),
  success: Answered,
  transient: Transient.Transient,
  permanent: Gone
}

export class Things extends Downstream.Service<Things>()(
  "@failsoft/core/test/Things",
  {
    read: Contract.method({ ...shape, idempotency: "safe", onOutage: "degrade-or-fail", scope: "public" }),
    check: Contract.method({ ...shape, idempotency: "safe", onOutage: "fail", scope: "public" }),
    write: Contract.method({ ...shape, idempotency: "keyed", idempotencyKey: ({ id }) => id, onOutage: "fail" })
  },
  info
) {}

type Raw = (payload: { readonly id: string }) => Effect.Effect<Answered, Transient.Transient | Gone>

/** What the downstream does now, and how often it was asked. */
export const downstream = () => {
  const control = {
    version: 1,
    /** Each load has its number as its version. */
    numbered: false,
    does: "answers" as "answers" | "fails" | "is gone" | "hangs",
    takes: 0,
    asked: 0,
    ended: 0,
    interrupted: 0,
    /** The most loads of one id at once. */
    atOnce: 0
  }
  const running = new Map<string, number>()
  const count = (id: string, by: number) => {
    const now = (running.get(id) ?? 0) + by
    running.set(id, now)
    control.atOnce = Math.max(control.atOnce, now)
  }
  const call: Raw = ({ id }) =>
    Effect.suspend(() => {
      control.asked++
      count(id, 1)
      const { asked, does, numbered, takes } = control
      const version = numbered ? asked : control.version
      const ends: ReturnType<Raw> =
        does === "answers"
          ? Effect.succeed({ id, version })
          : does === "fails"
            ? Effect.fail(new Transient.Transient({ cause: "connection_refused", applied: "no" }))
            : does === "hangs"
              ? Effect.never
              : Effect.fail(new Gone({ id }))
      return (takes > 0 ? Effect.delay(ends, takes) : ends).pipe(
        Effect.onInterrupt(() => Effect.sync(() => control.interrupted++)),
        Effect.ensuring(
          Effect.sync(() => {
            control.ended++
            count(id, -1)
          })
        )
      )
    })
  return { control, call }
}

/** A ring in the test's scope. */
export const ringOf = Effect.fnUntraced(function* (
  cache: Cache.Cache<Answered, { readonly id: string }, Gone>,
  options: { readonly context?: Context.Context<never> } = {}
) {
  const { call, control } = downstream()
  const bus = yield* Signal.make
  const signals: Array<Signal.Signal> = []
  yield* bus.subscribe((signal) => signals.push(signal))
  const deadline = { policy: Policy.deadline("1 second") }
  const ring = Things.layer({
    read: { ...deadline, cache, fallback: Fallback.when(Fallback.value({ id: "", version: -1 }), { reasons: [] }) },
    check: deadline,
    write: {
      ...deadline,
      writes: ({ id }: { readonly id: string }, answer: Answered) => [{ update: "read", payload: { id }, answer }]
    }
  })
  const context = yield* Layer.build(
    ring.pipe(
      Layer.provide(Things.transport({ read: call, check: call, write: call })),
      Layer.provideMerge(Settings.layer),
      Layer.provide(Layer.succeed(Signal.Bus, bus)),
      Layer.provide(Layer.succeedContext(options.context ?? Context.empty()))
    )
  )
  const things = Context.get(context, Things)
  const settings = Context.get(context, Settings.Registry)
  return {
    control,
    things,
    settings,
    signals,
    told: (tag: Signal.Signal["_tag"]) => signals.filter((signal) => signal._tag === tag),
    state: () => Downstream.describe(things)?.methods.find(({ name }) => name === "read")?.cache?.state ?? {},
    turn: (knob: string, value: unknown) => settings.set(`things/read/cache.${knob}`, value, { by: "test" }),
    /** An answer in a few words. */
    read: (id = "a") =>
      Effect.match(things.read({ id }), {
        onSuccess: ({ asOf, quality, value }) => `${quality} v${value.version}${asOf === undefined ? "" : ` @${asOf}`}`,
        onFailure: (error) => (error._tag === "Gone" ? "gone" : error.reason)
      })
  }
})
