import { assert, describe, it } from "@effect/vitest"
import { type Fault, Player } from "@failsoft/core/testing/faults"
import { FaultProxy, FaultServer } from "@failsoft/http/testing"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import * as Tracer from "effect/Tracer"
import { callsByUndici, serve } from "./kit.ts"

type Tag = Fault.Decision["_tag"]

/** How a call over HTTP ends, as the word of what was decided about it. */
const endings: Readonly<Record<Tag, string>> = {
  Serve: "answered",
  Refuse: "destination_unavailable no",
  Hang: "connection_terminated unknown",
  Drip: "answered",
  Garble: "ContractViolation",
  Truncate: "connection_terminated unknown",
  ResetBefore: "connection_terminated unknown",
  FailAfter: "destination_unavailable unknown",
  ResetAfter: "connection_terminated unknown",
  // The connection of a call that had to be seen first.
  Unreachable: "connection_terminated unknown"
}

const applies: ReadonlySet<Tag> = new Set<Tag>(["Serve", "Drip", "Garble", "Truncate", "FailAfter", "ResetAfter"])

const wordOf = (error: unknown): string =>
  Predicate.hasProperty(error, "cause") && Predicate.hasProperty(error, "applied")
    ? `${String(error.cause)} ${String(error.applied)}`
    : Predicate.hasProperty(error, "_tag")
      ? String(error._tag)
      : String(error)

/** A shop that fails by a plan at a time that the test sets, and how calls of numbered requests end. */
const shop = Effect.gen(function* () {
  let now = 0
  let applied = 0
  const methodOf = (request: { readonly method?: string | undefined }) => (request.method === "GET" ? "get" : "put")
  const server = yield* FaultServer.make({
    downstream: "shop",
    methodOf,
    isAside: ({ url }) => url === "/aside",
    answer: () =>
      Effect.sync(() => {
        applied++
        return { status: 200, headers: { "content-type": "application/json" }, body: '{"stock":"7"}' }
      })
  })
  const calls = yield* callsByUndici(server.url)
  const call = (request: number, method: "get" | "put" = "get") => {
    const [, traceId = "", spanId = ""] = FaultServer.traceparent(request).split("-")
    const parent = Tracer.externalSpan({ traceId, spanId, sampled: true })
    return Effect.match(Effect.withSpan(calls[method]({ id: "a" }), "call", { parent }), {
      onSuccess: () => "answered",
      onFailure: wordOf
    })
  }
  return {
    server,
    call,
    applied: () => applied,
    at: (millis: number) => {
      now = millis
    },
    player: (faults: ReadonlyArray<Fault.PlannedFault>, seed = 1) =>
      Player.make({ faults }, { seed, elapsedMillis: () => now })
  }
})

/** Asks again until it ends so; a loaded machine may take its time. */
const until = (ending: string, call: Effect.Effect<string>) =>
  Effect.repeat(call, { until: (of) => of === ending, schedule: Schedule.spaced("10 millis") })

const always = { target: "shop", from: 0, until: 1000 } as const

