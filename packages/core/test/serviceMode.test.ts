import { assert, describe, it } from "@effect/vitest"
import { Downstream, Fallback, Policy, ServiceMode, Settings, Signal } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { raw, Shop, switchable } from "./shop.ts"

const once = (limit: number) => ({ policy: Policy.stack(Policy.timeout(limit)) })

/** A service with the shop as its only downstream, whose methods a test breaks. */
const service = (
  options: Omit<ServiceMode.Options, "service" | "dependents"> & {
    readonly without?: ServiceMode.Dependent["without"]
  } = {}
) =>
  Effect.gen(function* () {
    const show = switchable()
    const charge = switchable()
    const ring = Shop.layer({
      show: { ...once(100), fallback: Fallback.value(0) },
      peek: { ...once(100), fallback: Fallback.stale({ maxAge: "1 minute", entriesMax: 10 }) },
      charge: once(100)
    }).pipe(Layer.provide(Shop.transport({ show: show.call, peek: raw.answers, charge: charge.call })))
    const { without, ...knobs } = options
    const mode = Layer.unwrap(
      Effect.map(Shop, (shop) =>
        ServiceMode.layer({
          service: "store",
          dependents: () =>
            [Downstream.describe(shop)].flatMap((description) =>
              description === undefined ? [] : [{ description, ...(without === undefined ? {} : { without }) }]
            ),
          ...knobs
        })
      )
    )
    const context = yield* Layer.build(
      mode.pipe(Layer.provideMerge(ring), Layer.provideMerge(Settings.layer), Layer.provideMerge(Signal.layer))
    )
    return yield* Effect.gen(function* () {
      const shop = yield* Shop
      const signals: Array<Signal.Signal> = []
      yield* (yield* Signal.Bus).subscribe((signal) => signals.push(signal))
      const current = yield* ServiceMode.Current
      const settings = yield* Settings.Registry
      if (current === undefined) return yield* Effect.die("there is a mode")
      const now = () =>
        Effect.map(
          Effect.clockWith((clock) => clock.currentTimeMillis),
          Number
        )
      return {
        break: (of: "show" | "charge") => {
          const { control } = of === "show" ? show : charge
          control.now = raw.refuses
        },
        mend: (of: "show" | "charge") => {
          const { control } = of === "show" ? show : charge
          control.now = raw.answers
        },
        call: (of: "show" | "charge") =>
          of === "show" ? Effect.ignore(shop.show({ id: "1" })) : Effect.ignore(shop.charge({ id: "1" })),
        mode: Effect.map(now(), (at) => current.at(at).mode),
        state: Effect.map(now(), (at) => current.at(at)),
        refuses: (access: ServiceMode.Access) => Effect.map(now(), (at) => current.refuses(access, at)),
        untried: current.untried.bind(current),
        now: now(),
        turn: (value: string) => settings.change({ "store/service/mode.switch": value }, { by: "ada" }),
        changes: () => signals.filter((signal) => signal._tag === "ModeChanged")
      }
    }).pipe(Effect.provide(context))
  })

/** Calls a method ten times a second for so many milliseconds. */
const traffic = (call: Effect.Effect<void>, millis: number) =>
  Effect.repeat(Effect.andThen(call, TestClock.adjust(100)), { times: millis / 100 - 1 })

describe("the mode of a service", () => {
  it.effect("is full while its calls are answered", () =>
    Effect.gen(function* () {
      const { call, changes, mode } = yield* service()
      yield* traffic(call("show"), 3000)
      assert.strictEqual(yield* mode, "full")
      assert.deepEqual(changes(), [])
    })
  )

  it.effect("is worse once a method had no good answer for a second, and better with the first", () =>
    Effect.gen(function* () {
      const shop = yield* service()
      yield* shop.call("charge")
      shop.break("charge")
      yield* traffic(shop.call("charge"), 800)
      assert.strictEqual(yield* shop.mode, "full")
      yield* traffic(shop.call("charge"), 500)
      assert.deepEqual(yield* shop.state, { mode: "read-only", by: "observed", causes: ["shop/charge"] })
      shop.mend("charge")
      yield* shop.call("charge")
      yield* TestClock.adjust(250)
      assert.strictEqual(yield* shop.mode, "full")
      assert.deepEqual(
        shop
          .changes()
          .map((of) => (of._tag === "ModeChanged" ? [of.downstream, of.from, of.to, of.by, of.causes] : [])),
        [
          ["store", "full", "read-only", "observed", ["shop/charge"]],
          ["store", "read-only", "full", "observed", []]
        ]
      )
    })
  )

  it.effect("stays full where every other call fails", () =>
    Effect.gen(function* () {
      const shop = yield* service()
      for (let nth = 0; nth < 30; nth++) {
        if (nth % 2 === 0) shop.break("charge")
        else shop.mend("charge")
        yield* traffic(shop.call("charge"), 100)
        assert.strictEqual(yield* shop.mode, "full")
      }
    })
  )

  it.effect("follows from the contract: what degrades only reduces", () =>
    Effect.gen(function* () {
      const shop = yield* service()
      shop.break("show")
      yield* traffic(shop.call("show"), 1500)
      assert.strictEqual(yield* shop.mode, "reduced")
      shop.break("charge")
      yield* traffic(shop.call("charge"), 1500)
      assert.deepEqual(yield* shop.state, { mode: "read-only", by: "observed", causes: ["shop/show", "shop/charge"] })
    })
  )

  it.effect("is what the dependent says it is, for all methods or for one", () =>
    Effect.gen(function* () {
      const all = yield* service({ without: "unavailable" })
      all.break("show")
      yield* traffic(all.call("show"), 1500)
      assert.strictEqual(yield* all.mode, "unavailable")
      const one = yield* service({ without: { charge: "reduced" } })
      one.break("charge")
      yield* traffic(one.call("charge"), 1500)
      assert.strictEqual(yield* one.mode, "reduced")
    })
  )

  it.effect("tells of a change without traffic too", () =>
    Effect.gen(function* () {
      const shop = yield* service()
      yield* shop.call("charge")
      shop.break("charge")
      yield* TestClock.adjust(500)
      // One failure in a silence says nothing yet.
      yield* shop.call("charge")
      yield* TestClock.adjust(1500)
      assert.lengthOf(shop.changes(), 0)
      yield* shop.call("charge")
      yield* TestClock.adjust(1500)
      assert.lengthOf(shop.changes(), 1)
      // Nobody knows any more.
      yield* TestClock.adjust("2 minutes")
      assert.deepEqual(
        shop.changes().map((of) => (of._tag === "ModeChanged" ? of.to : "")),
        ["read-only", "full"]
      )
    })
  )
})

