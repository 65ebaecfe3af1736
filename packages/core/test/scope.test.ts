/** Nobody reads what belongs to another, through whichever fallback he is answered. */
import { assert, describe, it } from "@effect/vitest"
import { Caller, Composition, Contract, Downstream, Fallback, Flag, Policy, Signal, Transient } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { info } from "./shop.ts"

const shape = {
  payload: Schema.Struct({ of: Schema.String }),
  success: Schema.String,
  transient: Transient.Transient,
  permanent: Schema.Never,
  idempotency: "keyed",
  idempotencyKey: ({ of }: { readonly of: string }) => of,
  onOutage: "degrade-or-fail"
} as const

/** The same question has an answer for each principal, for each tenant, or for all. */
class Files extends Downstream.Service<Files>()(
  "@failsoft/core/test/Files",
  {
    mine: Contract.method({ ...shape, scope: "principal" }),
    ours: Contract.method({ ...shape, scope: "tenant" }),
    all: Contract.method({ ...shape, scope: "public" })
  },
  info
) {}

type Method = "mine" | "ours" | "all"

type Payload = { readonly of: string }
type Fallbacks = Fallback.Fallback<string, Payload>

interface World {
  up: boolean
}

const down = new Transient.Transient({ cause: "connection_refused", applied: "no" })
const nobody = "nobody"
const secretOf = ({ principal, tenant }: Caller.Known) => `${tenant ?? "no tenant"}/${principal ?? nobody}`

const files = (world: World, fallback: Fallbacks) => {
  const policy = Policy.stack(Policy.deadline("1 second"), Policy.timeout("100 millis"))
  const row = { policy, fallback }
  const call = () =>
    Effect.flatMap(Caller.Caller, (caller) => (world.up ? Effect.succeed(secretOf(caller)) : Effect.fail(down)))
  return Layer.provideMerge(
    Layer.provide(
      Files.layer({ mine: row, ours: row, all: row }),
      Files.transport({ mine: call, ours: call, all: call })
    ),
    Signal.layer
  )
}

const ask = (method: Method, caller: Caller.Known, of = "diary") =>
  Files.use((client) => client[method]({ of })).pipe(
    Caller.as(caller),
    Effect.match({ onSuccess: ({ value }) => value, onFailure: () => undefined })
  )

const alice = { principal: "alice", tenant: "a" }
const bob = { principal: "bob", tenant: "a" }
/** The name of a principal says nothing beyond its tenant. */
const otherAlice = { principal: "alice", tenant: "b" }

/** Every kind of fallback that there is, each built anew; a new kind must be written here. */
const kinds = () => {
  const stale = () => Fallback.stale({ maxAge: "1 hour", entriesMax: 100 })
  const optimistic = () => {
    let nth = 0
    return Fallback.optimistic({ assume: () => `assumed ${nth++}`, holds: "1 hour" })
  }
  const compute = () => Fallback.compute({ compute: () => Effect.map(Caller.Caller, secretOf) })
  const precomputed = () =>
    Fallback.precomputed<string, Payload, ReadonlyMap<string, string>>({
      load: Effect.succeed(new Map([["diary", "everybody's"]])),
      lookup: (table, { of }) => table.get(of)
    })
  const enqueue = () => {
    const receipts = new Map<string, string>()
    // As a durable queue does it: the same key gives the first receipt again.
    const offer = (_: unknown, key: string) =>
      Effect.map(Caller.Caller, (caller) => {
        const receipt = receipts.get(key) ?? secretOf(caller)
        receipts.set(key, receipt)
        return receipt
      })
    return Fallback.enqueue<string, Payload>({ offer })
  }
  const value = () => Fallback.value("everybody's")
  const omit = () => Fallback.omit("")
  const outage = { except: ["CONTRACT_VIOLATION"] } as const
  return {
    stale,
    optimistic,
    compute,
    precomputed,
    enqueue,
    value,
    omit,
    flagged: () =>
      Fallback.chain(
        Fallback.flagged<never, unknown, "partial" | "keeps">(stale(), Flag.percentage("kept", { percent: 100 })),
        enqueue()
      ),
    rollout: () =>
      Fallback.rollout({
        flag: Flag.rollout("new", { stage: "on", percent: 100 }),
        stable: enqueue(),
        candidate: stale()
      }),
    "when stale": () => Fallback.when<never, unknown, "partial" | "keeps">(stale(), outage),
    "when optimistic": () => Fallback.when<string, unknown, "partial" | "keeps">(optimistic(), outage),
    "stale, else optimistic": () => Fallback.chain(stale(), optimistic()),
    "optimistic, else stale": () => Fallback.chain(optimistic(), stale()),
    "stale, else enqueue": () => Fallback.chain(stale(), enqueue()),
    "all of them": () => Fallback.chain(stale(), enqueue(), optimistic(), precomputed(), compute(), value())
  } satisfies Record<string, () => Fallbacks>
}

/** The kinds that a user of the package can make. */
const exported = Object.keys(Fallback).filter((name) => !["fromInstance", "chain", "when"].includes(name))

const isAnother = (method: Method, answer: string | undefined, own: Caller.Known) => {
  const of = [alice, bob, otherAlice].find((caller) => answer === secretOf(caller))
  if (of === undefined) return false
  return of.tenant !== own.tenant || (method === "mine" && of.principal !== own.principal)
}

