import { assert, describe, it } from "@effect/vitest"
import { Downstream, Fallback, Knob, Policy, Settings, Signal } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { type Raw, raw, Shop } from "./shop.ts"

const makeCharge = () =>
  Policy.stack(
    Policy.deadline("1 second"),
    Policy.retry({ times: 1, base: 10, delayMax: 50 }),
    Policy.circuitBreaker({ window: "10 seconds" }),
    Policy.bulkhead({ permits: 2, queueMax: 4, waitMax: 20, name: "gateway" }),
    Policy.timeout("250 millis")
  )
const charge = makeCharge()
const shared = Policy.bulkhead({ permits: 8, name: "shared" })
const read = Policy.stack(Policy.deadline("1 second"), shared, Policy.timeout("300 millis"))
const peek = Policy.stack(Policy.deadline("1 second"), shared, Policy.timeout("500 millis"))

/** The shop's ring over a raw method. */
const ring = (method: Raw) =>
  Shop.layer({
    show: { policy: read, fallback: Fallback.value(0) },
    peek: { policy: peek, fallback: Fallback.value(0) },
    charge: { policy: charge }
  }).pipe(Layer.provide(Shop.transport({ show: method, peek: method, charge: method })))

/** The same below a registry of its own and a bus. */
const shop = (method: Raw = raw.answers) =>
  ring(method).pipe(Layer.provideMerge(Settings.layer), Layer.provideMerge(Signal.layer))

const timeout = "shop/charge/timeout.limitMillis"
const alice = { by: "alice" }

/** The registry below a built ring, with the signals since then. */
const living = Effect.gen(function* () {
  const client = yield* Shop
  const settings = yield* Settings.Registry
  const signals: Array<Signal.Signal> = []
  const bus = yield* Signal.Bus
  yield* bus.subscribe((signal) => signals.push(signal))
  return { client, settings, told: () => signals.filter(({ _tag }) => _tag === "SettingChanged") }
})

const value = (settings: Settings.SettingsRegistry, name: string) => settings.get(name)?.value

