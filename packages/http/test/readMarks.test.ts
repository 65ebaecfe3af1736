/** A session that goes from one process to another, with what it was shown in a header. */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Cache, Contract, Downstream, Fallback, Policy, ReadMarks, Transient } from "@failsoft/core"
import { Caching, Edge, Problem } from "@failsoft/http"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as field from "../src/internal/readMarkField.ts"
import { privately, varying } from "../src/internal/sharedCaches.ts"

class Prices extends Downstream.Service<Prices>()(
  "@failsoft/http/test/Prices",
  {
    of: Contract.method({
      payload: Schema.Struct({ sku: Schema.String }),
      success: Schema.Int,
      transient: Transient.Transient,
      permanent: Schema.Never,
      idempotency: "safe",
      onOutage: "degrade-or-fail",
      scope: "public",
      reads: "monotonic"
    })
  },
  {
    criticality: "essential",
    owner: "nobody",
    slo: { objective: 0.99, window: "30 days" },
    budget: "1 second",
    docs: "https://example.com"
  }
) {}

const page = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  const prices = yield* Prices
  const { quality, value } = yield* Problem.orRaise(prices.of({ sku: request.url.slice(1) }))
  return HttpServerResponse.text(`${quality} ${value}`)
})

/** A page that others may keep, which says so itself or by what it declares, and one that depends on more. */
const kept = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  const prices = yield* Prices
  if (request.url.endsWith("declared")) yield* Caching.control({ maxAge: "1 minute", staleIfError: "1 day" })
  yield* Problem.orRaise(prices.of({ sku: "a" }))
  const response = HttpServerResponse.text("kept")
  return request.url.endsWith("declared")
    ? response
    : HttpServerResponse.setHeaders(response, {
        "cache-control": "public, s-maxage=600, max-age=60",
        vary: "Accept-Language"
      })
})

/** What the downstream says now; nothing while it is down. */
interface World {
  price: number | undefined
  /** How often it was asked, where somebody counts, and then each time takes a while. */
  asked?: number
}

const answered = (world: World, price: number) => {
  if (world.asked === undefined) return Effect.succeed(price)
  world.asked++
  return Effect.delay(Effect.succeed(price), "300 millis")
}

/** A process of its own: a ring with a memory, an edge, a server. */
const service = (world: World, options: Edge.Options = {}, cached = false) =>
  Effect.gen(function* () {
    const policy = Policy.deadline("1 second")
    const ring = (
      cached
        ? Prices.layer({
            of: { policy, cache: Cache.make({ fresh: "1 hour", staleIfError: "1 hour", entriesMax: 100 }) }
          })
        : Prices.layer({ of: { policy, fallback: Fallback.stale({ maxAge: "1 hour", entriesMax: 100 }) } })
    ).pipe(
      Layer.provide(
        Prices.transport({
          of: () =>
            Effect.suspend(() =>
              world.price === undefined
                ? Effect.fail(new Transient.Transient({ cause: "connection_refused", applied: "no" }))
                : answered(world, world.price)
            )
        })
      )
    )
    const context = yield* Layer.build(
      HttpRouter.serve(
        Layer.mergeAll(HttpRouter.add("GET", "/*", page), HttpRouter.add("GET", "/kept/*", kept), Edge.layer(options)),
        {
          disableListenLog: true,
          disableLogger: true
        }
      ).pipe(
        Layer.provideMerge(ring),
        Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
      )
    )
    const { address } = yield* Effect.provide(HttpServer.HttpServer, context)
    return `http://127.0.0.1:${"port" in address ? address.port : 0}`
  })

const ask = (url: string, mark: string | undefined, sku = "a") =>
  Effect.promise(async () => {
    const response = await fetch(`${url}/${sku}`, mark === undefined ? {} : { headers: { [field.name]: mark } })
    const text = await response.text()
    return { shown: response.ok ? text : response.status, mark: response.headers.get(field.name) }
  })

/** What caches are told of an answer. */
const told = (url: string, mark: string | undefined) =>
  Effect.promise(async () => {
    const { headers } = await fetch(url, mark === undefined ? {} : { headers: { [field.name]: mark } })
    return { control: headers.get("cache-control"), vary: headers.get("vary") }
  })

/** The clock has gone on. */
const later = Effect.sleep("5 millis")

