/** What Cache-Control and Age of a downstream say, read and obeyed. */

import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, describe, it } from "@effect/vitest"
import { Cache, Caller, Contract, Downstream, Policy, Transient } from "@failsoft/core"
import { Draw } from "@failsoft/core/testing"
import { HttpTransport } from "@failsoft/http"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { directivesOf, saidOf } from "../src/internal/cacheFields.ts"
import { answer, Gone, serve } from "./kit.ts"

const said = (control: string, age?: string) =>
  saidOf({ "cache-control": control, ...(age === undefined ? {} : { age }) })

const anybody = { keepFor: "anybody" } as const
const neverStale = { staleWhileRevalidateMaxMillis: 0, staleIfErrorMaxMillis: 0 }

describe("Cache-Control of an answer", () => {
  it("says nothing where it does not stand", () => {
    assert.isUndefined(saidOf({}))
    assert.isUndefined(saidOf({ age: "soon" }))
  })

  it.each([
    ["no-store", { keepFor: "nobody" }],
    ["private", { keepFor: "owner" }],
    ["private, no-store", { keepFor: "nobody" }],
    ["public, max-age=60", { ...anybody, freshMaxMillis: 60_000 }],
    ["MAX-AGE=60", { ...anybody, freshMaxMillis: 60_000 }],
    ['max-age="60"', { ...anybody, freshMaxMillis: 60_000 }],
    ["max-age=0060", { ...anybody, freshMaxMillis: 60_000 }],
    ["max-age=99999999999999999999", { ...anybody, freshMaxMillis: 2 ** 31 * 1000 }],
    ["no-cache", { ...anybody, freshMaxMillis: 0, ...neverStale }],
    ['no-cache="set-cookie", max-age=60', { ...anybody, freshMaxMillis: 0, ...neverStale }],
    ['private="x-user"', { keepFor: "owner" }],
    ["max-age=60, s-maxage=600", { ...anybody, freshMaxMillis: 600_000, ...neverStale }],
    ["max-age=60, must-revalidate", { ...anybody, freshMaxMillis: 60_000, ...neverStale }],
    ["proxy-revalidate", { ...anybody, ...neverStale }],
    ["must-revalidate, stale-if-error=60", { ...anybody, ...neverStale }],
    [
      "max-age=1, stale-while-revalidate=2, stale-if-error=3",
      { ...anybody, freshMaxMillis: 1000, staleWhileRevalidateMaxMillis: 2000, staleIfErrorMaxMillis: 3000 }
    ]
  ])("%s", (field, expected) => {
    assert.deepEqual(said(field), expected)
  })

  it.each([
    "",
    " ",
    ",,",
    "immutable",
    "no-transform, public",
    "x-max-age=1",
    'note="no-store, max-age=1"',
    '="no-store"'
  ])("says nothing of a limit: '%s'", (field) => {
    assert.deepEqual(said(field), anybody)
  })

  it.each([
    "max-age",
    "max-age=",
    "max-age=-1",
    "max-age=1.5",
    "max-age=1e3",
    "max-age=one",
    "max-age=+1",
    "max-age=60 s"
  ])("a lifetime that is no number counts as over: %s", (field) => {
    assert.deepEqual(said(field), { ...anybody, freshMaxMillis: 0 })
  })

  it.each([
    ["max-age=60, max-age=10, max-age=30", 10_000],
    ["max-age=60, max-age=often", 0],
    ["s-maxage=5, max-age=1, s-maxage=9", 5000]
  ])("of several the strictest holds: %s", (field, freshMaxMillis) => {
    assert.strictEqual(said(field)?.freshMaxMillis, freshMaxMillis)
  })

  it("of two readings the one that forbids more is taken", () => {
    assert.strictEqual(said('note="unended, no-store')?.keepFor, "nobody")
    assert.deepEqual(said("max-age=60; no-store"), { keepFor: "nobody", freshMaxMillis: 60_000 })
  })

  it("Age is the first number that stands there, or none", () => {
    assert.deepEqual(said("public", "30"), { ...anybody, ageMillis: 30_000 })
    assert.deepEqual(said("public", "30, 60"), { ...anybody, ageMillis: 30_000 })
    assert.deepEqual(saidOf({ age: " 5 " }), { ...anybody, ageMillis: 5000 })
    for (const age of ["-1", "0", "1.5", "old", "", '"3"']) assert.deepEqual(said("public", age), anybody, age)
  })

  it("is read in a time that grows with its length and no faster", () => {
    assert.strictEqual(directivesOf(`a="${'\\"'.repeat(50_000)}`).size, 1)
    assert.strictEqual(directivesOf('"a",'.repeat(50_000)).size, 1)
    assert.strictEqual(directivesOf(`a=${'"'.repeat(100_001)}`).size, 1)
  })
})

