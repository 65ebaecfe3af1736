import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { FrontDoor } from "../src/internal/frontDoor.ts"
import { started } from "./fullServer.ts"

describe("a request that is shed on its socket", () => {
  it.live("gets the same problem, and nothing of Effect's is made for it", () =>
    Effect.gen(function* () {
      const { ask, fill, seen, signals } = yield* started()
      assert.strictEqual((yield* ask("GET", "/page")).status, 200)
      yield* fill
      const passed = seen.passed
      const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
      const shed = yield* ask("GET", "/page?secret=1", { traceparent })
      assert.strictEqual(shed.status, 503)
      assert.strictEqual(shed.headers["content-type"], "application/problem+json")
      assert.isAtLeast(Number(shed.headers["retry-after"]), 1)
      const body = JSON.parse(shed.text)
      assert.deepInclude(body, {
        type: "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
        reason: "LOAD_SHED",
        retryable: true,
        instance: "/page",
        traceId: "4bf92f3577b34da6a3ce929d0e0e4736"
      })
      assert.deepInclude(body.refusal.state, { priority: "default", cause: "concurrency", running: 1, limit: 1 })
      assert.deepEqual(
        signals.flatMap((of) => (of._tag === "RequestShed" ? [[of.method, of.priority, of.reason]] : [])),
        [["other", "default", "concurrency"]]
      )
      assert.strictEqual(seen.passed, passed)
      assert.strictEqual((yield* ask("GET", "/health")).status, 200, "health is exempt")
    })
  )

  it.live("leaves its connection as it was, with a body that nobody has read, or as HEAD", () =>
    Effect.gen(function* () {
      const { ask, fill, open, seen } = yield* started()
      yield* fill
      const large = "x".repeat(200_000)
      const first = yield* ask("POST", "/page", {}, large)
      const second = yield* ask("POST", "/page", {}, large)
      const head = yield* ask("HEAD", "/page")
      assert.deepEqual([first.status, second.status, head.status, head.text], [503, 503, 503, ""])
      yield* open
      let taken = yield* ask("POST", "/page", {}, large)
      for (let tries = 0; tries < 100 && taken.status === 503; tries++) taken = yield* ask("POST", "/page", {}, large)
      assert.deepEqual([taken.status, seen.bodies], [200, 200_000])
      assert.strictEqual(first.socket, taken.socket, "all on one connection")
    })
  )

  it.live("is not read to the end where its body is large or of an unknown length", () =>
    Effect.gen(function* () {
      const { fill, seen, upload } = yield* started()
      yield* fill
      for (const framing of ["content-length: 67108864", "transfer-encoding: chunked"]) {
        const passed = seen.passed
        const { answer, closed, taken } = yield* upload(framing)
        assert.match(answer, /^HTTP\/1.1 503 /)
        assert.include(answer, "LOAD_SHED")
        assert.isTrue(closed, `${framing}: the connection ends`)
        // What the kernel's buffers of both sides hold was never read by the server.
        assert.isBelow(taken, 32 << 20, framing)
        assert.strictEqual(seen.passed, passed + 1, "it is shed where its body is looked after")
      }
      assert.strictEqual(seen.bodies, 0)
    })
  )

  it.live("keeps its answer while the service drains, though its body still arrives", () =>
    Effect.gen(function* () {
      const { drain, fill, trickle } = yield* started()
      yield* fill
      drain.begin()
      assert.match(yield* trickle, /^HTTP\/1.1 503 /)
    })
  )

  it.live("may step back by itself; whether it may come forward is asked of who is trusted to say so", () =>
    Effect.gen(function* () {
      const { ask, fill, signals } = yield* started({
        limitMax: 10,
        trusts: ({ headers }) => headers["x-mesh"] === "1"
      })
      yield* fill
      assert.strictEqual((yield* ask("GET", "/page", { priority: "u=7" })).status, 200)
      assert.strictEqual((yield* ask("GET", "/page", { priority: "u=0", "x-mesh": "1" })).status, 200)
      assert.lengthOf(
        signals.filter((of) => of._tag === "RequestShed"),
        0
      )
      const full = yield* started({ trusts: ({ headers }) => headers["x-mesh"] === "1" })
      yield* full.fill
      const stated = yield* full.ask("GET", "/page", { priority: "u=0", "x-mesh": "1" })
      assert.strictEqual(JSON.parse(stated.text).refusal.state.priority, "critical")
      const claimed = yield* full.ask("GET", "/page", { priority: "u=0" })
      assert.strictEqual(JSON.parse(claimed.text).refusal.state.priority, "default")
      const humble = yield* full.ask("GET", "/page", { priority: "u=6" })
      assert.strictEqual(JSON.parse(humble.text).refusal.state.priority, "sheddable")
    })
  )

  it.live("closes its connection while the service drains", () =>
    Effect.gen(function* () {
      const { ask, drain, fill } = yield* started()
      yield* fill
      assert.notStrictEqual((yield* ask("GET", "/page")).headers["connection"], "close")
      drain.begin()
      assert.strictEqual((yield* ask("GET", "/page")).headers["connection"], "close")
    })
  )

  it.live("is not refused in the dark, nor once the shedder is off", () =>
    Effect.gen(function* () {
      const dark = yield* started({ mode: "dark" })
      yield* dark.fill
      assert.strictEqual((yield* dark.ask("GET", "/page")).status, 200)
      assert.deepEqual(
        dark.signals.flatMap((of) => (of._tag === "RequestShed" ? [of.dark] : [])),
        [true]
      )
      const off = yield* started({ mode: "off" })
      yield* off.fill
      assert.strictEqual((yield* off.ask("GET", "/page")).status, 200)
    })
  )
})

describe("the front door", () => {
  it("lets a request in whose porter throws, and forgets one that has left", () => {
    const door = new FrontDoor()
    const leave = door.add(() => {
      throw new Error("a bug")
    })
    // Nothing of the two is looked at.
    const [asked, answer] = [Object.create(null), { headersSent: false }]
    assert.isFalse(door.answers(asked, Object.assign(Object.create(null), answer)))
    const second = door.add(() => true)
    assert.isTrue(door.answers(asked, Object.assign(Object.create(null), answer)))
    second()
    leave()
    assert.isFalse(door.answers(asked, Object.assign(Object.create(null), answer)))
  })
})
