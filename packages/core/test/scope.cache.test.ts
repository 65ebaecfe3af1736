/** Nobody reads what belongs to another from a cache, nor from a load that somebody else has begun. */
import { assert, describe, it } from "@effect/vitest"
import { Cache, Caller, Composition, Contract, Downstream, Policy, Transient } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { info } from "./shop.ts"

const shape = {
  payload: Schema.Struct({ of: Schema.String }),
  success: Schema.String,
  transient: Transient.Transient,
  permanent: Schema.Never,
  idempotency: "safe",
  onOutage: "degrade-or-fail"
} as const

class Letters extends Downstream.Service<Letters>()(
  "@failsoft/core/test/Letters",
  {
    mine: Contract.method({ ...shape, scope: "principal" }),
    ours: Contract.method({ ...shape, scope: "tenant" })
  },
  info
) {}

interface World {
  up: boolean
  asked: number
}

const down = new Transient.Transient({ cause: "connection_refused", applied: "no" })
const of = ({ principal, tenant }: Caller.Known) => `${tenant ?? ""}/${principal ?? ""}`

const letters = (world: World) => {
  const row = () => ({
    policy: Policy.stack(Policy.deadline("1 second"), Policy.timeout("100 millis")),
    cache: Cache.make({ fresh: "1 minute", staleIfError: "1 hour", entriesMax: 100 })
  })
  const call = () =>
    Effect.flatMap(Caller.Caller, (caller) => {
      world.asked++
      return Effect.delay(world.up ? Effect.succeed(of(caller)) : Effect.fail(down), "10 millis")
    })
  return Layer.provide(Letters.layer({ mine: row(), ours: row() }), Letters.transport({ mine: call, ours: call }))
}

const ask = (method: "mine" | "ours", caller: Caller.Known) =>
  Letters.use((client) => client[method]({ of: "in" })).pipe(
    Caller.as(caller),
    Effect.match({ onSuccess: ({ value }) => value, onFailure: () => undefined })
  )

/** All at once; a call takes 10 ms. */
const together = (method: "mine" | "ours", callers: ReadonlyArray<Caller.Known>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(
      Effect.forEach(callers, (caller) => ask(method, caller), { concurrency: "unbounded" })
    )
    yield* TestClock.adjust("20 millis")
    return yield* Fiber.join(fiber)
  })

const alice = { principal: "alice", tenant: "a" }
const bob = { principal: "bob", tenant: "a" }
const otherAlice = { principal: "alice", tenant: "b" }
const all = [alice, bob, otherAlice]

describe("whose data a cache gives", () => {
  it.effect("each owner his own: joined, kept, and stale in an outage; nobody gets nothing", () => {
    const world: World = { up: true, asked: 0 }
    return Effect.gen(function* () {
      assert.deepEqual(yield* together("mine", [...all, alice]), [...all, alice].map(of))
      assert.strictEqual(world.asked, 3, "two of one owner share a load")
      assert.deepEqual(yield* together("mine", all), all.map(of))
      assert.strictEqual(world.asked, 3, "kept")
      assert.deepEqual(yield* together("mine", [{}, {}, { tenant: "a" }]), ["/", "/", "a/"])
      assert.strictEqual(world.asked, 6, "nobody shares nothing with nobody")
      world.up = false
      yield* TestClock.adjust("2 minutes")
      assert.deepEqual(yield* together("mine", all), all.map(of), "stale")
      assert.deepEqual(yield* together("mine", [{}, { tenant: "a" }]), [undefined, undefined])
    }).pipe(Effect.provide(letters(world)))
  })

  it.effect("a tenant what is its own", () => {
    const world: World = { up: true, asked: 0 }
    return Effect.gen(function* () {
      const [first, second, other] = yield* together("ours", all)
      assert.strictEqual(first, second)
      assert.strictEqual(other, of(otherAlice))
      assert.strictEqual(world.asked, 2)
    }).pipe(Effect.provide(letters(world)))
  })

  it.effect("a cache over a method that does not say whose its answers are keeps a ring from being built", () =>
    Effect.gen(function* () {
      class Unsaid extends Downstream.Service<Unsaid>()(
        "@failsoft/core/test/UnsaidCached",
        { get: Contract.method(shape) },
        info
      ) {}
      const table = {
        get: { policy: Policy.deadline("1 second"), cache: Cache.make({ fresh: 1, staleIfError: 1, entriesMax: 1 }) }
      }
      const ring = Layer.provide(
        Unsaid.layer(table as never),
        Unsaid.transport({ get: () => Effect.succeed("anything") })
      )
      const failure = yield* Effect.flip(Effect.scoped(Layer.build(ring)))
      assert.instanceOf(failure, Composition.InvalidComposition)
      assert.match(failure.message, /unsaidCached\/get: cache keeps answers, and the contract does not say whose/)
    })
  )
})