describe("whose data an answer is", () => {
  it("is tried for every fallback that there is", () => {
    assert.deepEqual(
      exported.filter((name) => !Object.keys(kinds()).includes(name)),
      []
    )
  })

  for (const [kind, make] of Object.entries(kinds())) {
    it.effect(`${kind}: nobody reads what belongs to another`, () => {
      const world: World = { up: true }
      return Effect.gen(function* () {
        for (const caller of [alice, otherAlice, bob]) {
          world.up = true
          yield* ask("mine", caller)
          yield* ask("ours", caller)
          world.up = false
          for (const other of [alice, bob, otherAlice, {}, { tenant: "a" }, { principal: "alice" }]) {
            for (const method of ["mine", "ours"] as const) {
              const answer = yield* ask(method, other)
              const whose = `${secretOf(other)} of ${method} after ${secretOf(caller)}: ${answer}`
              assert.isFalse(isAnother(method, answer, other), whose)
            }
          }
        }
      }).pipe(Effect.provide(files(world, make())))
    })
  }

  it.effect("an owner gets his own again, and a tenant what is its own", () => {
    const world: World = { up: true }
    return Effect.gen(function* () {
      for (const caller of [alice, bob, otherAlice]) yield* ask("mine", caller)
      yield* ask("ours", alice)
      yield* ask("ours", otherAlice)
      yield* ask("all", alice)
      world.up = false
      for (const caller of [alice, bob, otherAlice]) assert.strictEqual(yield* ask("mine", caller), secretOf(caller))
      assert.strictEqual(yield* ask("ours", bob), secretOf(alice), "both are of tenant a")
      assert.strictEqual(yield* ask("ours", { tenant: "b" }), secretOf(otherAlice))
      assert.strictEqual(yield* ask("all", {}), secretOf(alice), "everybody's, also without a caller")
    }).pipe(Effect.provide(files(world, kinds().stale())))
  })

  it.effect("assumptions of two owners are two, and each is reconciled with its own answer", () => {
    const world: World = { up: false }
    const told: Array<readonly [string, string]> = []
    let nth = 0
    const optimistic = Fallback.optimistic<string, { readonly of: string }>({
      assume: () => `assumed ${nth++}`,
      holds: "1 hour",
      reconcile: ({ actual, assumed }) => Effect.sync(() => void told.push([assumed, actual]))
    })
    return Effect.gen(function* () {
      assert.deepEqual([yield* ask("mine", alice), yield* ask("mine", bob)], ["assumed 0", "assumed 1"])
      world.up = true
      yield* ask("mine", bob)
      yield* TestClock.adjust(0)
      assert.deepEqual(told, [["assumed 1", secretOf(bob)]])
    }).pipe(Effect.provide(files(world, optimistic)))
  })

  for (const caller of [{}, { tenant: "a" }, { principal: "", tenant: "a" }]) {
    it.effect(`without a principal (${JSON.stringify(caller)}) nothing is kept nor found, and a signal says so`, () => {
      const world: World = { up: true }
      return Effect.gen(function* () {
        const told: Array<unknown> = []
        const bus = yield* Signal.Bus
        yield* bus.subscribe((signal) => signal._tag === "CallerUnknown" && told.push(signal))
        yield* ask("mine", caller)
        world.up = false
        assert.isUndefined(yield* ask("mine", caller))
        assert.deepEqual(
          told,
          [0, 0].map((at) => ({ _tag: "CallerUnknown", at, downstream: "files", method: "mine", scope: "principal" }))
        )
      }).pipe(Effect.scoped, Effect.provide(files(world, Fallback.chain(kinds().stale(), kinds().optimistic()))))
    })
  }

  it.effect("no name of a tenant or a principal can be put together to be another's", () => {
    const world: World = { up: true }
    const names = ["a", "b", 'a","b', '"', "\\", "a]", "null"]
    return Effect.gen(function* () {
      const callers = [undefined, ...names].flatMap((tenant) =>
        names.map((principal) => (tenant === undefined ? { principal } : { principal, tenant }))
      )
      for (const caller of callers) yield* ask("mine", caller)
      world.up = false
      for (const caller of callers) assert.strictEqual(yield* ask("mine", caller), secretOf(caller))
    }).pipe(Effect.provide(files(world, kinds().stale())))
  })

  it.effect("that is not said keeps a ring from being built, also where the types were cast away", () =>
    Effect.gen(function* () {
      class Unsaid extends Downstream.Service<Unsaid>()(
        "@failsoft/core/test/Unsaid",
        { get: Contract.method(shape) },
        info
      ) {}
      const kept = kinds()["stale, else optimistic"]().steps
      const cast: Fallback.Fallback<string, unknown, never> = { steps: kept }
      const ring = Unsaid.layer({ get: { policy: Policy.deadline("1 second"), fallback: cast } })
      const transport = Unsaid.transport({ get: () => Effect.succeed("anything") })
      const failure = yield* Effect.flip(Effect.scoped(Layer.build(Layer.provide(ring, transport))))
      assert.instanceOf(failure, Composition.InvalidComposition)
      assert.lengthOf(failure.problems, 2)
      assert.match(failure.message, /unsaid\/get: fallback\.stale keeps answers, and the contract does not say whose/)
    })
  )
})