describe("the header Session-Read-Mark", () => {
  it.live("keeps a session in one process from what is older than what another showed it", () =>
    Effect.gen(function* () {
      const world: World = { price: 1 }
      const first = yield* service(world)
      const second = yield* service(world)
      assert.strictEqual((yield* ask(first, undefined)).shown, "fresh 1")
      yield* later
      world.price = 2
      const { mark } = yield* ask(second, "new")
      assert.isString(mark)
      world.price = undefined
      assert.strictEqual((yield* ask(first, mark ?? "")).shown, 503)
      assert.strictEqual((yield* ask(second, mark ?? "")).shown, "stale 2")
      assert.strictEqual((yield* ask(first, "new")).shown, "stale 1")
      world.price = 3
      assert.strictEqual((yield* ask(first, mark ?? "")).shown, "fresh 3")
    })
  )

  it.live("goes on with each answer, an error too, and remembers other keys for as long as there is room", () =>
    Effect.gen(function* () {
      const world: World = { price: 1 }
      const url = yield* service(world, { readMarksMax: 2 })
      const one = (yield* ask(url, "new", "a")).mark ?? ""
      const two = (yield* ask(url, one, "b")).mark ?? ""
      assert.isTrue(two.startsWith(`${one}.`))
      world.price = undefined
      const failed = yield* ask(url, two, "c")
      assert.deepStrictEqual(failed, { shown: 503, mark: two })
      world.price = 1
      const three = (yield* ask(url, two, "c")).mark ?? ""
      assert.lengthOf(three.split("."), 2)
      assert.isTrue(three.startsWith(two.slice(one.length + 1)))
    })
  )

  it.live("is not there for a client that does not send it, nor where the edge has no room for it", () =>
    Effect.gen(function* () {
      const world: World = { price: 1 }
      assert.isNull((yield* ask(yield* service(world), undefined)).mark)
      assert.isNull((yield* ask(yield* service(world, { readMarksMax: 0 }), "new")).mark)
    })
  )

  it.live("can be forged into an answer of now and into an error, and into nothing for anybody else", () =>
    Effect.gen(function* () {
      const world: World = { price: 1 }
      const url = yield* service(world)
      const { mark } = yield* ask(url, "new")
      const forged = `${mark?.slice(0, 16)}zzzzzzzzz`
      yield* later
      assert.strictEqual((yield* ask(url, forged)).shown, "fresh 1")
      world.price = undefined
      assert.strictEqual((yield* ask(url, forged)).shown, 503)
      assert.strictEqual((yield* ask(url, mark ?? "")).shown, "stale 1")
      assert.strictEqual((yield* ask(url, undefined)).shown, "stale 1")
    })
  )

  it.live("is answered from a cache again where it is the client's own, and forged causes few loads at once", () =>
    Effect.gen(function* () {
      const world: World = { price: 1, asked: 0 }
      const url = yield* service(world, {}, true)
      const mark = (yield* ask(url, "new")).mark ?? ""
      assert.match(mark, /^[0-9a-f]{16}[0-9a-z]{8}-[0-9a-z]{1,3}$/)
      const many = (of: string) =>
        Effect.all(
          Array.from({ length: 20 }, () => ask(url, of)),
          { concurrency: "unbounded" }
        )
      yield* many(mark)
      assert.strictEqual(world.asked, 1)
      // Two at once and the one that waits for the second, where none of them comes before the others have gone.
      yield* many(`${mark.slice(0, 16)}zzzzzzzzz`)
      assert.isAtMost(world.asked ?? 0, 1 + 5)
    })
  )

  it.live("keeps an answer from the caches that many share, and its marks with it", () =>
    Effect.gen(function* () {
      const world: World = { price: 1 }
      const url = yield* service(world)
      assert.deepStrictEqual(yield* told(`${url}/kept/declared`, undefined), {
        control: "max-age=60, stale-if-error=86400",
        vary: null
      })
      const own = { control: "private, max-age=60, stale-if-error=86400", vary: field.name }
      assert.deepStrictEqual(yield* told(`${url}/kept/declared`, "new"), own)
      assert.deepStrictEqual(yield* told(`${url}/kept/itself`, undefined), {
        control: "public, s-maxage=600, max-age=60",
        vary: "Accept-Language"
      })
      assert.deepStrictEqual(yield* told(`${url}/kept/itself`, "new"), {
        control: "private, max-age=60",
        vary: `Accept-Language, ${field.name}`
      })
      // One that says nothing could be kept all the same, as one without a mark to tell.
      const bare = { control: "private", vary: field.name }
      assert.deepStrictEqual(yield* told(`${url}/a`, "new"), bare)
      world.price = undefined
      const failed = yield* ask(url, "new", "never seen")
      assert.deepStrictEqual(failed, { shown: 503, mark: null })
      assert.deepStrictEqual(yield* told(`${url}/never-seen`, "new"), bare)
      // An edge that does not read the field answers everybody alike.
      const without = yield* service({ price: 1 }, { readMarksMax: 0 })
      assert.deepStrictEqual(yield* told(`${without}/a`, "new"), { control: null, vary: null })
    })
  )

  it.live.each([-1, 101, 1.5])("has a bound that is a whole number: %d is none", (readMarksMax) =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(service({ price: 1 }, { readMarksMax }))
      assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", `readMarksMax is ${readMarksMax}`)
    })
  )
})

