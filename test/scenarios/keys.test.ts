/**
 * Identity's keys over real HTTP: while its process is dead, orders are read by tokens that
 * it has signed before, with a label and for a stated time; nobody orders.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { generateKeyPair, SignJWT } from "jose"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { checkAlways } from "./always.ts"
import { ask, goodOrder, type Seen, type Storefront, start, until } from "./storefront.ts"

const json = { "content-type": "application/json" }
const freshMillis = 500

const degradationOf = (seen: Seen) => seen.headers.get("degradation") ?? ""

describe("while identity is dead", () => {
  const folder = mkdtempSync(join(tmpdir(), "failsoft-keys-"))
  const keyFile = join(folder, "identity-key.json")
  let shop: Storefront
  let identity = ""
  let orders = 0

  beforeAll(async () => {
    // Fresh for five minutes is longer than anybody would wait here.
    shop = await start({ DATA_DIR: folder, FAILSOFT_identity__keys__cache__freshMillis: String(freshMillis) })
    identity = (await shop.downstream("identity")).url
    await until("the shop is warm", 20_000, async () => (await shop.order("warm-up")).status === 201)
  })
  afterAll(async () => {
    await shop?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const mint = async (customerId: string) => {
    const body = JSON.stringify({ customerId })
    const seen = await ask(`${identity}/tokens`, { method: "POST", headers: json, body })
    assert.strictEqual(seen.status, 201)
    return String(seen.body["token"])
  }
  const read = async (id: string, token: string) => {
    const seen = await ask(`${shop.api}/orders/${id}`, { headers: { authorization: `Bearer ${token}` } })
    checkAlways(seen)
    return seen
  }
  const place = async (token: string) => {
    const seen = await shop.order(`order ${orders++}`, goodOrder, token)
    checkAlways(seen)
    return seen
  }
  const set = async (name: string, body: object | undefined) => {
    const init =
      body === undefined ? { method: "DELETE" } : { method: "PUT", headers: json, body: JSON.stringify(body) }
    const { status } = await ask(`${shop.admin}/admin/settings/identity/keys/${name}`, init)
    assert.strictEqual(status, 200)
  }

  /** Dead for as long as the story takes: a process that is started again is killed again. */
  const whileDead = async <A>(story: () => Promise<A>): Promise<A> => {
    let over = false
    const kill = async () => {
      while (!over) {
        const { pid } = await shop.downstream("identity")
        try {
          if (pid !== null) process.kill(pid, "SIGKILL")
        } catch {
          // It has ended between the question and the kill.
        }
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    // What listens on the port before it is killed again must not answer either.
    await shop.setFault("identity", { kind: "down" })
    const killing = kill()
    try {
      await until("identity is dead", 5000, async () => (await shop.downstream("identity")).pid === null)
      return await story()
    } finally {
      over = true
      await killing
      await shop.clearFault("identity")
    }
  }
  const isFresh = (id: string, token: string) =>
    until("orders are read and made as before", 20_000, async () => {
      const [seen, placed] = [await read(id, token), await place(token)]
      return seen.status === 200 && degradationOf(seen) === "" && placed.status === 201
    })

  it("who has a signed token reads his orders with the label stale, nobody orders, and a forged token is refused", async () => {
    const [token, stranger] = [await mint("carol"), await mint("dave")]
    const placed = await place(token)
    assert.strictEqual(placed.status, 201, JSON.stringify(placed.body))
    const id = String(placed.body["id"])
    await isFresh(id, token)

    const { keys } = (await ask(`${identity}/keys`)).body
    const kid = Array.isArray(keys) ? String(keys[0].kid) : ""
    const { privateKey } = await generateKeyPair("EdDSA")
    const forge = (name: string) =>
      new SignJWT({ sub: "carol", aud: "storefront" })
        .setProtectedHeader({ alg: "EdDSA", kid: name })
        .setIssuedAt()
        .setExpirationTime("10 minutes")
        .sign(privateKey)
    const forged = [await forge(kid), `${token.slice(0, token.lastIndexOf("."))}.`]
    const ofUnknownKey = await forge("another")
    const charged = async () => (await shop.journal("payments")).applied.length
    const chargedBefore = await charged()

    await whileDead(async () => {
      const diedAt = performance.now()
      // Whatever the keys are, fresh or stale: reading does not stop for a moment.
      let labelled = 0
      while (performance.now() - diedAt < 3000) {
        const seen = await read(id, token)
        assert.strictEqual(seen.status, 200, JSON.stringify(seen.body))
        assert.strictEqual(seen.body["status"], "confirmed")
        if (performance.now() - diedAt < 2 * freshMillis) continue
        labelled++
        assert.match(degradationOf(seen), /^identity;quality=stale;age=\d+;reason=[a-z-]+$/)
        assert.nestedPropertyVal(seen.body, "meta.degraded[0].downstream", "identity")
        assert.nestedPropertyVal(seen.body, "meta.degraded[0].quality", "stale")
      }
      assert.isAbove(labelled, 10)
      assert.strictEqual((await read(id, stranger)).status, 404)
      for (const of of forged) {
        const seen = await read(id, of)
        assert.strictEqual(seen.status, 401, of)
        assert.notInclude(JSON.stringify(seen.body), '"total"')
      }
      // Its key may be one that nobody here has seen yet: who is told 401 would throw it away.
      assert.strictEqual((await read(id, ofUnknownKey)).status, 503)
      // By its word alone, and not by its keys.
      for (const of of [token, "demo-alice", ofUnknownKey, ...forged])
        assert.strictEqual((await place(of)).status, 503, of)
      assert.strictEqual((await read(id, "demo-alice")).status, 503)
      assert.strictEqual(await charged(), chargedBefore, "nothing is charged")

      // The stated time is over.
      await set("cache.staleWhileRevalidateMillis", { value: 0 })
      await set("cache.staleIfErrorMillis", { value: 0 })
      const seen = await read(id, token)
      assert.strictEqual(seen.status, 503)
      assert.deepInclude(seen.body, { downstream: "identity", retryable: true })
      await set("cache.staleWhileRevalidateMillis", undefined)
      await set("cache.staleIfErrorMillis", undefined)
    })
    await isFresh(id, token)
    for (const of of forged) assert.strictEqual((await read(id, of)).status, 401)
    // A refresh that failed is forgotten soon.
    await until("the unknown key is refused", 5000, async () => (await read(id, ofUnknownKey)).status === 401)
  })

  it("a key that identity has lost is replaced: its new tokens are good, the old ones no more", async () => {
    const old = await mint("carol")
    const id = String((await place(old)).body["id"])
    await isFresh(id, old)
    await whileDead(async () => rmSync(keyFile))
    await until("identity is back", 20_000, async () => (await ask(`${identity}/keys`)).status === 200)
    const token = await mint("carol")
    await isFresh(id, token)
    assert.strictEqual((await read(id, old)).status, 401)
    assert.strictEqual((await place(old)).status, 401)
  })
})
