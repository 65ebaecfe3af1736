/**
 * Two downstreams at once, over real HTTP: a sample of what the simulator shows for all pairs.
 * Each pair has every downstream's page loss, and the order the worse of the two.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { modes } from "../scenarios/matrix.ts"
import { always, degradedOf, MatrixShop, recoveryMillis, seenSku } from "../scenarios/matrixShop.ts"
import { type Seen, until } from "../scenarios/storefront.ts"

/** What the loss of each costs: the qualities of a page seen before, and an order, from good to bad. */
const losses: Readonly<
  Record<string, { readonly page: ReadonlyArray<string>; readonly order: "201" | "202" | "503" }>
> = {
  identity: { page: [], order: "503" },
  catalog: { page: ["stale"], order: "503" },
  inventory: { page: ["optimistic"], order: "503" },
  payments: { page: [], order: "202" },
  recommendations: { page: ["stale", "substituted"], order: "201" },
  "shipping.ups": { page: [], order: "201" }
}

type Pair = readonly [one: string, how: string, other: string, otherHow: string]

const pairs: ReadonlyArray<Pair> = [
  ["identity", "hang", "catalog", "refused"],
  ["identity", "503", "payments", "503"],
  ["identity", "garbled", "recommendations", "slow"],
  ["catalog", "hang", "inventory", "hang"],
  ["catalog", "refused", "recommendations", "garbled"],
  ["catalog", "reset after", "payments", "hang"],
  ["catalog", "503", "shipping.ups", "hang"],
  ["inventory", "refused", "payments", "reset after"],
  ["inventory", "slow", "recommendations", "refused"],
  ["payments", "hang", "recommendations", "hang"],
  ["payments", "reset after", "shipping.ups", "refused"],
  ["recommendations", "503", "shipping.ups", "503"]
]

const fault = (mode: string) => {
  const of = modes[mode]
  if (typeof of !== "object") throw new Error(`there is no fault for ${mode}`)
  return of
}

describe("two downstreams at once", () => {
  let shop: MatrixShop

  beforeAll(async () => {
    shop = await MatrixShop.start("pairs")
  })
  afterAll(() => shop?.stop())

  it.each<Pair>(pairs)("%s %s, %s %s", async (one, how, other, otherHow) => {
    const key = `${one} ${how}, ${other} ${otherHow}`
    await until("the shop is whole before the faults", recoveryMillis, () => shop.isWhole(`${key} before`))
    await Promise.all([shop.setFault(one, fault(how)), shop.setFault(other, fault(otherHow))])
    const seen = await Promise.all([shop.page(seenSku), shop.order(key), shop.quotes(), shop.ready()])
    const [page, order, quoted, ready]: ReadonlyArray<Seen> = seen
    assert.isDefined(page)
    assert.isDefined(order)
    assert.isDefined(quoted)
    for (const of of [page, order, quoted]) always(of)
    assert.strictEqual(ready?.status, 200)

    assert.strictEqual(page.status, 200, JSON.stringify(page.body))
    const lost = [one, other].filter((of) => losses[of]?.page.length !== 0)
    assert.sameMembers(
      degradedOf(page).map(({ downstream }) => downstream),
      lost
    )
    for (const { downstream, quality } of degradedOf(page)) {
      assert.include([...(losses[String(downstream)]?.page ?? [])], quality)
    }

    const worse = [losses[one]?.order, losses[other]?.order].toSorted().at(-1)
    assert.include(worse === "202" ? [202, 503] : [Number(worse)], order.status, JSON.stringify(order.body))

    assert.strictEqual(quoted.status, 200)
    const carriers = one === "shipping.ups" || other === "shipping.ups" ? ["ups"] : []
    assert.deepEqual(quoted.body["unreachable"], carriers)

    await Promise.all([shop.clearFault(one), shop.clearFault(other)])
    await shop.recovers(key)
  })
})
