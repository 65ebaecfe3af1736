/** Quotes of carriers over real HTTP: who answers is enough, and who does not is named. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { checkAlways } from "./always.ts"
import { ask, type Storefront, start, until } from "./storefront.ts"

describe("the quotes of carriers", () => {
  let shop: Storefront
  const quotes = (sku = "sku-1", country = "DE") => ask(`${shop.api}/shipping-quotes?sku=${sku}&country=${country}`)

  beforeAll(async () => {
    shop = await start()
    await until("the shop is warm", 30_000, async () => (await quotes()).headers.get("degradation") === null)
  })
  afterAll(() => shop?.stop())

  it("come from all of them, in their order", async () => {
    const seen = await quotes()
    checkAlways(seen)
    assert.deepInclude(seen.body, { unreachable: [], meta: { degraded: [] } })
    const all = Array.isArray(seen.body["quotes"]) ? seen.body["quotes"] : []
    assert.deepEqual(
      all.map((of) => of.carrier),
      ["dhl", "ups"]
    )
    assert.isAbove(all[0].price.amount, 0)
  })

  it.each([
    ["a sku that nobody has", "sku-0", "DE", 404, "UNKNOWN_SKU"],
    ["a country that is none", "sku-1", "Germany", 400, "MALFORMED"]
  ] as const)("answer %s with a problem", async (_, sku, country, status, reason) => {
    const seen = await quotes(sku, country)
    checkAlways(seen)
    assert.strictEqual(seen.status, status, JSON.stringify(seen.body))
    assert.include(String(seen.body["reason"]), reason)
  })

  it("are none, and nobody is unreachable, where no carrier goes", async () => {
    assert.deepInclude((await quotes("sku-1", "AQ")).body, { quotes: [], unreachable: [], meta: { degraded: [] } })
  })

  it("are a 503 to be asked for again where no carrier answers, and are back by themselves", async () => {
    await shop.setFault("shipping", { kind: "down", forMillis: 1500 })
    const seen = await quotes()
    checkAlways(seen)
    assert.strictEqual(seen.status, 503)
    assert.deepInclude(seen.body, { retryable: true, reason: "TRANSIENT_FAILURE" })
    await until("all carriers are back", 10_000, async () => (await quotes()).headers.get("degradation") === null)
  })
})
