/** Settings of the running storefront, changed over real HTTP while requests flow. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { checkAlways } from "./always.ts"
import { ask, type Seen, type Storefront, start, until } from "./storefront.ts"

const json = { "content-type": "application/json" }
const timeout = "recommendations/forUser/timeout.limitMillis"

/** What the storefront shows where nobody knows what this customer likes. */
const bestsellers = [1, 2, 3].map((nth) => ({ sku: `sku-${nth}`, name: `Product ${nth}` }))

describe("settings of a running storefront", () => {
  const folder = mkdtempSync(join(tmpdir(), "failsoft-settings-"))
  const file = join(folder, "settings.json")
  let shop: Storefront

  beforeAll(async () => {
    shop = await start({ SETTINGS_FILE: file, FAILSOFT_identity__verify__adaptiveLimit__limitMax: "31" })
    await until("the shop is warm", 20_000, async () => (await shop.order("warm-up")).status === 201)
  })
  afterAll(async () => {
    await shop?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const put = (name: string, body: object) =>
    ask(`${shop.admin}/admin/settings${name === "" ? "" : `/${name}`}`, {
      method: "PUT",
      headers: json,
      body: JSON.stringify(body)
    })
  const setting = async (name: string) => (await ask(`${shop.admin}/admin/settings/${encodeURIComponent(name)}`)).body
  const breaker = (name: string, action: string) =>
    ask(`${shop.admin}/admin/breakers/${name}/${action}`, { method: "POST" })

  /** Asks for pages without a pause until it is told to stop; all that it saw. */
  const flow = (lanes: number) => {
    let flows = true
    const seen: Array<Seen> = []
    const lane = async () => {
      for (let nth = 1; flows; nth++) seen.push(await shop.page(`sku-${(nth % 50) + 1}`))
    }
    const all = Promise.all(Array.from({ length: lanes }, lane))
    return {
      seen,
      end: async () => {
        flows = false
        await all
        return seen
      }
    }
  }

  it("a longer timeout takes effect at once, and no request that is under way is lost", async () => {
    await shop.setFault("recommendations", { kind: "latency", millis: 120 })
    const requests = flow(8)
    const degraded = (of: Seen) => (of.headers.get("degradation") ?? "").includes("recommendations")
    await until("the pages go without recommendations", 5000, async () => requests.seen.slice(-8).every(degraded))
    const changed = await put("", {
      changes: { [timeout]: "220 millis", "recommendations/forUser/retry.times": 0 },
      reason: "the model is slow today",
      by: "alice"
    })
    assert.strictEqual(changed.status, 200, JSON.stringify(changed.body))
    await until("the pages have them again", 10_000, async () => {
      const last = requests.seen.slice(-8)
      return last.length === 8 && !last.some(degraded)
    })
    const seen = await requests.end()
    assert.isAtLeast(seen.length, 16)
    for (const of of seen) {
      assert.strictEqual(of.status, 200, JSON.stringify(of.body))
      checkAlways(of)
    }
    const downstreams = JSON.stringify((await ask(`${shop.admin}/admin/downstreams`)).body)
    assert.include(downstreams, `"${timeout}":{"value":220,"origin":"admin"}`)
    assert.include(downstreams, "timeout 220 ms > recommendations")
    const audit = JSON.stringify((await ask(`${shop.admin}/admin/settings-audit`)).body)
    assert.include(audit, '"by":"alice"')
    assert.include(audit, "the model is slow today")
    await put("", { changes: { [timeout]: null, "recommendations/forUser/retry.times": null } })
    await shop.clearFault("recommendations")
  })

  it("a step of a fallback is switched off: the bestsellers in the place of what was shown last, and back", async () => {
    const stale = "recommendations/forUser/fallback.stale"
    const page = () => shop.page("sku-7")
    const degraded = async () => {
      const of = await page()
      checkAlways(of)
      return of.headers.get("degradation") ?? ""
    }
    await until("a page was fresh", 10_000, async () => (await degraded()) === "")
    await shop.setFault("recommendations", { kind: "down" })
    await until("the page shows what it showed last", 5000, async () => (await degraded()).includes("quality=stale"))
    assert.strictEqual((await put(`${stale}.enabled`, { value: false, reason: "poisoned cache" })).status, 200)
    const instead = await page()
    assert.include(instead.headers.get("degradation") ?? "", "recommendations;quality=substituted")
    assert.deepEqual(instead.body["recommendations"], bestsellers)
    // The page is promised recommendations of some kind.
    const refused = await put("recommendations/forUser/fallback.omit.enabled", { value: false })
    assert.deepInclude(refused.body, { status: 422, reason: "SETTING_DOES_NOT_FIT" })
    assert.include(String(refused.body["detail"]), "the method degrades by its contract")
    const downstreams = JSON.stringify((await ask(`${shop.admin}/admin/downstreams`)).body)
    assert.include(
      downstreams,
      "fallback stale (stale) [off], candidate.precomputed (substituted), precomputed (substituted), omit (omitted)"
    )
    assert.include(downstreams, `"${stale}.enabled":{"value":false,"origin":"admin"}`)
    await ask(`${shop.admin}/admin/settings/${stale}.enabled`, { method: "DELETE" })
    await until("the page shows it again", 5000, async () => (await degraded()).includes("quality=stale"))
    await shop.clearFault("recommendations")
  })

  it("a value expires by itself", async () => {
    const before = (await setting(timeout))["value"]
    await put(timeout, { value: 55, expiresAfterMillis: 1000 })
    assert.deepInclude(await setting(timeout), { value: 55, origin: "admin" })
    await until("the value is back", 3000, async () => (await setting(timeout))["value"] === before)
    assert.deepInclude(await setting(timeout), { origin: "code" })
  })

  it("a bad value is refused with a sentence, and changes nothing", async () => {
    const long = await put(timeout, { value: "1 hour" })
    assert.deepInclude(long.body, { status: 422, reason: "SETTING_DOES_NOT_FIT" })
    assert.include(String(long.body["detail"]), "must be shorter than deadline.limitMillis (250 ms)")
    assert.include(String((await put(timeout, { value: "soon" })).body["detail"]), 'but is "soon"')
    const unknown = await put("recommendations/forUser/timeout.limit", { value: 50 })
    assert.include(String(unknown.body["detail"]), `did you mean ${timeout}`)
    assert.deepInclude(await setting(timeout), { origin: "code" })
  })

  it("the environment speaks at the start, and the file whenever it is edited", async () => {
    assert.deepInclude(await setting("identity/verify/adaptiveLimit.limitMax"), { value: 31, origin: "environment" })
    writeFileSync(file, JSON.stringify({ [timeout]: "60 millis", "identity/verify/adaptiveLimit.limitMax": 30 }))
    await until("the file is in force", 10_000, async () => (await setting(timeout))["value"] === 60)
    assert.deepInclude(await setting(timeout), { origin: "file", by: file })
    // The environment stands above the file.
    assert.deepInclude(await setting("identity/verify/adaptiveLimit.limitMax"), { value: 31 })
    writeFileSync(file, '{"half": ')
    await until("it says that the file is broken", 10_000, async () => shop.output().includes("is not valid JSON"))
    assert.deepInclude(await setting(timeout), { value: 60, origin: "file" })
    writeFileSync(file, JSON.stringify({ [timeout]: 58, "recommendations/forUser/timeout.limitMilis": 1 }))
    await until("the file is in force again", 10_000, async () => (await setting(timeout))["value"] === 58)
    await until("it names the unknown", 5000, async () => shop.output().includes(`did you mean ${timeout}`))
    rmSync(file)
    await until("its values are gone", 15_000, async () => (await setting(timeout))["origin"] === "code")
  })

  it("a breaker is opened by hand and closed again", async () => {
    const name = "payments/charge/circuitBreaker"
    // On a slow machine an order takes longer than the usual open time.
    await put(`${name}.openMillis`, { value: 8000 })
    assert.strictEqual((await breaker(name, "open")).status, 200)
    const refused = await shop.order("by-hand-1")
    assert.strictEqual(refused.status, 503)
    checkAlways(refused)
    assert.deepInclude(refused.body, { reason: "CIRCUIT_OPEN", downstream: "payments" })
    assert.strictEqual((await breaker(encodeURIComponent(name), "close")).status, 200)
    assert.strictEqual((await shop.order("by-hand-2")).status, 201)
    // Forced open it stays, whatever time passes.
    await put(`${name}.mode`, { value: "forced-open" })
    await new Promise((resolve) => setTimeout(resolve, 1000))
    assert.deepInclude((await shop.order("by-hand-3")).body, { reason: "CIRCUIT_OPEN" })
    await ask(`${shop.admin}/admin/settings/${name}.mode`, { method: "DELETE" })
    assert.strictEqual((await shop.order("by-hand-4")).status, 201)
  })

  it("a client that asks too much is told where it stands, then refused, and served again with a larger quota", async () => {
    const name = "edge-limits/requests/orders.permits"
    const first = await shop.order("quota-1")
    assert.match(first.headers.get("ratelimit-policy") ?? "", /"client";q=1000;w=1.*"orders";q=3000;w=60/)
    assert.match(first.headers.get("ratelimit") ?? "", /"orders";r=\d+;t=\d+/)
    assert.strictEqual((await put(name, { value: 1, by: "ada" })).status, 200)
    const refused = await shop.order("quota-2")
    assert.deepInclude(refused.body, { status: 429, reason: "RATE_LIMITED", retryable: true })
    assert.isAtLeast(Number(refused.headers.get("retry-after")), 1)
    checkAlways(refused)
    assert.strictEqual((await shop.page("sku-2")).status, 200, "pages are not orders")
    await ask(`${shop.admin}/admin/settings/${encodeURIComponent(name)}`, { method: "DELETE" })
    assert.strictEqual((await shop.order("quota-3")).status, 201)
  })

  it("read-only by hand: orders are refused with a reason, pages go on, and everybody is told", async () => {
    const name = "storefront/service/mode.switch"
    assert.strictEqual((await put(name, { value: "read-only", by: "ada" })).status, 200)
    const refused = await shop.order("read-only-1")
    assert.deepInclude(refused.body, { status: 503, reason: "READ_ONLY", retryable: true })
    assert.strictEqual(refused.headers.get("service-mode"), "read-only")
    checkAlways(refused)
    const page = await shop.page("sku-3")
    assert.strictEqual(page.status, 200)
    assert.strictEqual(page.headers.get("service-mode"), "read-only")
    for (const port of [shop.api, shop.admin]) {
      const { body } = await ask(`${port}/health`)
      assert.include(JSON.stringify(body), '"observedValue":"read-only"')
    }
    await ask(`${shop.admin}/admin/settings/${encodeURIComponent(name)}`, { method: "DELETE" })
    assert.strictEqual((await shop.order("read-only-2")).status, 201)
    await until("it is as before", 5000, async () => (await shop.page("sku-3")).headers.get("service-mode") === null)
  })

  it("observed: without identity the shop says that it is read-only, and no more once it is back", async () => {
    await shop.setFault("identity", { kind: "transient", percent: 100 })
    await until("the header says it", 10_000, async () => {
      const seen = await shop.order("observed-1")
      assert.strictEqual(seen.status, 503)
      checkAlways(seen)
      return (await shop.page("sku-4")).headers.get("service-mode") === "read-only"
    })
    await shop.clearFault("identity")
    await until("orders are taken again", 10_000, async () => (await shop.order("observed-2")).status === 201)
    await until(
      "nobody says so any more",
      5000,
      async () => (await shop.page("sku-4")).headers.get("service-mode") === null
    )
  })
})

describe("the admin port", () => {
  it("does not start beyond loopback without a token", async () => {
    const message = await start({ ADMIN_HOST: "0.0.0.0" }).then(
      () => "it started",
      (error: unknown) => String(error)
    )
    assert.include(message, "The admin API listens on 0.0.0.0, beyond loopback, and has no token: set ADMIN_TOKEN")
  })

  it("wants its token for the faults as well, where there is one", async () => {
    const shop = await start({ ADMIN_TOKEN: "a secret", ADMIN_HOST: "0.0.0.0" })
    for (const path of ["/admin/faults", "/admin/settings", "/admin/downstreams"]) {
      const refused = await ask(shop.admin + path)
      assert.deepInclude(refused.body, { status: 401, reason: "ADMIN_TOKEN_REQUIRED" })
      const given = await ask(shop.admin + path, { headers: { authorization: "Bearer a secret" } })
      assert.strictEqual(given.status, 200)
    }
    assert.strictEqual((await ask(`${shop.admin}/readyz`)).status, 200)
    await shop.stop()
  })
})