describe("the registry of settings", () => {
  it.effect("knows every knob of every row under its name, with its value in the code", () =>
    Effect.gen(function* () {
      const { settings } = yield* living
      assert.deepInclude(settings.get(timeout), {
        value: 250,
        default: 250,
        origin: "code",
        by: "code",
        sharedWith: []
      })
      const names = settings.list().map(({ name }) => name)
      assert.includeMembers(names, ["shop/show/deadline.limitMillis", "shop/charge/circuitBreaker.failureRate"])
      assert.deepEqual(names, [...names].sort())
    }).pipe(Effect.scoped, Effect.provide(shop()))
  )

  it.effect("turns a knob of the running policy, and says who, when, from what to what", () =>
    Effect.gen(function* () {
      const { client, settings, told } = yield* living
      yield* TestClock.adjust("5 seconds")
      const changes = yield* settings.set(timeout, 100, { by: "alice", reason: "slow disk" })
      const expected = {
        at: 5000,
        by: "alice",
        names: [timeout],
        from: 250,
        to: 100,
        origin: "admin" as const,
        reason: "slow disk"
      }
      assert.deepEqual(changes, [expected])
      assert.deepEqual(settings.audit(), [expected])
      assert.deepInclude(settings.get(timeout), { value: 100, default: 250, origin: "admin", since: 5000, by: "alice" })
      assert.strictEqual(told().length, 1)
      assert.deepInclude(told()[0], { downstream: "shop", method: "charge", from: 250, to: 100, origin: "admin" })
      const of = Downstream.describe(client)
        ?.methods.find(({ name }) => name === "charge")
        ?.policies.at(-1)
      assert.deepInclude(of, {
        address: "shop/charge/timeout",
        origins: { limitMillis: "admin" },
        knobs: { limitMillis: 100 }
      })
    }).pipe(Effect.scoped, Effect.provide(shop()))
  )

  it.effect("bounds the attempts that begin after the change", () =>
    Effect.gen(function* () {
      const { client, settings } = yield* living
      yield* settings.change({ [timeout]: 40, "shop/charge/retry.times": 0 }, alice)
      const fiber = yield* Effect.forkChild(Effect.flip(client.charge({ id: "a" })))
      yield* TestClock.adjust(39)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.deepInclude(yield* Fiber.join(fiber), { reason: "TIMEOUT" })
    }).pipe(Effect.scoped, Effect.provide(shop(raw.hangs)))
  )

  it.effect("has one value under several names where rows share a policy value", () =>
    Effect.gen(function* () {
      const { settings, told } = yield* living
      const names = ["shop/show/shared.permits", "shop/peek/shared.permits"] as const
      assert.deepEqual(settings.get(names[0])?.sharedWith, [names[1]])
      const [change] = yield* settings.set(names[1], 3, alice)
      assert.sameMembers([...(change?.names ?? [])], [...names])
      assert.strictEqual(value(settings, names[0]), 3)
      assert.strictEqual(told().length, 1)
      // The other name clears it.
      yield* settings.clear(names[0], alice)
      assert.strictEqual(value(settings, names[1]), 8)
      const refused = yield* Effect.flip(settings.change({ [names[0]]: 4, [names[1]]: 5 }, alice))
      assert.include(refused.message, "are one value")
    }).pipe(Effect.scoped, Effect.provide(shop()))
  )

  it.effect("does nothing where the value is the same", () =>
    Effect.gen(function* () {
      const { settings, told } = yield* living
      yield* settings.set(timeout, 100, alice)
      assert.deepEqual(yield* settings.set(timeout, 100, { by: "bob" }), [])
      assert.deepEqual(yield* settings.clear("shop/show/timeout.limitMillis", alice), [])
      assert.strictEqual(settings.audit().length, 1)
      assert.strictEqual(told().length, 1)
      assert.strictEqual(settings.get(timeout)?.by, "alice")
    }).pipe(Effect.scoped, Effect.provide(shop()))
  )

  it.effect("refuses an unknown name with the nearest, and a malformed value with what it must be", () =>
    Effect.gen(function* () {
      const { settings } = yield* living
      const unknown = yield* Effect.flip(settings.set("shop/charge/timeout.limit", 100, alice))
      assert.strictEqual(unknown.reason, "unknown-name")
      assert.include(unknown.message, `there is no setting 'shop/charge/timeout.limit'; did you mean ${timeout}`)
      const sentences: ReadonlyArray<readonly [unknown, string]> = [
        [
          "soon",
          `${timeout} must be a finite duration above zero, in milliseconds or as a string such as "250 millis", but is "soon"`
        ],
        ["250", 'but is "250"'],
        [-1, "but is -1"],
        [null, "but is null"],
        [{ millis: 4 }, 'but is {"millis":4}'],
        ["Infinity", 'but is "Infinity"'],
        [Number.NaN, "but is null"]
      ]
      for (const [given, sentence] of sentences) {
        const refused = yield* Effect.flip(settings.set(timeout, given, alice))
        assert.strictEqual(refused.reason, "malformed")
        assert.include(refused.message, sentence)
      }
      assert.deepEqual(settings.audit(), [])
      yield* settings.set(timeout, "0.2 seconds", alice)
      assert.strictEqual(value(settings, timeout), 200)
    }).pipe(Effect.scoped, Effect.provide(shop()))
  )

  it.effect("looks for near names only for the first unknown ones of many", () =>
    Effect.gen(function* () {
      const { settings } = yield* living
      const many = Object.fromEntries(Array.from({ length: 500 }, (_, nth) => [`${timeout}${nth}`, 100]))
      const hinted = (problems: ReadonlyArray<string>) => problems.filter((of) => of.includes("did you mean"))
      const { problems } = yield* Effect.flip(settings.change(many, alice))
      assert.strictEqual(problems.length, 500)
      assert.strictEqual(hinted(problems).length, 20)
      yield* settings.load("file", many, "f")
      const reported = settings.problems().map(({ problem }) => problem)
      assert.strictEqual(reported.length, 500)
      assert.strictEqual(hinted(reported).length, 20)
      assert.strictEqual(reported.at(-1), `there is no setting '${timeout}499'`)
    }).pipe(Effect.scoped, Effect.provide(shop()))
  )

  it.effect("refuses what the layer would refuse: the policy's own rule, the stack's, the budget's", () =>
    Effect.gen(function* () {
      const { settings, told } = yield* living
      const refused = (changes: Record<string, unknown>) => Effect.flip(settings.change(changes, alice))
      const own = yield* refused({ "shop/charge/circuitBreaker.slowRate": 0.5 })
      assert.deepEqual([own.reason, own.problems.length], ["does-not-fit", 1])
      assert.include(own.message, "shop/charge: circuitBreaker.slowRate (0.5) has no meaning without slowMillis")
      assert.include(
        (yield* refused({ [timeout]: 1000 })).message,
        "must be shorter than deadline.limitMillis (1000 ms)"
      )
      assert.include(
        (yield* refused({ "shop/charge/deadline.limitMillis": 2500, [timeout]: 1200 })).message,
        "longer than the contract's info.budget (2000 ms)"
      )
      // A knob that is shared is judged in every row that has it.
      const both = yield* refused({ "shop/show/shared.waitMaxMillis": 1500 })
      assert.include(both.message, "shop/show: ")
      assert.include(both.message, "shop/peek: ")
      assert.deepEqual([settings.audit().length, told().length], [0, 0])
    }).pipe(Effect.scoped, Effect.provide(shop()))
  )

  it.effect("changes a group as one: values that fit together only, and all or none", () =>
    Effect.gen(function* () {
      const { settings } = yield* living
      const deadline = "shop/charge/deadline.limitMillis"
      assert.isTrue((yield* Effect.exit(settings.set(deadline, 200, alice)))._tag === "Failure")
      yield* settings.change({ [deadline]: 200, [timeout]: 50 }, alice)
      assert.deepEqual([value(settings, deadline), value(settings, timeout)], [200, 50])
      assert.isTrue(
        (yield* Effect.exit(settings.change({ [timeout]: 60, "shop/charge/retry.times": -1 }, alice)))._tag ===
          "Failure"
      )
      assert.deepEqual([value(settings, timeout), settings.audit().length], [50, 2])
    }).pipe(Effect.scoped, Effect.provide(shop()))
  )

  it.effect("gives a policy its whole group at once, with one notice", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const watched = Policy.fromInstance({
        kind: "watched",
        marks: ["unbounded"],
        knobs: { a: Knob.count(1), b: Knob.count(1) },
        make: (values) =>
          Effect.succeed({
            form: { _tag: "Wrap", bind: () => (call) => call },
            state: () => ({}),
            changed: () => seen.push(`${values.a} ${values.b}`)
          })
      })
      const row = { downstream: "d", method: "m", bus: yield* Signal.make }
      const settings = yield* Settings.make
      const built = yield* Policy.build(watched, row)
      yield* settings.register([{ row, policy: watched, budgetMillis: 1000, parts: built.parts }])
      yield* settings.change({ "d/m/watched.a": 2, "d/m/watched.b": 3 }, alice)
      yield* settings.change({ "d/m/watched.a": 2, "d/m/watched.b": 3 }, alice)
      assert.deepEqual(seen, ["2 3"])
    }).pipe(Effect.scoped)
  )

  it.effect("returns to the next lower source when a value expires, without anybody asking", () =>
    Effect.gen(function* () {
      const { settings, told } = yield* living
      yield* settings.load("file", { [timeout]: 200 }, "settings.json")
      yield* settings.set(timeout, 100, { ...alice, expiresAfter: "1 minute" })
      yield* settings.set("shop/charge/retry.times", 0, { ...alice, expiresAfter: "30 seconds" })
      assert.deepInclude(settings.get(timeout), { value: 100, expiresAt: 60_000 })
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(value(settings, "shop/charge/retry.times"), 1)
      assert.strictEqual(value(settings, timeout), 100)
      yield* TestClock.adjust("1 second")
      assert.deepInclude(settings.get(timeout), { value: 200, origin: "file", by: "settings.json", since: 60_000 })
      assert.deepInclude(settings.audit()[0], { by: "expiry", from: 100, to: 200, origin: "file" })
      assert.strictEqual(told().length, 5)
    }).pipe(Effect.scoped, Effect.provide(shop()))
  )

  it.effect("refuses a change whose end would not fit, and an expiry out of bounds", () =>
    Effect.gen(function* () {
      const { settings } = yield* living
      const deadline = "shop/charge/deadline.limitMillis"
      yield* settings.set(deadline, 2000, { ...alice, expiresAfter: "1 minute" })
      const refused = yield* Effect.flip(settings.set(timeout, 700, alice))
      assert.include(refused.message, "once a value expires, in 60000 ms")
      yield* settings.set(timeout, 700, { ...alice, expiresAfter: "30 seconds" })
      for (const expiresAfter of ["0 millis", "8 days"] as const) {
        assert.include((yield* Effect.flip(settings.set(timeout, 99, { ...alice, expiresAfter }))).message, "7 days")
      }
      yield* TestClock.adjust("1 minute")
      assert.deepEqual([value(settings, deadline), value(settings, timeout)], [1000, 250])
    }).pipe(Effect.scoped, Effect.provide(shop()))
  )

  it.effect("keeps the order of sources: code, file, environment, flag, admin", () =>
    Effect.gen(function* () {
      const { settings } = yield* living
      const seen: Array<unknown> = []
      const look = () => seen.push(`${settings.get(timeout)?.origin} ${value(settings, timeout)}`)
      yield* settings.set(timeout, 104, alice)
      look()
      yield* settings.load("file", { [timeout]: 101 }, "f")
      yield* settings.load("environment", { [timeout]: "102" }, "e")
      yield* settings.set(timeout, 103, { by: "flags", source: "flag" })
      look()
      yield* settings.clear(timeout, alice)
      look()
      yield* settings.load("flag", {}, "flags")
      look()
      yield* settings.load("environment", {}, "e")
      look()
      yield* settings.load("file", {}, "f")
      look()
      assert.deepEqual(seen, ["admin 104", "admin 104", "flag 103", "environment 102", "file 101", "code 250"])
    }).pipe(Effect.scoped, Effect.provide(shop()))
  )

  it.effect("applies what was said before the ring was built, and reports what nobody knows", () =>
    Effect.gen(function* () {
      const settings = yield* Settings.Registry
      yield* settings.load(
        "file",
        { [timeout]: "120 millis", "shop/charge/timeout.limt": 5, "shop/show/shared.permits": 0 },
        "f"
      )
      yield* Effect.gen(function* () {
        yield* Shop
        assert.deepInclude(settings.get(timeout), { value: 120, origin: "file", by: "f" })
        const problems = settings.problems().map(({ name, problem }) => `${name}: ${problem}`)
        assert.strictEqual(problems.length, 2)
        assert.include(problems[0], "did you mean shop/charge/timeout.limitMillis")
        assert.include(problems[1], "shop/show/shared.permits must be a whole number of at least 1, but is 0")
        assert.strictEqual(value(settings, "shop/show/shared.permits"), 8)
      }).pipe(Effect.provide(ring(raw.answers)))
    }).pipe(Effect.scoped, Effect.provide(Settings.layer))
  )

  it.effect("applies values of one stack together or not at all, and others nevertheless", () =>
    Effect.gen(function* () {
      const { settings } = yield* living
      const problems = yield* settings.load(
        "file",
        {
          "shop/charge/deadline.limitMillis": 200,
          [timeout]: 190,
          "shop/show/timeout.limitMillis": 77,
          "shop/nowhere/timeout.limitMillis": 1
        },
        "f"
      )
      assert.sameMembers(
        problems.map(({ name }) => name),
        ["shop/charge/deadline.limitMillis", timeout, "shop/nowhere/timeout.limitMillis"]
      )
      assert.deepEqual([value(settings, timeout), value(settings, "shop/show/timeout.limitMillis")], [250, 77])
      // The very same file, once it fits.
      yield* settings.load("file", { "shop/charge/deadline.limitMillis": 200, [timeout]: 50 }, "f")
      assert.deepEqual([value(settings, timeout), value(settings, "shop/show/timeout.limitMillis")], [50, 300])
      assert.deepEqual(settings.problems(), [])
    }).pipe(Effect.scoped, Effect.provide(shop()))
  )

  it.effect("begins with the values in the code where what was said before does not fit the ring", () =>
    Effect.gen(function* () {
      const settings = yield* Settings.Registry
      yield* settings.load("file", { [timeout]: 990 }, "f")
      const row = { downstream: "shop", method: "charge", bus: yield* Signal.make }
      const built = yield* Policy.build(charge, row)
      yield* settings.register([{ row, policy: charge, budgetMillis: 2000, parts: built.parts }])
      assert.deepInclude(settings.get(timeout), { value: 250, origin: "code" })
      assert.include(settings.problems()[0]?.problem, "is not in force: shop/charge: ")
    }).pipe(Effect.scoped, Effect.provide(Settings.layer))
  )

  it.effect("forgets the names of a ring that is gone, and gives a second ring names of its own", () =>
    Effect.gen(function* () {
      const settings = yield* Settings.make
      const row = { downstream: "shop", method: "charge", bus: yield* Signal.make }
      const register = Effect.gen(function* () {
        const policy = makeCharge()
        const built = yield* Policy.build(policy, row)
        return yield* settings.register([{ row, policy, budgetMillis: 2000, parts: built.parts }])
      })
      yield* Effect.scoped(
        Effect.gen(function* () {
          assert.deepEqual([yield* register, yield* register], ["shop", "shop#2"])
          yield* settings.set(`shop#2/charge/timeout.limitMillis`, 99, alice)
          assert.strictEqual(value(settings, timeout), 250)
          yield* settings.set(timeout, 98, alice)
        })
      )
      assert.deepEqual(settings.list(), [])
      // What was set by hand waits for the next ring of the name.
      yield* register
      assert.strictEqual(value(settings, timeout), 98)
    }).pipe(Effect.scoped)
  )

  it.effect("opens and closes a breaker by hand, and keeps who did it", () =>
    Effect.gen(function* () {
      const { client, settings } = yield* living
      const breaker = "shop/charge/circuitBreaker"
      yield* settings.operate(breaker, "open", { by: "alice", reason: "maintenance" })
      assert.deepInclude(yield* Effect.flip(client.charge({ id: "a" })), { reason: "CIRCUIT_OPEN" })
      yield* settings.operate(breaker, "close", alice)
      assert.strictEqual(yield* client.charge({ id: "a" }), 7)
      assert.deepInclude(settings.audit()[1], { names: [breaker], from: "closed", to: "open", reason: "maintenance" })
      for (const [policy, action] of [
        [breaker, "explode"],
        ["shop/charge/timeout", "open"],
        ["nothing", "open"]
      ] as const) {
        assert.include(
          (yield* Effect.flip(settings.operate(policy, action, alice))).message,
          policy === breaker ? "it has open, close" : breaker
        )
      }
    }).pipe(Effect.scoped, Effect.provide(shop()))
  )

  it.effect("says without a layer that it has none", () =>
    Effect.gen(function* () {
      const settings = yield* Settings.Registry
      assert.include((yield* Effect.flip(settings.set(timeout, 1, alice))).message, "provide Settings.layer")
      assert.deepEqual(settings.list(), [])
    })
  )
})
