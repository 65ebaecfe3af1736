/**
 * What must never degrade, over real HTTP: whatever is broken, nobody gets what belongs to
 * another, nobody is let in without identity's word, and no secret is told or kept.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { ask, goodOrder, type Seen, type Storefront, start, until } from "./storefront.ts"

const faults: Readonly<Record<string, object>> = {
  slow: { kind: "latency", millis: 5000 },
  refused: { kind: "down" },
  "503": { kind: "transient", percent: 100 },
  garbled: { kind: "garbled" },
  "half a body": { kind: "partial" },
  "reset after": { kind: "resetAfter" }
}

const downstreams = ["identity", "catalog", "inventory", "payments", "recommendations", "shipping"]

/** Of a card and of a token that this test alone uses. */
const cardNumber = "4111-2222-3333-9876"
const token = "demo-alice"
const visitor = "visitor-canary-7"

const everythingIn = (folder: string): ReadonlyArray<{ readonly name: string; readonly text: string }> =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((of) => of.isFile())
    .map((of) => join(of.parentPath, of.name))
    .map((name) => ({ name, text: readFileSync(name, "utf8") }))

const textOf = ({ body, headers, status }: Seen) => JSON.stringify([status, [...headers], body])

describe("whatever is broken", () => {
  let shop: Storefront
  let orders = 0
  const folder = mkdtempSync(join(tmpdir(), "failsoft-privacy-"))
  const pageOf = (who: string) => ask(`${shop.api}/products/sku-1`, { headers: { visitor: who } })
  const orderOf = (id: string, of: string) =>
    ask(`${shop.api}/orders/${id}`, { headers: { authorization: `Bearer ${of}` } })
  const place = (key: string, of: string = token) => shop.order(key, { ...goodOrder, card: cardNumber }, of)

  const whole = async () => {
    const [placed, page] = await Promise.all([place(`whole ${orders++}`), pageOf("somebody")])
    return placed.status === 201 && page.headers.get("degradation") === null
  }

  beforeAll(async () => {
    shop = await start({ DATA_DIR: folder })
    await until("the shop is warm", 60_000, whole)
  })
  afterAll(async () => {
    await shop?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  describe.each(Object.keys(faults))("%s", (mode) => {
    const broken = async <A>(downstream: string, story: () => Promise<A>): Promise<A> => {
      await until("the shop is whole", 20_000, whole)
      await shop.setFault(downstream, faults[mode] ?? {})
      try {
        return await story()
      } finally {
        await shop.clearFault(downstream)
      }
    }

    it("a visitor is shown what was recommended to himself, or what everybody buys", async () => {
      await until("the shop is whole", 20_000, whole)
      const live = await pageOf(visitor)
      assert.isNull(live.headers.get("degradation"))
      const { mine, others } = await broken("recommendations", async () => ({
        mine: await pageOf(visitor),
        others: await Promise.all(["stranger-1", "stranger-2", "anonymous"].map(pageOf))
      }))
      assert.match(String(mine.headers.get("degradation")), /recommendations;quality=stale/)
      assert.deepEqual(mine.body["recommendations"], live.body["recommendations"])
      for (const page of others) {
        assert.match(String(page.headers.get("degradation")), /recommendations;quality=(substituted|stale)/)
        assert.notDeepEqual(page.body["recommendations"], live.body["recommendations"])
      }
    })

    it("an order is its owner's, in every state of it", async () => {
      for (const downstream of ["payments", "inventory"]) {
        const key = `${mode} ${downstream}`
        const [hers, ofNobody] = await broken(downstream, async () => [
          await place(key),
          await orderOf("order-000000000000000000000000", "demo-bob")
        ])
        assert.include([202, 503], hers.status)
        assert.strictEqual(ofNobody.status, 404)
        await until("the order is confirmed", 20_000, async () => {
          const again = await place(key)
          return again.body["status"] === "confirmed"
        })
        const { id } = (await place(key)).body
        assert.strictEqual((await orderOf(String(id), token)).status, 200)
        const his = await orderOf(String(id), "demo-bob")
        assert.strictEqual(his.status, 404)
        // Nor does the answer tell that there is one: it is what is said of no order at all.
        const said = ({ body }: Seen) => [body["reason"], body["detail"], body["title"], body["type"]]
        assert.deepEqual(said(his), said(ofNobody))
        // The same key of another customer is another order.
        const other = await place(key, "demo-bob")
        assert.notStrictEqual(other.body["id"], id)
      }
    })

    it("nobody is let in without identity's word, be his token good or bad", async () => {
      await until("the shop is whole", 20_000, whole)
      const placed = await place(`before ${mode}`)
      const id = String(placed.body["id"])
      const seen = await broken("identity", () =>
        Promise.all([
          orderOf(id, token),
          orderOf(id, "demo-bob"),
          orderOf(id, "nobody's"),
          place(`in ${mode}`),
          place(`in ${mode}`, "nobodys-token")
        ])
      )
      for (const of of seen) {
        assert.include([503, 401], of.status, textOf(of))
        assert.notInclude(textOf(of), '"total"')
      }
      assert.strictEqual(seen[3]?.status, 503)
    })
  })

  it("no card, no token and no visitor is in a log line, a problem, an admin page or a cache on disk", async () => {
    const told: Array<{ readonly name: string; readonly text: string }> = []
    const problems = new Set<unknown>()
    for (const downstream of downstreams) {
      for (const [mode, fault] of Object.entries(faults)) {
        await shop.setFault(downstream, fault)
        const seen = await Promise.all([
          place(`${downstream} ${mode} 1`),
          place(`${downstream} ${mode} 2`, "demo-bob"),
          pageOf(visitor),
          ask(`${shop.api}/shipping-quotes?sku=sku-1&country=DE`, { headers: { visitor } })
        ])
        await shop.clearFault(downstream)
        for (const of of seen) {
          if (of.status >= 400) problems.add(of.body["reason"])
          told.push({ name: `${downstream} ${mode}`, text: textOf(of) })
        }
      }
    }
    for (const path of [
      "downstreams",
      "settings",
      "settings-audit",
      "flags",
      "faults",
      "fault-plan",
      "settings/catalog/show/cache.freshMillis"
    ]) {
      told.push({ name: path, text: textOf(await ask(`${shop.admin}/admin/${path}`)) })
    }
    told.push({ name: "health", text: textOf(await ask(`${shop.admin}/health`)) })
    await shop.stop()
    const kept = everythingIn(join(folder, "cache"))
    told.push({ name: "the output", text: shop.output() }, ...kept)

    // It says something: what failed, and what it kept.
    assert.includeMembers([...problems], ["TIMEOUT", "TRANSIENT_FAILURE"])
    assert.match(shop.output(), /payments/)
    assert.match(shop.output(), /recommendations/)
    assert.isNotEmpty(kept)
    for (const secret of [cardNumber, cardNumber.replaceAll("-", ""), token, "demo-bob", visitor]) {
      assert.deepEqual(
        told.filter(({ text }) => text.includes(secret)).map(({ name }) => name),
        [],
        `'${secret}' is told`
      )
    }
  })
})