describe("what a mode refuses", () => {
  it.effect("observed, it refuses nobody", () =>
    Effect.gen(function* () {
      const shop = yield* service()
      shop.break("charge")
      yield* traffic(shop.call("charge"), 1500)
      assert.strictEqual(yield* shop.mode, "read-only")
      assert.isUndefined(yield* shop.refuses("write"))
    })
  )

  it.effect("set by the operator, read-only refuses writes and unavailable all, until it is set back", () =>
    Effect.gen(function* () {
      const shop = yield* service()
      yield* shop.turn("read-only")
      assert.isUndefined(yield* shop.refuses("read"))
      const refused = yield* shop.refuses("write")
      assert.deepInclude(refused, { policy: "mode", reason: "READ_ONLY", retryAfterMillis: 10_000 })
      assert.deepEqual(refused?.state, { mode: "read-only", by: "operator", lost: "" })
      yield* shop.turn("unavailable")
      assert.strictEqual((yield* shop.refuses("read"))?.reason, "OUT_OF_SERVICE")
      yield* shop.turn("auto")
      assert.isUndefined(yield* shop.refuses("write"))
      assert.strictEqual(yield* shop.mode, "full")
      // The operator's word holds over what is observed.
      shop.break("charge")
      yield* traffic(shop.call("charge"), 1500)
      yield* shop.turn("full")
      assert.strictEqual(yield* shop.mode, "full")
    })
  )

  it.effect("enforced as it is observed, it lets one write in a while try, and all once one was answered", () =>
    Effect.gen(function* () {
      const shop = yield* service({ enforce: "observed", trial: "2 seconds" })
      shop.break("charge")
      yield* traffic(shop.call("charge"), 1500)
      const passed = function* (seconds: number) {
        let count = 0
        for (let nth = 0; nth < seconds * 10; nth++) {
          if ((yield* shop.refuses("write")) === undefined) {
            count++
            yield* shop.call("charge")
          }
          assert.isUndefined(yield* shop.refuses("read"))
          yield* TestClock.adjust(100)
        }
        return count
      }
      assert.strictEqual(yield* Effect.gen(() => passed(10)), 5)
      shop.mend("charge")
      assert.isAtLeast(yield* Effect.gen(() => passed(4)), 18)
    })
  )

  it.effect("is tried by another write where one has proved nothing, and only then", () =>
    Effect.gen(function* () {
      const shop = yield* service({ enforce: "observed", trial: "1 hour" })
      shop.break("charge")
      yield* traffic(shop.call("charge"), 1500)
      assert.isUndefined(yield* shop.refuses("write"))
      const first = yield* shop.now
      yield* TestClock.adjust(100)
      assert.strictEqual((yield* shop.refuses("write"))?.reason, "READ_ONLY")
      shop.untried(first)
      assert.isUndefined(yield* shop.refuses("write"))
      // What the first one says now is of no concern to the second.
      shop.untried(first)
      assert.strictEqual((yield* shop.refuses("write"))?.reason, "READ_ONLY")
    })
  )

  it.effect("refuses a word that is no mode", () =>
    Effect.gen(function* () {
      const shop = yield* service()
      const error = yield* Effect.flip(shop.turn("read-onyl"))
      assert.match(String(error), /store\/service\/mode\.switch/)
    })
  )
})
