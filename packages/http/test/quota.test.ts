import { assert, describe, it } from "@effect/vitest"
import { Policy } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { networkOf } from "../src/internal/clientKey.ts"
import { quotaHeaders, quotaOf } from "../src/internal/quotaFields.ts"
import { parseList } from "../src/internal/structuredList.ts"
import { answer, Shop, serve, transports } from "./kit.ts"

const said = (ratelimit: string, policy?: string) =>
  quotaOf({ ratelimit, ...(policy === undefined ? {} : { "ratelimit-policy": policy }) }, 200, undefined)

describe("the quota fields", () => {
  it("are written as the draft has them, in whole seconds", () => {
    const standing = { limit: 100, remaining: 50, resetMillis: 29_001, windowMillis: 60_000 }
    assert.deepEqual(quotaHeaders([{ name: "burst", standing }]), {
      "ratelimit-policy": '"burst";q=100;w=60',
      ratelimit: '"burst";r=50;t=30'
    })
  })

  it("are read as they are written", () => {
    assert.deepEqual(said('"burst";r=50;t=30'), { remaining: 50, resetMillis: 30_000 })
    assert.deepEqual(said('"a b\\"c";t=0;r=0'), { remaining: 0, resetMillis: 0 })
  })

  it("of several limits the tightest holds", () => {
    assert.deepEqual(said('"burst";r=5;t=1, "day";r=3;t=3600'), { remaining: 3, resetMillis: 3_600_000 })
    assert.deepEqual(said('"burst";r=0;t=1,"day";r=0;t=3600'), { remaining: 0, resetMillis: 3_600_000 })
  })

  it("without a reset the window of the policy of that name is taken, or none", () => {
    assert.deepEqual(said('"burst";r=0', '"day";q=5;w=9, "burst";q=100;w=60'), { remaining: 0, resetMillis: 60_000 })
    assert.deepEqual(said('"burst";r=0'), { remaining: 0 })
  })

  it("a limit of something else than requests says nothing", () => {
    assert.isUndefined(said('"bytes";r=0;t=5', '"bytes";q=1000;qu="content-bytes";w=60'))
  })

  it("parameters that nobody knows are passed over", () => {
    assert.deepEqual(said('"burst";pk=:Y2xpZW50:;x=?1;y=a/b;z="s";d=@1659578233;f=1.5;r=1;t=2;s=%"f%c3%bc"'), {
      remaining: 1,
      resetMillis: 2000
    })
  })

  it.each([
    "",
    " ",
    "burst;r=1",
    '"burst"',
    '"burst";r',
    '"burst";r=?1',
    '"burst";r="1"',
    '"burst";r=-1;t=1',
    '"burst";r=1.5',
    '"burst";r=1e9',
    '"burst";r=99999999999999999999',
    '"burst";r=1;t=',
    '"burst";r=1,',
    '"burst";r=1;;t=1',
    '"burst;r=1',
    '"burst";R=1',
    '("burst";r=1)',
    '"burst";r=1 "other"',
    "NaN",
    "100;w=60",
    `"burst";r=1${";a=1".repeat(2000)}`
  ])("garbage says nothing: %s", (field) => {
    assert.isUndefined(said(field))
  })

  it("garbage in the policy does not spoil the other field", () => {
    assert.deepEqual(said('"burst";r=1;t=2', "nonsense,,"), { remaining: 1, resetMillis: 2000 })
  })

  it("Retry-After of a 429 wins, and says nothing of a quota on another status", () => {
    const headers = { ratelimit: '"burst";r=5;t=1' }
    assert.deepEqual(quotaOf(headers, 429, 7000), { remaining: 0, resetMillis: 7000 })
    assert.deepEqual(quotaOf(headers, 503, 7000), { remaining: 5, resetMillis: 1000 })
    assert.isUndefined(quotaOf({}, 503, 7000))
  })

  it("is read in a time that grows with its length and no faster", () => {
    assert.deepEqual(parseList(`"${"\\\\".repeat(2000)}`), [])
    assert.deepEqual(parseList(`"a"${";".repeat(4000)}`), [])
  })
})

describe("the network of an address", () => {
  it.each([
    ["10.1.2.3", "10.1.2.3"],
    ["::ffff:10.1.2.3", "10.1.2.3"],
    ["2001:db8:0:12:aaaa::1", "2001:db8:0:12::/64"],
    ["2001:0DB8::1", "2001:db8:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"]
  ])("%s is of %s", (address, network) => {
    assert.strictEqual(networkOf(address), network)
  })
})

describe.each(Object.entries(transports))("a ring with a rate limit over HTTP, by %s", (_, transport) => {
  const row = { policy: Policy.stack(Policy.deadline("1 second"), Policy.rateLimit({ permits: 1000 })) }

  /** How a second call ends after a first one that was answered so. */
  const second = Effect.fnUntraced(function* (status: number, headers: Record<string, string>) {
    const { url } = yield* serve(answer(status, status === 200 ? '{"stock":"7"}' : "{}", headers))
    const context = yield* Layer.build(Shop.layer({ get: row, put: row }).pipe(Layer.provide(transport(url))))
    const shop = yield* Effect.provide(Shop, context)
    yield* Effect.exit(shop.get({ id: "1" }))
    const exit = yield* Effect.exit(shop.get({ id: "1" }))
    return JSON.stringify(exit).includes("RATE_LIMITED") ? "refused" : "sent"
  })

  it.live("hears what any answer says is left, and the Retry-After of a 429", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* second(200, { ratelimit: '"day";r=0;t=60' }), "refused")
      assert.strictEqual(yield* second(404, { ratelimit: '"day";r=0;t=60' }), "refused")
      assert.strictEqual(yield* second(429, { "retry-after": "60" }), "refused")
      assert.strictEqual(yield* second(200, { ratelimit: '"day";r=10;t=60' }), "sent")
      assert.strictEqual(yield* second(503, { "retry-after": "60" }), "sent")
      assert.strictEqual(yield* second(200, { ratelimit: "garbage, r=0" }), "sent")
      assert.strictEqual(yield* second(429, { "retry-after": "soon" }), "sent")
    })
  )
})