/** A directive, and what it means to a shared cache, by the words of the RFCs. */
interface Directive {
  readonly text: string
  readonly name: string
  readonly seconds: number
}

const directiveOf = (of: Draw.Choices): Directive => {
  const name = of.pick([
    "max-age",
    "max-age",
    "s-maxage",
    "stale-if-error",
    "stale-while-revalidate",
    "no-store",
    "no-cache",
    "private",
    "must-revalidate",
    "proxy-revalidate",
    "public",
    "unheard-of"
  ])
  const written = of.pick([name, name.toUpperCase(), ` ${name}`])
  if (!/age|stale/.test(name)) return { name, seconds: 0, text: `${written}${of.pick(["", "", '="a, b"'])}` }
  const seconds = of.between(0, 100)
  const [argument, means] = of.pick<readonly [string, number]>([
    [`=${seconds}`, seconds],
    [`=${seconds}`, seconds],
    [`="${seconds}"`, seconds],
    [`=-${seconds}`, 0],
    [`=${seconds}.5`, 0],
    ["", 0]
  ])
  return { name, seconds: means, text: `${written}${argument}${of.pick(["", " "])}` }
}

describe("the reading of Cache-Control", () => {
  it("means what the directives mean, over 5000 random fields", () => {
    for (let seed = 1; seed <= 5000; seed++) {
      const of = Draw.choices(seed)
      const all = Array.from({ length: of.between(0, 6) }, () => directiveOf(of))
      const has = (...names: ReadonlyArray<string>) => all.some(({ name }) => names.includes(name))
      const least = (name: string) => Math.min(...all.flatMap((of) => (of.name === name ? [of.seconds * 1000] : [])))
      const strict = has("no-cache", "must-revalidate", "proxy-revalidate", "s-maxage")
      const got = said(all.map(({ text }) => text).join(of.pick([",", ", "])))
      const where = `seed ${seed}: ${all.map(({ text }) => text).join()}`
      assert.strictEqual(got?.keepFor, has("no-store") ? "nobody" : has("private") ? "owner" : "anybody", where)
      const fresh = has("no-cache") ? 0 : has("s-maxage") ? least("s-maxage") : least("max-age")
      assert.strictEqual(got?.freshMaxMillis ?? Infinity, fresh, where)
      assert.strictEqual(
        got?.staleWhileRevalidateMaxMillis ?? Infinity,
        strict ? 0 : least("stale-while-revalidate"),
        where
      )
      assert.strictEqual(got?.staleIfErrorMaxMillis ?? Infinity, strict ? 0 : least("stale-if-error"), where)
    }
  })
})

const shape = {
  payload: Schema.Struct({ id: Schema.String }),
  success: Schema.Struct({ stock: Schema.FiniteFromString }),
  transient: Transient.Transient,
  permanent: Gone,
  idempotency: "safe",
  onOutage: "degrade-or-fail"
} as const

class Shelf extends Downstream.Service<Shelf>()(
  "@failsoft/http/test/Shelf",
  {
    all: Contract.method({ ...shape, scope: "public" }),
    mine: Contract.method({ ...shape, scope: "principal" })
  },
  {
    criticality: "optional",
    owner: "nobody",
    slo: { objective: 0.99, window: "30 days" },
    budget: "2 seconds",
    docs: "https://example.com"
  }
) {}