describe("the form of the field", () => {
  const digest = "0123456789abcdef"

  it("holds what was shown, in its order", () => {
    const marks = ReadMarks.carried([], 100)
    for (let nth = 0; nth < 100; nth++) {
      const cameAt = 1_764_253_830_000 + nth
      marks.raise(`key ${nth}`, { begunAt: nth % 2 === 0 ? cameAt - nth * 7 : undefined, cameAt })
    }
    const text = field.write(marks)
    assert.isAtMost(text.length, 2900)
    assert.deepStrictEqual(field.read(text), marks.entries())
  })

  it("keeps a time to come as it is: who is behind must not lower it", () => {
    const ahead = `${digest}zzzzzzzzz-1`
    assert.strictEqual(field.write(ReadMarks.carried(field.read(ahead), 1)), ahead)
    const text = `${digest}zzzzzzzzz`
    assert.strictEqual(field.write(ReadMarks.carried(field.read(text), 1)), text)
  })

  it.each([
    { begunAt: undefined, cameAt: 1e18 },
    { begunAt: 1e18, cameAt: 1e18 },
    { begunAt: -1e18, cameAt: 5 },
    { begunAt: -10, cameAt: -5 },
    { begunAt: 0.5, cameAt: 1.5 },
    { begunAt: 10, cameAt: 5 }
  ])("can be read back with all its marks, whatever times a step of the user's own stated: %o", (odd) => {
    const marks = ReadMarks.carried([], 10)
    marks.raise("before", { begunAt: 1000, cameAt: 1005 })
    marks.raise("odd", odd)
    marks.raise("after", { begunAt: 1000, cameAt: 1005 })
    const next = ReadMarks.carried(field.read(field.write(marks)), 10)
    assert.deepStrictEqual(next.of("before"), { begunAt: 1000, cameAt: 1005 })
    assert.deepStrictEqual(next.of("after"), { begunAt: 1000, cameAt: 1005 })
    // It may say less, never something earlier.
    assert.isAtLeast(next.of("odd")?.cameAt ?? 0, Math.min(odd.cameAt, 36 ** 9 - 1))
  })

  it.each([
    "",
    "new",
    ".",
    digest,
    `${digest}1.`,
    `${digest}1,${digest}1`,
    `${digest.toUpperCase()}1`,
    `${digest}0123456789`,
    `${digest}1-`,
    `${digest}1-0123456789`,
    `${digest}1-1-1`,
    `x${digest.slice(1)}1`
  ])("is nothing as a whole where it is anything else: %s", (text) => {
    assert.deepStrictEqual(field.read(text), [])
  })

  it("is not read where it is longer than a hundred marks can be", () => {
    const of = (marks: number) => Array.from({ length: marks }, () => `${digest}1`).join(".")
    assert.lengthOf(field.read(of(100)), 100)
    assert.deepStrictEqual(field.read(of(101)), [])
  })
})

describe("what shared caches are told", () => {
  it.each([
    [undefined, "private"],
    ["", "private"],
    ["max-age=60", "private, max-age=60"],
    ["public, max-age=60, S-MaxAge=5", "private, max-age=60"],
    ["private", "private"],
    ['private="a, public", no-cache="set-cookie, x", max-age=1', 'private, no-cache="set-cookie, x", max-age=1'],
    ["no-store", "no-store"],
    ["public, no-store", "no-store"],
    ["publicity=1", "private, publicity=1"]
  ])("Cache-Control %s becomes %s", (control, own) => assert.strictEqual(privately(control), own))

  it.each([
    [undefined, "x"],
    ["", "x"],
    ["Accept, Origin", "Accept, Origin, x"],
    ["Accept, X", "Accept, X"],
    ["*", "*"],
    ["Accept-X", "Accept-X, x"]
  ])("Vary %s becomes %s", (vary, both) => assert.strictEqual(varying(vary, "x"), both))
})