describe("a server that fails by a plan", () => {
  it.live("does to each call what the simulator's player decides, by the number of its request", () =>
    Effect.gen(function* () {
      const { applied, at, call, player, server } = yield* shop
      const faults: ReadonlyArray<Fault.PlannedFault> = [
        { kind: "latency", millis: 1, jitter: 1, ...always },
        { kind: "transient", percent: 30, ...always },
        { kind: "resetBefore", target: ["shop/put", "other"], from: 0, until: 1000, first: 2 },
        { kind: "garbled", ...always, from: 200, until: 400 },
        { kind: "partial", ...always, from: 400, until: 500, recoverMillis: 200 },
        { kind: "resetAfter", ...always, target: "shop/get", from: 600, until: 700 },
        { kind: "failAfter", percent: 50, ...always, from: 660, until: 760 },
        { kind: "flap", upMillis: 20, downMillis: 20, ...always, from: 700, until: 800 },
        { kind: "hang", ...always, from: 800, until: 810, recoverMillis: 60 },
        { kind: "down", ...always, from: 880, until: 900, first: 2 },
        { kind: "capacity", concurrent: 1, ...always }
      ]
      const oracle = player(faults, 7)
      yield* server.play(player(faults, 7))
      const seen = new Set<Tag>()
      let due = 0
      for (let nth = 0; nth < 200; nth++) {
        at(nth * 5 + 1)
        const request = nth >> 1
        const method = nth % 3 === 0 ? "put" : "get"
        const { decision } = oracle.enter("shop", method, request)
        oracle.leave("shop")
        seen.add(decision._tag)
        if (applies.has(decision._tag)) due++
        // At 800 to 810 a hanging call would wait for real.
        if (decision._tag === "Hang" && nth * 5 + 1 < 810) at(811)
        assert.strictEqual(yield* call(request, method), endings[decision._tag], `call ${nth}: ${decision._tag}`)
        assert.strictEqual(applied(), due, `call ${nth}: ${decision._tag}`)
      }
      assert.deepEqual([...seen].sort(), [
        "FailAfter",
        "Garble",
        "Hang",
        "Refuse",
        "ResetAfter",
        "ResetBefore",
        "Serve",
        "Truncate",
        "Unreachable"
      ])
    })
  )

  it.live("refuses connections while it is down, and listens on the same port again", () =>
    Effect.gen(function* () {
      const { at, call, player, server } = yield* shop
      const { port } = server
      const down = { kind: "down", target: "shop", from: 30, until: 60 } as const
      yield* server.play(player([down]))
      assert.strictEqual(yield* call(1), "answered")
      at(40)
      yield* until("connection_refused no", call(2))
      at(60)
      yield* until("answered", call(3))
      // Done once the port is as the plan says.
      yield* server.play(player([{ ...down, from: 0, until: 60_000 }]))
      assert.strictEqual(yield* call(4), "connection_refused no")
      yield* server.play(undefined)
      assert.strictEqual(yield* call(5), "answered")
      assert.strictEqual(server.port, port)
    })
  )

  it.live("lets go who hangs, when the fault ends and when the plan is taken away", () =>
    Effect.gen(function* () {
      const { call, player, server } = yield* shop
      const hang = { kind: "hang", target: "shop", from: 0 } as const
      yield* server.play(player([{ ...hang, until: 60 }]))
      assert.strictEqual(yield* call(1), "connection_terminated unknown")
      yield* server.play(player([{ ...hang, until: 60_000 }]))
      const hanging = yield* Effect.forkChild(call(2))
      yield* Effect.sleep(50)
      assert.isUndefined(hanging.pollUnsafe())
      yield* server.play(undefined)
      assert.strictEqual(yield* Fiber.join(hanging), "connection_terminated unknown")
    })
  )

  it.live("gives a place back when its caller goes away", () =>
    Effect.gen(function* () {
      const { call, player, server } = yield* shop
      yield* server.play(
        player([
          { kind: "capacity", concurrent: 1, ...always },
          { kind: "hang", ...always, target: "shop/put" }
        ])
      )
      const hanging = yield* Effect.forkChild(call(1, "put"))
      yield* until("destination_unavailable no", call(2))
      yield* Fiber.interrupt(hanging)
      yield* until("answered", call(3))
    })
  )

  it.live("has so many workers and a queue, fewer of them and slower ones by the plan, and counts what they do", () =>
    Effect.gen(function* () {
      const gates: Array<Deferred.Deferred<void>> = []
      const server = yield* FaultServer.make({
        downstream: "shop",
        workers: { count: 2, queueMax: 1 },
        answer: () =>
          Effect.suspend(() => {
            const gate = Deferred.makeUnsafe<void>()
            gates.push(gate)
            return Effect.as(Deferred.await(gate), { status: 200 })
          })
      })
      const ask = Effect.forkChild(
        Effect.promise((signal) =>
          fetch(server.url, { signal }).then(
            ({ status }) => status,
            () => 0
          )
        )
      )
      const statusOf = (fiber: Fiber.Fiber<number>) => Fiber.join(fiber)
      const loaded = (busy: number, waiting: number) =>
        Effect.repeat(
          Effect.sync(() => server.load()),
          { until: (of) => of.busy === busy && of.waiting === waiting, schedule: Schedule.spaced("5 millis") }
        )
      const finish = Effect.suspend(() => {
        const gate = gates.shift()
        return gate === undefined ? Effect.die("nobody works") : Deferred.succeed(gate, undefined)
      })
      const one = yield* ask
      yield* loaded(1, 0)
      const two = yield* ask
      yield* loaded(2, 0)
      const three = yield* ask
      yield* loaded(2, 1)
      assert.strictEqual(yield* statusOf(yield* ask), 503)
      // Its caller goes away; the worker does not notice.
      yield* Fiber.interrupt(two)
      yield* finish
      assert.strictEqual(yield* statusOf(one), 200)
      yield* loaded(2, 0)
      // One worker less: who waits goes on waiting though another ends.
      yield* server.play(
        Player.make(
          { faults: [{ kind: "capacity", concurrent: 1, target: "shop", from: 0, until: 1000 }] },
          { seed: 1, elapsedMillis: () => 1 }
        )
      )
      const four = yield* ask
      yield* loaded(2, 1)
      yield* finish
      yield* loaded(1, 1)
      yield* finish
      assert.strictEqual(yield* statusOf(three), 200)
      yield* loaded(1, 0)
      yield* finish
      assert.strictEqual(yield* statusOf(four), 200)
      yield* loaded(0, 0)
      const { received, wastedMillis, workMillis } = server.done()
      assert.strictEqual(received, 5)
      assert.isAbove(wastedMillis, 0)
      assert.isAbove(workMillis, wastedMillis)
    })
  )

  it.live("works as slowly as the plan says, and its workers are busy all that time", () =>
    Effect.gen(function* () {
      const server = yield* FaultServer.make({
        downstream: "shop",
        workers: { count: 1, queueMax: 5 },
        answer: () => Effect.as(Effect.sleep(10), { status: 200 })
      })
      const asked = Effect.promise(() => fetch(server.url).then((response) => response.text()))
      yield* server.play(
        yield* Player.start({ faults: [{ kind: "slow", factor: 20, target: "shop", from: 0, until: 60_000 }] })
      )
      const [one, other] = yield* Effect.all([Effect.timed(asked), Effect.timed(asked)], { concurrency: "unbounded" })
      const millis = [one[0], other[0]].map(Duration.toMillis).sort((a, b) => a - b)
      // A timer may be early by a part of a millisecond, which counts twenty times here.
      assert.isAbove(millis[0] ?? 0, 170)
      assert.isAbove(millis[1] ?? 0, 340)
      assert.isAbove(server.done().workMillis, 340)
    })
  )

  it.live("lets its answer drip, a byte in 200 ms", () =>
    Effect.gen(function* () {
      const { player, server } = yield* shop
      yield* server.play(player([{ kind: "drip", ...always }]))
      const chunks = yield* Effect.promise(async () => {
        const { body } = await fetch(server.url)
        const reader = body?.getReader()
        const first = await reader?.read()
        const second = await reader?.read()
        await reader?.cancel()
        return [first?.value, second?.value].map((of) => new TextDecoder().decode(of))
      })
      assert.deepEqual(chunks, ["{", '"'])
    })
  )

  it.live("meets nothing that is aside, and says why it cannot listen", () =>
    Effect.gen(function* () {
      const { player, server } = yield* shop
      yield* server.play(player([{ kind: "hang", ...always }]))
      assert.strictEqual(yield* Effect.promise(() => fetch(`${server.url}/aside`).then(({ status }) => status)), 200)
      const error = yield* Effect.flip(
        FaultServer.make({ downstream: "twin", port: server.port, answer: () => Effect.succeed({ status: 200 }) })
      )
      assert.strictEqual(error.message, `twin cannot listen on port ${server.port} (EADDRINUSE)`)
    })
  )

  it("tells the number of a request by its trace", () => {
    for (const request of [0, 7, 2 ** 48 - 1]) {
      assert.strictEqual(FaultServer.requestOf({ traceparent: FaultServer.traceparent(request, 1e12) }), request)
    }
    assert.strictEqual(FaultServer.requestOf({}), -1)
    assert.strictEqual(FaultServer.requestOf({ traceparent: "00-zz-1-01" }), -1)
  })
})