const byId = {
  method: "GET",
  path: ({ id }: { readonly id: string }) => HttpTransport.path`/${id}`,
  permanent: { 404: (_: unknown, { id }: { readonly id: string }) => new Gone({ id }) }
} as const

const options = (baseUrl: string) => ({ baseUrl, methods: { all: byId, mine: byId } })

const transports = {
  "Effect's client": (url: string) =>
    HttpTransport.layer(Shelf, options(url)).pipe(Layer.provide(NodeHttpClient.layerUndici)),
  "undici alone": (url: string) =>
    HttpTransport.layerUndici(Shelf, options(url)).pipe(Layer.provide(NodeHttpClient.layerDispatcher))
}

describe.each(Object.entries(transports))("a ring with a cache over HTTP, by %s", (_, transport) => {
  /** What two calls one after the other ask, and as of when the first is. */
  const twice = Effect.fnUntraced(function* (
    method: "all" | "mine",
    status: number,
    headers: Record<string, string | ReadonlyArray<string>>,
    obeyDownstream = true
  ) {
    let asked = 0
    const { url } = yield* serve((request, response) => {
      asked++
      response.setHeaders(new Map(Object.entries(headers)))
      answer(status, status === 200 ? '{"stock":"7"}' : "{}", {})(request, response)
    })
    const cache = Cache.make({
      fresh: "1 minute",
      negative: "1 minute",
      staleIfError: "1 minute",
      jitter: 0,
      entriesMax: 10,
      obeyDownstream
    })
    const row = { policy: Policy.deadline("1 second"), cache }
    const context = yield* Layer.build(Shelf.layer({ all: row, mine: row }).pipe(Layer.provide(transport(url))))
    const ask = Context.get(context, Shelf)
      [method]({ id: "1" })
      .pipe(Caller.as({ principal: "alice" }))
    const first = yield* Effect.exit(ask)
    yield* Effect.exit(ask)
    return { asked, asOf: first._tag === "Success" ? (first.value.asOf ?? 0) : 0 }
  })

  it.live("keeps an answer that says nothing, and none that must not be kept", () =>
    Effect.gen(function* () {
      const asked = (control: string, status = 200, obey = true) =>
        Effect.map(twice("all", status, { "cache-control": control }, obey), ({ asked }) => asked)
      assert.strictEqual((yield* twice("all", 200, {})).asked, 1)
      assert.strictEqual(yield* asked("max-age=60"), 1)
      assert.strictEqual(yield* asked("no-store"), 2)
      assert.strictEqual(yield* asked("no-cache"), 2)
      assert.strictEqual(yield* asked("max-age=0"), 2)
      assert.strictEqual(yield* asked("private"), 2)
      assert.strictEqual(yield* asked("max-age=60", 404), 1)
      assert.strictEqual(yield* asked("no-store", 404), 2)
      assert.strictEqual(yield* asked("no-store", 200, false), 1)
    })
  )

  it.live("keeps a private answer for its owner, and reads all lines of the field", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* twice("mine", 200, { "cache-control": "private" })).asked, 1)
      assert.strictEqual((yield* twice("mine", 200, { "cache-control": ["max-age=60", "no-store"] })).asked, 2)
    })
  )

  it.live("knows that an answer is older than its arrival", () =>
    Effect.gen(function* () {
      const before = Date.now()
      const { asOf, asked } = yield* twice("all", 200, { age: "30", "cache-control": "max-age=31" })
      assert.isAtLeast(asOf, before - 30_000)
      assert.isAtMost(asOf, Date.now() - 30_000)
      assert.strictEqual(asked, 1)
      assert.strictEqual((yield* twice("all", 200, { age: "30", "cache-control": "max-age=30" })).asked, 2)
    })
  )
})
