/** A new fallback of a running storefront: in the dark, for some, for all, and back at once. */
import { assert, describe, it } from "vitest"
import { ask, start, until } from "./storefront.ts"

const json = { "content-type": "application/json" }
const flag = "recommendations-picks"

/** What everybody is shown where nobody knows what this customer likes. */
const bestsellers = ["sku-1", "sku-2", "sku-3"]

const visitors = Array.from({ length: 200 }, (_, nth) => `visitor-${nth}`)

describe("the rollout of a fallback", () => {
  it("runs in the dark, is shown to a share that only grows, and is gone with the next request", async () => {
    const shop = await start()
    try {
      const put = async (values: object) => {
        const seen = await ask(`${shop.admin}/admin/flags/${flag}`, {
          method: "PUT",
          headers: json,
          body: JSON.stringify({ values, by: "ada", reason: "the rollout of the picks" })
        })
        assert.strictEqual(seen.status, 200, JSON.stringify(seen.body))
      }
      const shown = async () => (await ask(`${shop.admin}/admin/flags/${flag}`)).body
      const skus = async (visitor: string): Promise<ReadonlyArray<string>> => {
        const { status, body, headers } = await ask(`${shop.api}/products/sku-7`, { headers: { visitor } })
        assert.strictEqual(status, 200, JSON.stringify(body))
        assert.include(headers.get("degradation") ?? "", "recommendations;quality=substituted")
        const given = body["recommendations"]
        return Array.isArray(given) ? given.map(({ sku }) => String(sku)) : []
      }
      /** Those of the visitors who are shown picks of their own. */
      const picked = async (): Promise<ReadonlyArray<string>> => {
        const those: Array<string> = []
        for (let at = 0; at < visitors.length; at += 10) {
          const some = visitors.slice(at, at + 10)
          const pages = await Promise.all(some.map(skus))
          those.push(...some.filter((_, nth) => pages[nth]?.join() !== bestsellers.join()))
        }
        return those
      }
      const count = async (path: readonly [string, string]): Promise<number> => {
        const { counts } = await shown()
        return Number(Object(Object(counts)[path[0]])[path[1]])
      }

      await until("the shop is warm", 20_000, async () => (await shop.page("sku-7")).status === 200)
      await shop.setFault("recommendations", { kind: "down" })
      await until("nobody knows what a visitor likes", 10_000, async () => {
        const { headers } = await ask(`${shop.api}/products/sku-7`, { headers: { visitor: "first" } })
        return (headers.get("degradation") ?? "").includes("recommendations")
      })

      assert.deepEqual(await picked(), [], "off: the stable one")
      assert.strictEqual(await count(["candidate", "answered"]), 0)

      await put({ stage: "dark" })
      assert.deepEqual(await picked(), [], "in the dark: it is not used")
      await until("it was compared", 5000, async () => (await count(["dark", "different"])) > 100)

      await put({ stage: "on", percent: 10 })
      const tenth = await picked()
      assert.isTrue(tenth.length >= 6 && tenth.length <= 39, `${tenth.length} of 200 at 10 %`)
      assert.deepEqual(await picked(), tenth, "the same ones again")
      for (const visitor of [tenth[0] ?? "", "visitor-x"]) {
        const { body } = await ask(`${shop.admin}/admin/flags/${flag}?key=${visitor}`)
        assert.deepInclude(Object(body["for"]), { key: visitor })
      }
      const { body } = await ask(`${shop.admin}/admin/flags/${flag}?key=${tenth[0]}`)
      assert.deepInclude(Object(body["for"]), { says: "candidate" })

      await put({ percent: 50 })
      const half = await picked()
      assert.isTrue(half.length >= 68 && half.length <= 132, `${half.length} of 200 at 50 %`)
      assert.deepEqual(
        tenth.filter((visitor) => !half.includes(visitor)),
        [],
        "nobody goes back"
      )
      const answered = await count(["candidate", "answered"])
      assert.isAtLeast(answered, 2 * tenth.length + half.length)

      await put({ stage: "off" })
      assert.deepEqual(await picked(), [], "back at once")
      assert.strictEqual(await count(["candidate", "answered"]), answered)
      const audit = JSON.stringify((await ask(`${shop.admin}/admin/settings-audit`)).body)
      assert.include(audit, `flags/${flag}/rollout.stage`)
      assert.include(audit, "the rollout of the picks")
    } finally {
      await shop.stop()
    }
  }, 120_000)
})
