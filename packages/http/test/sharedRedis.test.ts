/** Circuits and limits that processes share on a real Redis. */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Call, Policy, Signal, Transient } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import { binary, connection, freePort, start } from "./redisServer.ts"

const good = Call.answer("good")
const bad = Call.transient(new Transient.Transient({ cause: "connection_refused", applied: "no" }))

const circuits = (port: number) => CircuitBreaker.layerStoreRedis().pipe(Layer.provide(connection(port)))
const limits = (port: number) => RateLimiter.layerStoreRedis().pipe(Layer.provide(connection(port)))

/** Redis on a busy machine takes its time; the limit itself is tested in virtual time. */
const storeLimit = "2 seconds"

/** A policy as one process builds it. */
const living = Effect.fnUntraced(function* (policy: Policy.Policy) {
  const bus = yield* Signal.make
  const { intercept, parts } = yield* Policy.build(policy, { downstream: "bank", method: "pay", bus })
  return {
    state: () => parts[0]?.instance.state() ?? {},
    ask: (call: Call.Call<string, Transient.Transient>) =>
      Effect.match(intercept(call), {
        onFailure: ({ _tag }) => _tag,
        onSuccess: (result) => (result._tag === "Success" ? "answered" : result.failure.reason)
      })
  }
})

const breaker = (port: number, more: Partial<Policy.SharedCircuitBreakerOptions> = {}) =>
  Policy.sharedCircuitBreaker({
    circuit: "bank",
    store: circuits(port),
    minimumCalls: 4,
    openFor: "200 millis",
    storeLimit,
    ...more
  })

const run = promisify(execFile)
const other = fileURLToPath(new URL("./sharedBreakerProcess.ts", import.meta.url))

/** Asks until the answer is this one. */
const until = (ask: Effect.Effect<string>, answer: string) =>
  Effect.repeat(Effect.delay(ask, "20 millis"), { until: (of) => of === answer, times: 500 })

const title = binary === undefined ? "on Redis (skipped: no redis-server on the PATH)" : "on Redis"

describe.skipIf(binary === undefined)(title, () => {
  it.live("a circuit that another process opened is open here", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      yield* start(port)
      const here = yield* living(breaker(port))
      yield* Effect.promise(() => run(process.execPath, ["--conditions=@failsoft/source", other, String(port), "4"]))
      assert.strictEqual(yield* here.ask(good), "CIRCUIT_OPEN")
    })
  )

  it.live("two rings open one circuit together, and come back together", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      yield* start(port)
      const one = yield* living(breaker(port))
      const two = yield* living(breaker(port))
      for (const ring of [one, two, one, two]) assert.strictEqual(yield* ring.ask(bad), "Transient")
      assert.deepEqual([yield* one.ask(good), yield* two.ask(good)], ["CIRCUIT_OPEN", "CIRCUIT_OPEN"])
      assert.strictEqual(yield* until(two.ask(good), "answered"), "answered")
      assert.strictEqual(yield* one.ask(good), "answered")
    })
  )

  it.live("two rings share one limit", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      yield* start(port)
      const make = () =>
        living(Policy.sharedRateLimit({ limit: "maps", store: limits(port), permits: 3, window: "1 hour", storeLimit }))
      const [one, two] = [yield* make(), yield* make()]
      const ends = [
        yield* one.ask(good),
        yield* two.ask(good),
        yield* one.ask(good),
        yield* two.ask(good),
        yield* one.ask(good)
      ]
      assert.deepEqual(ends, ["answered", "answered", "answered", "RATE_LIMITED", "RATE_LIMITED"])
    })
  )

  it.live("goes on without a server that dies, and starts without one that comes later", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const early = yield* living(breaker(port))
      assert.strictEqual(yield* early.ask(good), "answered")
      assert.deepInclude(early.state(), { storeAway: true })
      const server = yield* start(port)
      yield* until(
        Effect.sync(() => String(early.state()["storeAway"])),
        "false"
      )
      for (let n = 0; n < 4; n++) yield* early.ask(bad)
      assert.strictEqual(yield* early.ask(good), "CIRCUIT_OPEN")
      yield* server.stop
      assert.strictEqual(yield* until(early.ask(good), "answered"), "answered")
      assert.deepInclude(early.state(), { storeAway: true })
    })
  )
})
