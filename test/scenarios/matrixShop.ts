/** A storefront for the outage matrix: slowed, warm, and what each cell asks of it. */
import { fileURLToPath } from "node:url"
import { assert } from "vitest"
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

export const seenSku = "sku-1"
export const recoveryMillis = 10_000 * times

const owner = { headers: { authorization: "Bearer demo-alice" } }

/** Checks the "always" list by the storefront's clock. */
export const always = (seen: Seen): void => checkAlways(seen, times)

/** The quality that an answer states of a downstream. */
export const qualityOf = (page: Seen, downstream: string): unknown =>
  degradedOf(page).find((entry) => entry.downstream === downstream)?.quality

/** What an answer states as degraded. */
export const degradedOf = (page: Seen): ReadonlyArray<{ readonly downstream: unknown; readonly quality: unknown }> => {
  const meta = page.body["meta"]
  const degraded = typeof meta === "object" && meta !== null && "degraded" in meta ? meta.degraded : []
  return Array.isArray(degraded) ? degraded : []
}

export class MatrixShop {
  private readonly shop: Storefront

  private constructor(shop: Storefront) {
    this.shop = shop
  }

  /** Six cold services on two cores are slower than any deadline: begins when this one is warm. */
  static async start(name: string): Promise<MatrixShop> {
    const shop = new MatrixShop(await start({ CLOCK_TIMES: String(times) }, { command: slowed }))
    let warm = 0
    await until("the shop is warm", 60_000, async () => {
      warm = (await shop.isWhole(`${name} warm-up ${warm}`)) ? warm + 1 : 0
      return warm >= 5
    })
    return shop
  }

  stop = () => this.shop.stop()
  page = (sku: string) => this.shop.page(sku)
  order = (key: string) => this.shop.order(key)
  quotes = () => ask(`${this.shop.api}/shipping-quotes?sku=${seenSku}&country=DE`)
  ready = () => ask(`${this.shop.api}/readyz`)
  health = () => ask(`${this.shop.admin}/health`)
  setFault = (downstream: string, fault: object) => this.shop.setFault(downstream, fault)
  clearFault = (downstream: string) => this.shop.clearFault(downstream)

  /** Kills the real process; it is started again after a second. */
  async kill(name: string): Promise<void> {
    const { pid } = await this.shop.downstream(name)
    assert.isNumber(pid, "the downstream lives before it is killed")
    process.kill(Number(pid), "SIGKILL")
  }

  async hasFreshPage(): Promise<boolean> {
    const page = await this.page(seenSku)
    always(page)
    return page.status === 200 && page.headers.get("degradation") === null
  }

  async hasAllQuotes(): Promise<boolean> {
    const seen = await this.quotes()
    always(seen)
    return seen.headers.get("degradation") === null
  }

  /** Health is what calls observed, so every downstream has to be called again. */
  async isWhole(key: string): Promise<boolean> {
    const ordered = await this.order(key)
    const page = await this.hasFreshPage()
    const quoted = await this.quotes()
    const health = await this.health()
    return (
      quoted.headers.get("degradation") === null && ordered.status === 201 && page && health.body["status"] === "pass"
    )
  }

  /** After the outage: the page and the quotes are whole, and the order of this key is confirmed, charged once and held once. */
  async recovers(key: string): Promise<void> {
    await until("full quality after the fault", recoveryMillis, () => this.hasFreshPage())
    await until("full quality of the quotes", recoveryMillis, () => this.hasAllQuotes())
    let again = await this.order(key)
    await until("the order is confirmed with the same key", recoveryMillis, async () => {
      always(again)
      if (again.body["status"] === "pending")
        again = await ask(`${this.shop.api}/orders/${String(again.body["id"])}`, owner)
      else if (again.status === 503) again = await this.order(key)
      return again.body["status"] === "confirmed"
    })
    const id = String(again.body["id"])
    const done = async () => {
      const charges = (await this.shop.journal("payments")).applied.filter((of) => of.idempotencyKey === id)
      const reserved = (await this.shop.journal("inventory")).applied.filter((of) =>
        of.idempotencyKey?.startsWith(`${id}.`)
      )
      const held = reserved.reduce((sum, of) => sum + (of.operation === "reserve" ? 1 : -1), 0)
      return { charges: charges.length, held }
    }
    await until("what was reserved and not used is given back", recoveryMillis, async () => (await done()).held === 1)
    assert.deepEqual(await done(), { charges: 1, held: 1 }, "charged once, held once")
  }
}
