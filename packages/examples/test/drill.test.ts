/** A drill of a shop that the test plays, in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as drill from "../src/drills/drill.ts"
import type { Response } from "../src/drills/seen.ts"
import type { Shop } from "../src/drills/shop.ts"
import { NoTarget } from "../src/drills/target.ts"

const fine: Response = { status: 200, header: () => null, body: { meta: { degraded: [] } } }

/** It answers at once until so many milliseconds after its faults were set, and nobody after that. */
const shopUntil = (hangsAt: number, more: Partial<Shop> = {}): Shop => {
  let begunAt = Number.POSITIVE_INFINITY
  const asked = Effect.flatMap(Clock.currentTimeMillis, (now) =>
    now < begunAt + hangsAt ? Effect.succeed(fine) : Effect.never
  )
  return {
    page: () => asked,
    order: () => asked,
    faults: Effect.succeed([]),
    setPlan: () =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        begunAt = now
      }),
    clearPlan: Effect.succeed({}),
    circuits: Effect.succeed([]),
    charges: Effect.succeed(new Map()),
    ...more
  }
}

const options: drill.Options = {
  plan: { faults: [{ kind: "down", target: "payments", from: 500, until: 1500 }] },
  perSecond: 20,
  seed: 1,
  mostMillis: 120_000,
  abortShare: 0.95,
  abortSeconds: 2,
  recoveryMillis: 1000,
  print: () => {}
}

/** Runs it for a virtual minute at most. */
const run = (shop: Shop, more: Partial<drill.Options> = {}) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(drill.run(shop, { ...options, ...more }))
    for (let nth = 0; nth < 600; nth++) yield* TestClock.adjust(100)
    return yield* Fiber.join(fiber)
  })

const broken = ({ findings }: drill.Outcome) =>
  findings.filter((of) => !of.kept).map((of) => `${of.promise}: ${of.detail}`)

describe("a drill", () => {
  it.effect("keeps its promises where all is answered", () =>
    Effect.gen(function* () {
      const outcome = yield* run(shopUntil(Number.POSITIVE_INFINITY))
      assert.strictEqual(outcome.ended, "ran to its end")
      assert.deepEqual(broken(outcome), [])
      assert.isAbove(outcome.seen.length, 150)
    })
  )

  it.effect("is stopped where nothing is answered any more, as soon as that is known", () =>
    Effect.gen(function* () {
      const outcome = yield* run(shopUntil(500), { recoveryMillis: 20_000 })
      assert.strictEqual(outcome.ended, "stopped by its abort condition")
      const last = Math.max(...outcome.seen.map(({ at }) => at))
      assert.isAtMost(last, 3500, "the requests of the third second, once they had their time")
    })
  )

  it.effect("finds each request that was never answered, the last ones too", () =>
    Effect.gen(function* () {
      const outcome = yield* run(shopUntil(6000), { abortSeconds: 100 })
      assert.strictEqual(outcome.ended, "ran to its end")
      const failed = outcome.seen.filter(({ grade }) => grade === "failed")
      assert.deepEqual([...new Set(failed.map((of) => of.broken))], ["no answer within 2500 ms"])
      // Twenty in a second, and a burst of five at the sixth, until 7.5 s.
      assert.strictEqual(failed.length, 35)
      assert.lengthOf(broken(outcome), 2)
    })
  )

  it.effect("has not kept what it did not look at", () =>
    Effect.gen(function* () {
      const late: drill.Options["plan"] = {
        faults: [
          { kind: "down", target: "payments", from: 500, until: 1500 },
          { kind: "hang", target: ["catalog", "identity"], from: 5000, until: 15_000 }
        ]
      }
      assert.deepEqual(broken(yield* run(shopUntil(Number.POSITIVE_INFINITY), { plan: late, mostMillis: 3000 })), [
        "all faults and the recovery were seen: hang catalog+identity was due from 5.0 s to 15.0 s, and the drill ended after 3.0 s"
      ])
      assert.deepEqual(broken(yield* run(shopUntil(Number.POSITIVE_INFINITY), { mostMillis: 2000 })), [
        "all faults and the recovery were seen: all was due to be fresh at 2.5 s, and the drill ended after 2.0 s"
      ])
    })
  )

  it.effect("ends where its faults cannot be set", () =>
    Effect.gen(function* () {
      const setPlan = () => Effect.fail(new NoTarget({ message: "the admin port answered 503" }))
      const error = yield* Effect.flip(run(shopUntil(Number.POSITIVE_INFINITY, { setPlan })))
      assert.include(error.message, "503")
    })
  )
})
