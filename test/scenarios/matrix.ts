/**
 * The outage matrix: one downstream, every way in which it can fail, each endpoint,
 * over real HTTP with real processes. A cell is one test.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { always, MatrixShop, qualityOf, recoveryMillis, seenSku } from "./matrixShop.ts"
import { type Seen, until } from "./storefront.ts"

/** The ways to fail. `SIGKILL` kills the real process; it is started again after a second. */
export const modes: Readonly<Record<string, object | "SIGKILL">> = {
  slow: { kind: "latency", millis: 5000 },
  hang: { kind: "hang" },
  refused: { kind: "down" },
  "503": { kind: "transient", percent: 100 },
  "429 with Retry-After": { kind: "transient", percent: 100, status: 429, retryAfterSeconds: 5 },
  garbled: { kind: "garbled" },
  "reset before": { kind: "resetBefore" },
  "reset after": { kind: "resetAfter" },
  flapping: { kind: "flap", upMillis: 250, downMillis: 250 },
  killed: "SIGKILL"
}

/** A downstream that comes and goes may also answer. */
const mayAnswer = (mode: string) => mode === "flapping" || mode === "killed"

interface Row {
  /** The qualities that the page of a product seen before may have of this downstream; none = it is not used or not needed. */
  readonly page: (page: Seen) => void
  readonly unseenStatus: number
  /** The statuses of an order in the outage. */
  readonly order: ReadonlyArray<number>
  /** The carriers that may be missing from the quotes. Default: none. */
  readonly unreachable?: ReadonlyArray<string>
  readonly health: "warn" | "fail"
  /** What is killed, where the downstream is several processes. */
  readonly processes?: ReadonlyArray<string>
}

const fresh = (page: Seen) => {
  assert.strictEqual(page.status, 200)
  assert.isNull(page.headers.get("degradation"))
}

const rows: Readonly<Record<string, Row>> = {
  identity: { page: fresh, unseenStatus: 200, order: [503], health: "fail" },
  // The other region answers.
  "catalog.eu": { page: fresh, unseenStatus: 200, order: [201], health: "warn" },
  /** Both regions. */
  catalog: {
    processes: ["catalog.eu", "catalog.us"],
    page: (page) => {
      assert.strictEqual(page.status, 200)
      assert.strictEqual(qualityOf(page, "catalog"), "stale")
      assert.match(String(page.headers.get("degradation")), /catalog;quality=stale;age=\d+;reason=/)
    },
    unseenStatus: 503,
    order: [503],
    health: "fail"
  },
  inventory: {
    page: (page) => {
      assert.strictEqual(page.status, 200)
      assert.strictEqual(page.body["availability"], "unknown")
      assert.strictEqual(qualityOf(page, "inventory"), "optimistic")
    },
    unseenStatus: 200,
    order: [503],
    health: "warn"
  },
  payments: { page: fresh, unseenStatus: 200, order: [202, 503], health: "fail" },
  recommendations: {
    page: (page) => {
      assert.strictEqual(page.status, 200)
      assert.include(["stale", "substituted"], qualityOf(page, "recommendations"))
      assert.isNotEmpty(page.body["recommendations"])
    },
    unseenStatus: 200,
    order: [201],
    health: "warn"
  },
  /** One carrier of two. */
  "shipping.ups": { page: fresh, unseenStatus: 200, order: [201], unreachable: ["ups"], health: "warn" }
}

/** Declares the tests of one downstream. */
export const matrix = (downstream: string): void => {
  const row = rows[downstream]
  if (row === undefined) throw new Error(`the matrix has no row for ${downstream}`)
  let shop: MatrixShop
  let unseen = 100

  beforeAll(async () => {
    shop = await MatrixShop.start(downstream)
  })
  afterAll(() => shop?.stop())

  describe.each(Object.keys(modes))(`${downstream} is %s`, (mode) => {
    const key = `${downstream} ${mode}`
    let page: Seen
    let unknownPage: Seen
    let order: Seen
    let quoted: Seen
    let ready: Seen
    let health: Seen

    beforeAll(async () => {
      await until("the shop is whole before the fault", recoveryMillis, () => shop.isWhole(`${key} before`))
      const fault = modes[mode]
      if (fault === "SIGKILL") for (const name of row.processes ?? [downstream]) await shop.kill(name)
      else
        await shop.setFault(downstream, fault ?? {})
        // At the same time, as customers come; and nobody has seen the second sku.
      ;[page, unknownPage, order, quoted] = await Promise.all([
        shop.page(seenSku),
        shop.page(`sku-${unseen++}`),
        shop.order(key),
        shop.quotes()
      ])
      ;[ready, health] = await Promise.all([shop.ready(), shop.health()])
    })

    it("GET /products/:sku, seen before", () => {
      always(page)
      if (mayAnswer(mode) && page.status === 200) return
      row.page(page)
    })

    it("GET /products/:sku, never seen", () => {
      always(unknownPage)
      if (mayAnswer(mode) && unknownPage.status === 200) return
      assert.strictEqual(unknownPage.status, row.unseenStatus, JSON.stringify(unknownPage.body))
    })

    it("POST /orders", () => {
      always(order)
      if (mayAnswer(mode) && order.status === 201) return
      assert.include(row.order, order.status, JSON.stringify(order.body))
    })

    it("GET /shipping-quotes", () => {
      always(quoted)
      assert.strictEqual(quoted.status, 200, JSON.stringify(quoted.body))
      const unreachable = quoted.body["unreachable"]
      const all = Array.isArray(quoted.body["quotes"]) ? quoted.body["quotes"].map((of) => of.carrier) : []
      if (mayAnswer(mode) && all.length === 2) return
      assert.deepEqual(unreachable, row.unreachable ?? [])
      assert.deepEqual(
        all,
        ["dhl", "ups"].filter((of) => !row.unreachable?.includes(of))
      )
      assert.strictEqual(qualityOf(quoted, "shipping"), row.unreachable === undefined ? undefined : "partial")
    })

    it("GET /readyz", () => {
      assert.strictEqual(ready.status, 200)
    })

    it("GET /health", () => {
      if (mayAnswer(mode) && health.body["status"] !== row.health) {
        assert.include(["pass", "warn"], health.body["status"])
        return
      }
      assert.strictEqual(health.body["status"], row.health, JSON.stringify(health.body))
      assert.strictEqual(health.status, row.health === "fail" ? 503 : 200)
    })

    it("full quality returns, and what was asked for once was done once", async () => {
      if (modes[mode] !== "SIGKILL") await shop.clearFault(downstream)
      await shop.recovers(key)
    })
  })
}
