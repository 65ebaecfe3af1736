/** One contract with monotonic reads in two regions, each a ring with a memory of its own, which share the marks of sessions. */
import {
  Cache,
  type Caller,
  Caller as Callers,
  Contract,
  Downstream,
  Fallback,
  Policy,
  ReadMarks,
  Signal,
  Transient
} from "@failsoft/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { info } from "./shop.ts"

export class Gone extends Schema.TaggedError<Gone>()("Gone", {}) {}

export class Pages extends Downstream.Service<Pages>()(
  "@failsoft/core/test/Pages",
  {
    show: Contract.method({
      payload: Schema.Struct({ id: Schema.String }),
      success: Schema.Int,
      transient: Transient.Transient,
      permanent: Gone,
      idempotency: "safe",
      onOutage: "degrade-or-fail",
      scope: "principal",
      reads: "monotonic"
    })
  },
  info
) {}

type Payload = { readonly id: string }
type Call = (payload: Payload) => Effect.Effect<number, Transient.Transient | Gone>

/** What a region does; each of its answers has a number. */
export interface Region {
  does: "answers" | "fails" | "is gone"
  /** How many milliseconds it takes. */
  takes: number
  asked: number
}

const callOf =
  (region: Region): Call =>
  () =>
    Effect.suspend(() => {
      const version = ++region.asked
      const ends: ReturnType<Call> =
        region.does === "answers"
          ? Effect.succeed(version)
          : region.does === "is gone"
            ? Effect.fail(new Gone())
            : Effect.fail(new Transient.Transient({ cause: "connection_refused", applied: "no" }))
      return region.takes > 0 ? Effect.delay(ends, region.takes) : ends
    })

/** What remembers answers in a region. */
export interface Memory {
  readonly cache?: Cache.Cache<number, Payload, Gone>
  readonly fallback: Fallback.Fallback<number, Payload, "partial" | "keeps">
}

/** A ring in the test's scope, what its region does, and an answer of it in a few words. */
export const regionOf = Effect.fnUntraced(function* (memory: Memory, marks: ReadMarks.ReadMarks | undefined) {
  const region: Region = { does: "answers", takes: 0, asked: 0 }
  const bus = yield* Signal.make
  const signals: Array<Signal.Signal> = []
  yield* bus.subscribe((signal) => signals.push(signal))
  const ring = Pages.layer({ show: { policy: Policy.deadline("1 second"), ...memory } })
  const pages = Context.get(
    yield* Layer.build(
      ring.pipe(
        Layer.provide(Pages.transport({ show: callOf(region) })),
        Layer.provide(Layer.succeed(Signal.Bus, bus)),
        Layer.provide(Layer.succeed(ReadMarks.ReadMarks, marks))
      )
    ),
    Pages
  )
  return {
    region,
    pages,
    told: (tag: Signal.Signal["_tag"]) => signals.filter((signal) => signal._tag === tag),
    ask: (caller: Caller.Known, id = "a") =>
      pages.show({ id }).pipe(
        Callers.as(caller),
        Effect.match({
          onSuccess: ({ asOf, quality, value }) => `${quality} v${value}${asOf === undefined ? "" : ` @${asOf}`}`,
          onFailure: (error) => (error._tag === "Gone" ? "gone" : error.reason)
        })
      )
  }
})

/** A fallback of the last good answer. */
export const lastGood = (maxAge: number) => Fallback.stale({ maxAge, entriesMax: 100 })

/** What never serves, for a region that only has a cache. */
export const nothing = Fallback.when(Fallback.value(-1), { reasons: [] })

export const cacheOf = (of: { readonly fresh: number; readonly error: number; readonly revalidate?: number }) =>
  Cache.make<number, Payload, Gone>({
    fresh: of.fresh,
    staleIfError: of.error,
    ...(of.revalidate === undefined ? {} : { staleWhileRevalidate: of.revalidate }),
    jitter: 0,
    entriesMax: 100
  })
