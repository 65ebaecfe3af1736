import { assert, describe, it } from "@effect/vitest"
import { Attempt, Deadline } from "@failsoft/core"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Tracer from "effect/Tracer"
import { answer, type Behaviour, calls, callsByUndici, serve } from "./kit.ts"

const item = { id: "a b/c" }
const good = answer(200, '{"stock":"7"}')

describe.each([
  { by: "Effect's client", calls },
  { by: "undici", calls: callsByUndici }
])("a transport over HTTP, by $by", ({ calls }) => {
  /** How a call of `get` ends against a server that behaves so. */
  const ending = (behaviour: Behaviour, options?: { readonly responseMaxBytes?: number }) =>
    Effect.gen(function* () {
      const { url } = yield* serve(behaviour)
      const shop = yield* calls(url, options)
      return yield* Effect.result(shop.get(item))
    })

  const failure = (behaviour: Behaviour, options?: { readonly responseMaxBytes?: number }) =>
    Effect.map(ending(behaviour, options), (result) => {
      assert(result._tag === "Failure", "the call fails")
      return result.failure
    })

  it.live("encodes the request and decodes the answer by the contract's schemas", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const { url } = yield* serve((request, response) => {
        let body = ""
        request.on("data", (chunk) => {
          body += chunk
        })
        request.on("end", () => {
          seen.push(`${request.method} ${request.url} ${request.headers["idempotency-key"] ?? "-"} ${body}`)
          good(request, response)
        })
      })
      const shop = yield* calls(url)
      assert.deepEqual(yield* shop.get(item), { stock: 7 })
      yield* shop.put({ id: 'say "a"', at: DateTime.makeUnsafe(0) })
      assert.deepEqual(seen, [
        "GET /items/a%20b%2Fc?id=a+b%2Fc - ",
        'POST /items "say \\"a\\"" {"id":"say \\"a\\"","at":"1970-01-01T00:00:00.000Z"}'
      ])
    })
  )

  it.live("takes the passing statuses for transient, with what they say about being applied", () =>
    Effect.gen(function* () {
      const expected = [
        [408, "no"],
        [429, "no"],
        [502, "unknown"],
        [503, "no"],
        [504, "unknown"]
      ] as const
      for (const [status, applied] of expected) {
        const seen = yield* failure(answer(status, ""))
        assert(seen._tag === "Transient")
        assert.deepEqual([seen.status, seen.applied], [status, applied])
      }
    })
  )

  it.live("reads what a failing downstream says about asking again", () =>
    Effect.gen(function* () {
      const type = (name: string) => JSON.stringify({ type: `https://iana.org/assignments/http-problem-types#${name}` })
      const cases: ReadonlyArray<
        readonly [status: number, body: string, headers: Record<string, string>, says: string, after?: number]
      > = [
        [503, "", {}, "nothing"],
        [503, '{"retryable":true}', { "retry-after": "2" }, "nothing", 2000],
        [503, '{"retryable":false}', {}, "do-not-retry"],
        [503, '{"retryable":"no"}', {}, "nothing"],
        [503, type("temporary-reduced-capacity"), { "retry-after": "1" }, "overloaded", 1000],
        [429, type("quota-exceeded"), {}, "overloaded"],
        [429, type("abnormal-usage-detected"), {}, "do-not-retry"],
        [503, "", { "x-envoy-overloaded": "true" }, "overloaded"],
        [429, "", { "x-envoy-ratelimited": "true" }, "overloaded"],
        [503, "", { "grpc-retry-pushback-ms": "250" }, "nothing", 250],
        [503, "", { "grpc-retry-pushback-ms": "250", "retry-after": "3" }, "nothing", 3000],
        [503, "", { "grpc-retry-pushback-ms": "-1" }, "do-not-retry"],
        [503, "", { "grpc-retry-pushback-ms": "later" }, "do-not-retry"],
        [503, '{"retryable":false}', { "x-envoy-overloaded": "true" }, "do-not-retry"]
      ]
      for (const [status, body, headers, says, after] of cases) {
        const seen = yield* failure(answer(status, body, headers))
        assert(seen._tag === "Transient")
        const { pushback = "nothing", retryAfterMillis } = seen
        assert.deepEqual([pushback, retryAfterMillis], [says, after], `${body} ${JSON.stringify(headers)}`)
      }
    })
  )

  it.live("takes a listed status for the permanent error, and any other for a contract violation", () =>
    Effect.gen(function* () {
      assert.deepInclude(yield* failure(answer(404, "{}")), { _tag: "Gone", id: item.id })
      assert.deepInclude(yield* failure(answer(404, "")), { _tag: "ContractViolation", status: 404 })
      for (const status of [301, 400, 418, 500, 501]) {
        assert.deepInclude(yield* failure(answer(status, "secret")), { _tag: "ContractViolation", status })
      }
    })
  )

  it.live("never lets a body through that does not match, nor tells what it held", () =>
    Effect.gen(function* () {
      for (const text of ['{"stock":"many, and secret"}', "{", "", "null", '"secret"']) {
        const violation = yield* failure(answer(200, text))
        assert.deepInclude(violation, { _tag: "ContractViolation", status: 200 })
        assert.notInclude(JSON.stringify(violation), "secret")
      }
    })
  )

  it.live("reads Retry-After in seconds and as a date, and ignores what is malformed", () =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const after = (value: string) =>
        Effect.map(failure(answer(503, "", { "retry-after": value })), (of) => Object(of).retryAfterMillis)
      assert.strictEqual(yield* after("120"), 120_000)
      assert.approximately(yield* after(new Date(now + 60_000).toUTCString()), 60_000, 2000)
      assert.strictEqual(yield* after("Mon, 01 Jan 2001 00:00:00 GMT"), 0)
      for (const malformed of ["soon", "-1", "1.5", "99999999999999999999"]) {
        assert.isUndefined(yield* after(malformed), malformed)
      }
    })
  )

  it.live("knows a refused connection, which cannot have been applied, from a reset one, which may have been", () =>
    Effect.gen(function* () {
      const { url, close } = yield* serve(good)
      const shop = yield* calls(url)
      close()
      assert.deepInclude(yield* Effect.flip(shop.get(item)), { cause: "connection_refused", applied: "no" })
      const reset: Behaviour = (request) => void request.socket.resetAndDestroy()
      assert.deepInclude(yield* failure(reset), { cause: "connection_terminated", applied: "unknown" })
      const truncated: Behaviour = (_, response) => {
        response.writeHead(200, { "content-length": "100" })
        response.write('{"stock"', () => response.destroy())
      }
      assert.deepInclude(yield* failure(truncated), { cause: "connection_terminated", applied: "unknown" })
    })
  )

  it.live("abandons a body above its limit, declared or not", () =>
    Effect.gen(function* () {
      const limit = { responseMaxBytes: 1000 }
      const text = `{"stock":"${"1".repeat(2000)}"}`
      const tooLarge = (behaviour: Behaviour) =>
        Effect.map(failure(behaviour, limit), (seen) => {
          assert(seen._tag === "ContractViolation")
          assert.strictEqual(seen.detail, "shop/get: the body is larger than 1000 bytes")
        })
      yield* tooLarge(answer(200, text, { "content-length": String(text.length) }))
      const busy = yield* failure(answer(503, text, { "retry-after": "7" }), limit)
      assert.deepInclude(busy, { _tag: "Transient", status: 503, retryAfterMillis: 7000 })
      let closed = false
      const endless: Behaviour = (_, response) => {
        response.writeHead(200)
        const timer = setInterval(() => response.write("x".repeat(500)), 1)
        response.on("close", () => {
          closed = true
          clearInterval(timer)
        })
      }
      yield* tooLarge(endless)
      yield* Effect.repeat(Effect.sleep(5), { while: () => !closed, times: 400 })
      assert.isTrue(closed, "its socket is closed")
    })
  )

  it.live("closes the socket of an interrupted call", () =>
    Effect.gen(function* () {
      const arrived = yield* Deferred.make<void>()
      const closed = yield* Deferred.make<void>()
      const { url } = yield* serve((request) => {
        Deferred.doneUnsafe(arrived, Effect.void)
        request.socket.on("close", () => Deferred.doneUnsafe(closed, Effect.void))
      })
      const shop = yield* calls(url)
      const fiber = yield* Effect.forkChild(shop.get(item))
      yield* Deferred.await(arrived)
      yield* Fiber.interrupt(fiber)
      yield* Effect.timeout(Deferred.await(closed), "5 seconds")
    })
  )

  it.live("passes on the time that is left, and sends nothing when there is none", () =>
    Effect.gen(function* () {
      const seen: Array<string | undefined> = []
      const { url } = yield* serve((request, response) => {
        seen.push(request.headers["grpc-timeout"]?.toString())
        good(request, response)
      })
      const shop = yield* calls(url)
      const now = yield* Clock.currentTimeMillis
      const within = (millis: number) => Effect.provideService(shop.get(item), Deadline.Deadline, now + millis)
      yield* shop.get(item)
      yield* within(60_000)
      yield* within(1e15)
      const spent = yield* Effect.flip(within(-1))
      assert.deepInclude(spent, { _tag: "Refused", reason: "DEADLINE_EXCEEDED" })
      assert.lengthOf(seen, 3)
      assert.isUndefined(seen[0])
      assert.match(String(seen[1]), /^59\d{3}m$/)
      assert.strictEqual(seen[2], "99999999m")
    })
  )

  it.live("refuses unsent what no URL can hold, so a call never leaves its route", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const { url } = yield* serve((request, response) => {
        seen.push(request.url)
        good(request, response)
      })
      const shop = yield* calls(url)
      for (const id of [".", "..", "\ud800"]) {
        const refused = yield* Effect.flip(shop.get({ ...item, id }))
        assert.deepInclude(refused, { _tag: "Refused", reason: "UNSENDABLE_REQUEST" }, id)
      }
      assert.isEmpty(seen)
      yield* shop.get({ ...item, id: "../a" })
      assert.include(String(seen[0]), "..%2Fa")
    })
  )

  it.live("sends a trace, and a retry in the same one", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const { url } = yield* serve((request, response) => {
        seen.push(String(request.headers["traceparent"]).split("-")[1] ?? "")
        good(request, response)
      })
      const shop = yield* calls(url)
      const twice = Effect.andThen(shop.get(item), Effect.provideService(shop.get(item), Attempt.Attempt, 1))
      yield* Effect.withSpan(twice, "request")
      assert.match(String(seen[0]), /^[0-9a-f]{32}$/)
      assert.strictEqual(seen[0], seen[1])
    })
  )

  it.live("passes the trace of its caller on where it has no span of its own", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const { url } = yield* serve((request, response) => {
        seen.push(String(request.headers["traceparent"]).split("-")[1] ?? "")
        good(request, response)
      })
      const shop = yield* calls(url)
      const traceId = "0123456789abcdef0123456789abcdef"
      const parent = Tracer.externalSpan({ traceId, spanId: "0123456789abcdef", sampled: false })
      yield* Effect.withParentSpan(shop.get(item), parent)
      assert.deepEqual(seen, [traceId])
    })
  )

  it.live("refuses options that cannot work, naming the field", () =>
    Effect.gen(function* () {
      const wrong = (url: string, limit?: number) =>
        Effect.map(Effect.flip(calls(url, limit === undefined ? {} : { responseMaxBytes: limit })), String)
      assert.include(yield* wrong("shop:80"), "shop: baseUrl must be an http or https URL, but is 'shop:80'")
      assert.include(yield* wrong("http://shop", 0), "responseMaxBytes must be a whole number of at least 1, but is 0")
    })
  )
})