describe("a proxy that fails by a plan", () => {
  const bank = Effect.gen(function* () {
    const charged: Array<string> = []
    const behind = yield* serve((request, response) => {
      let body = ""
      request.on("data", (chunk) => {
        body += chunk
      })
      request.on("end", () => {
        if (request.method === "POST") charged.push(`${request.headers["idempotency-key"]} ${body}`)
        response.writeHead(request.method === "POST" ? 201 : 200, { "x-bank": "yes" }).end(`${request.url}`)
      })
    })
    return { ...behind, charged }
  })
  const asked = (url: string, init?: RequestInit) =>
    Effect.promise(() =>
      fetch(url, init).then(
        async (response) => `${response.status} ${response.headers.get("x-bank")} ${await response.text()}`,
        () => "no answer"
      )
    )

  it.live("passes calls and answers on, and fails as its plan says until it is stopped", () =>
    Effect.gen(function* () {
      const { charged, url } = yield* bank
      const methods = { charge: { method: "POST", path: /^\/charges$/ } }
      const proxy = yield* FaultProxy.make({ payments: { target: `${url}/v1`, methods }, stock: { target: url } })
      const { payments, stock } = proxy.urls
      const charge = asked(`${payments}/charges`, {
        method: "POST",
        body: "7 EUR",
        headers: { "idempotency-key": "k" }
      })
      assert.strictEqual(yield* charge, "201 yes /v1/charges")
      assert.deepEqual(charged, ["k 7 EUR"])
      const target = ["payments/charge", "stock"] as const
      yield* proxy.play({ faults: [{ kind: "resetAfter", target, from: 0, until: 60_000, first: 2 }] })
      assert.strictEqual(yield* asked(`${payments}/charges/1?x=1`), "200 yes /v1/charges/1?x=1")
      // One fault with two targets counts both.
      assert.deepEqual(
        [yield* charge, yield* asked(stock), yield* charge, yield* asked(stock)],
        ["no answer", "no answer", "201 yes /v1/charges", "200 yes /"]
      )
      assert.lengthOf(charged, 3)
      yield* proxy.play({ faults: [{ kind: "down", target: "stock", from: 0, until: 60_000 }] })
      assert.strictEqual(yield* asked(stock), "no answer")
      yield* proxy.stop
      assert.strictEqual(yield* asked(stock), "200 yes /")
    })
  )

  it.live("cuts off where the downstream is not there, and refuses what it cannot play", () =>
    Effect.gen(function* () {
      const { close, url } = yield* bank
      const proxy = yield* FaultProxy.make({ stock: { target: url } })
      close()
      assert.strictEqual(yield* asked(proxy.urls.stock), "no answer")
      const misspelt = proxy.play({
        faults: [{ kind: "hang", target: ["stock", "stok", "stock/get"], from: 0, until: 1 }]
      })
      assert.match((yield* Effect.flip(misspelt)).message, /no proxy for stok, stock\/get; there are stock/)
      const malformed = yield* Effect.flip(FaultProxy.make({ stock: { target: "ftp://x" } }))
      assert.match(malformed.message, /stock: target must be an http or https URL/)
    })
  )
})
