/**
 * The outage matrix: one downstream, every way in which it can fail, each endpoint,
 * over real HTTP with real processes. A cell is one test.
 */
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { checkAlways } from "./always.ts"
import { ask, type Seen, type Storefront, start, until } from "./storefront.ts"

/**
 * One second of the storefront takes two: eight processes share two cores with whatever else
 * the machine does, and what is not broken has to stay well within the times of its policies,
 * or a cell tells of the machine. The downstreams' faults are in real time.
 */
const times = 2
const slowed = [
  process.execPath,
  "--conditions=@failsoft/source",
  fileURLToPath(new URL("slowMain.ts", import.meta.url))
] as const

/** The ways to fail. `SIGKILL` kills the real process; it is started again after a second. */
const modes: Readonly<Record<string, object | "SIGKILL">> = {
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

const seenSku = "sku-1"
const recoveryMillis = 10_000 * times

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

const qualityOf = (page: Seen, downstream: string): unknown => {
  const meta = page.body["meta"]
  const degraded = typeof meta === "object" && meta !== null && "degraded" in meta ? meta.degraded : []
  return Array.isArray(degraded) ? degraded.find((entry) => entry.downstream === downstream)?.quality : undefined
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
  let shop: Storefront
  let unseen = 100

  beforeAll(async () => {
    shop = await start({ CLOCK_TIMES: String(times) }, { command: slowed })
    // Six cold services on two cores are slower than any deadline: begin when this one is warm.
    let warm = 0
    await until("the shop is warm", 60_000, async () => {
      warm = (await whole(`${downstream} warm-up ${warm}`)) ? warm + 1 : 0
      return warm >= 5
    })
  })
  afterAll(() => shop?.stop())

  const freshPage = async () => {
    const page = await shop.page(seenSku)
    checkAlways(page, times)
    return page.status === 200 && page.headers.get("degradation") === null
  }
  const quotes = () => ask(`${shop.api}/shipping-quotes?sku=${seenSku}&country=DE`)
  /** Health is what calls observed, so every downstream has to be called again. */
  const whole = async (key: string) => {
    const ordered = await shop.order(key)
    const page = await freshPage()
    const quoted = await quotes()
    const health = await ask(`${shop.admin}/health`)
    return (
      quoted.headers.get("degradation") === null && ordered.status === 201 && page && health.body["status"] === "pass"
    )
  }

  describe.each(Object.keys(modes))(`${downstream} is %s`, (mode) => {
    const key = `${downstream} ${mode}`
    let page: Seen
    let unknownPage: Seen
    let order: Seen
    let quoted: Seen
    let ready: Seen
    let health: Seen

    beforeAll(async () => {
      await until("the shop is whole before the fault", recoveryMillis, () => whole(`${key} before`))
      const fault = modes[mode]
      if (fault === "SIGKILL") {
        for (const name of row.processes ?? [downstream]) {
          const { pid } = await shop.downstream(name)
          assert.isNumber(pid, "the downstream lives before it is killed")
          process.kill(Number(pid), "SIGKILL")
        }
      } else if (fault !== undefined)
        await shop.setFault(downstream, fault)
        // At the same time, as customers come; and nobody has seen the second sku.
      ;[page, unknownPage, order, quoted] = await Promise.all([
        shop.page(seenSku),
        shop.page(`sku-${unseen++}`),
        shop.order(key),
        quotes()
      ])
      ;[ready, health] = await Promise.all([ask(`${shop.api}/readyz`), ask(`${shop.admin}/health`)])
    })

    it("GET /products/:sku, seen before", () => {
      checkAlways(page, times)
      if (mayAnswer(mode) && page.status === 200) return
      row.page(page)
    })

    it("GET /products/:sku, never seen", () => {
      checkAlways(unknownPage, times)
      if (mayAnswer(mode) && unknownPage.status === 200) return
      assert.strictEqual(unknownPage.status, row.unseenStatus, JSON.stringify(unknownPage.body))
    })

    it("POST /orders", () => {
      checkAlways(order, times)
      if (mayAnswer(mode) && order.status === 201) return
      assert.include(row.order, order.status, JSON.stringify(order.body))
    })

    it("GET /shipping-quotes", () => {
      checkAlways(quoted, times)
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
      await until("full quality after the fault", recoveryMillis, freshPage)
      await until("full quality of the quotes", recoveryMillis, async () => {
        const seen = await quotes()
        checkAlways(seen, times)
        return seen.headers.get("degradation") === null
      })
      let again = await shop.order(key)
      await until("the order is confirmed with the same key", recoveryMillis, async () => {
        checkAlways(again, times)
        if (again.body["status"] === "pending")
          again = await ask(`${shop.api}/orders/${String(again.body["id"])}`, owner)
        else if (again.status === 503) again = await shop.order(key)
        return again.body["status"] === "confirmed"
      })
      const id = String(again.body["id"])
      const done = async () => {
        const charges = (await shop.journal("payments")).applied.filter((of) => of.idempotencyKey === id)
        const reserved = (await shop.journal("inventory")).applied.filter((of) =>
          of.idempotencyKey?.startsWith(`${id}.`)
        )
        const held = reserved.reduce((sum, of) => sum + (of.operation === "reserve" ? 1 : -1), 0)
        return { charges: charges.length, held }
      }
      await until("what was reserved and not used is given back", recoveryMillis, async () => (await done()).held === 1)
      assert.deepEqual(await done(), { charges: 1, held: 1 }, "charged once, held once")
    })
  })
}

const owner = { headers: { authorization: "Bearer demo-alice" } }
