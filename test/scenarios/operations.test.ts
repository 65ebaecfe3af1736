/** The life of the process, and the order's promises, over real HTTP. */
import { connect, createServer } from "node:net"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { checkAlways } from "./always.ts"
import { ask, goodOrder, type Storefront, start, until } from "./storefront.ts"

describe("starting", () => {
  it("says in one line which port is in use and which variable sets another", async () => {
    const holder = createServer()
    const port = await new Promise<number>((resolve) =>
      holder.listen(0, "127.0.0.1", () => {
        const address = holder.address()
        resolve(typeof address === "object" && address !== null ? address.port : 0)
      })
    )
    for (const variable of ["PORT", "ADMIN_PORT"]) {
      const message = await start({ [variable]: String(port) }).then(
        () => "it started",
        (error: unknown) => String(error)
      )
      assert.include(
        message,
        `The port ${port} is in use: stop what listens on it, or set ${variable} to another port.`
      )
    }
    const message = await start({ DOWNSTREAM_PORT: String(port - 2) }).then(
      () => "it started",
      (error: unknown) => String(error)
    )
    assert.match(
      message,
      /The port \d+ \(downstream [a-z.]+\) is in use: .* set DOWNSTREAM_PORT to another first port\./
    )
    holder.close()
  })

  it("names a malformed variable and what was expected", async () => {
    const message = await start({ ADMIN_PORT: "forty" }).then(
      () => "it started",
      (error: unknown) => String(error)
    )
    assert.include(message, "ADMIN_PORT must be a port from 0 to 65535, but is 'forty'.")
  })
})

describe("stopping", () => {
  it("drains: unready at once, still serving, what is in flight is finished, exit 0", async () => {
    const shop = await start()
    // A cold service is slower than its own deadlines, and nobody has seen these products yet.
    await until("the shop is warm", 20_000, async () => {
      const pages = [await shop.page("sku-1"), await shop.page("sku-2")]
      return pages.every((page) => page.headers.get("degradation") === null && page.status === 200)
    })
    await shop.setFault("recommendations", { kind: "latency", millis: 150 })
    const inFlight = shop.page("sku-1")
    shop.process.kill("SIGTERM")
    await until("readiness is gone", 2000, async () => (await ask(`${shop.api}/readyz`)).status === 503)
    const during = await shop.page("sku-2")
    assert.strictEqual(during.status, 200)
    assert.strictEqual(during.headers.get("connection"), "close")
    assert.strictEqual((await inFlight).status, 200)
    assert.strictEqual(await shop.exited, 0)
    await shop.stop()
  })

  it("ends at once at a second signal", async () => {
    const shop = await start()
    shop.process.kill("SIGTERM")
    await until("readiness is gone", 2000, async () => (await ask(`${shop.api}/readyz`)).status === 503)
    // Within a quarter of a second it would be the same signal, passed on by a launcher.
    await new Promise((resolve) => setTimeout(resolve, 300))
    shop.process.kill("SIGTERM")
    assert.strictEqual(await shop.exited, 128 + 15)
    await shop.stop()
  })

  it("takes a signal to its whole process group for one, and drains", async () => {
    const shop = await start({}, { detached: true })
    const fresh = async () => (await shop.page("sku-1")).headers.get("degradation") === null
    await until("the shop is warm", 20_000, fresh)
    // As systemd and a launcher do: to everybody, and once more to the one.
    process.kill(-Number(shop.process.pid), "SIGTERM")
    shop.process.kill("SIGTERM")
    await until("readiness is gone", 2000, async () => (await ask(`${shop.api}/readyz`)).status === 503)
    assert.isTrue(await fresh(), "its downstreams live until it has drained")
    assert.strictEqual(await shop.exited, 0)
    await shop.stop()
  })

  it("drains when npm is told to stop, although npm's shell passes nothing on", async () => {
    const shop = await start({}, { command: ["npm", "start"] })
    shop.process.kill("SIGTERM")
    await until("it is unready, and still there", 3000, async () => (await ask(`${shop.api}/readyz`)).status === 503)
    await until("nothing listens any more", 5000, () =>
      ask(`${shop.api}/readyz`).then(
        () => false,
        () => true
      )
    )
    await shop.stop()
  })

  it("takes its downstreams with it, even when it is killed", async () => {
    const shop = await start()
    const { pid } = await shop.downstream("payments")
    shop.process.kill("SIGKILL")
    await until("the downstream is gone", 5000, async () => {
      try {
        process.kill(Number(pid), 0)
        return false
      } catch {
        return true
      }
    })
    await shop.stop()
  })
})

describe("a running storefront", () => {
  let shop: Storefront
  beforeAll(async () => {
    shop = await start()
    await until("the shop is warm", 20_000, async () => (await shop.order("warm-up")).status === 201)
  })
  afterAll(() => shop?.stop())

  const charges = async (id: unknown) =>
    (await shop.journal("payments")).applied.filter((of) => of.idempotencyKey === String(id))

  it("shows a fault that was set by hand within a second, and its end as well", async () => {
    await shop.setFault("inventory", { kind: "down" })
    const broken = await until(
      "the page shows it",
      1000,
      async () => (await shop.page("sku-1")).body["availability"] === "unknown"
    )
    await shop.clearFault("inventory")
    assert.isBelow(broken, 1000)
    await until(
      "the page is whole again",
      10_000,
      async () => (await shop.page("sku-1")).body["availability"] === "in-stock"
    )
  })

  it("gives the first answer again for the same key and charges once, also while the first still runs", async () => {
    await shop.setFault("payments", { kind: "latency", millis: 60 })
    const all = await Promise.all([shop.order("twice"), shop.order("twice"), shop.order("twice")])
    await shop.clearFault("payments")
    const later = await shop.order("twice")
    for (const seen of [...all, later]) {
      assert.strictEqual(seen.status, 201)
      assert.deepEqual(seen.body, all[0]?.body)
    }
    assert.lengthOf(await charges(later.body["id"]), 1)
  })

  it("takes the same key of another customer for another order", async () => {
    const alice = await shop.order("shared")
    const bob = await shop.order("shared", goodOrder, "demo-bob")
    assert.notStrictEqual(alice.body["id"], bob.body["id"])
  })

  it("refuses a key that was used for another order", async () => {
    await shop.order("reused")
    const other = await shop.order("reused", { ...goodOrder, items: [{ sku: "sku-2", quantity: 1 }] })
    assert.strictEqual(other.status, 422)
    assert.strictEqual(other.body["reason"], "IDEMPOTENCY_KEY_REUSED")
  })

  it("finishes an order whose customer went away", async () => {
    await shop.setFault("payments", { kind: "latency", millis: 80 })
    const gone = new AbortController()
    const sent = fetch(`${shop.api}/orders`, {
      method: "POST",
      signal: gone.signal,
      headers: {
        "content-type": "application/json",
        authorization: "Bearer demo-alice",
        "idempotency-key": '"went away"'
      },
      body: JSON.stringify(goodOrder)
    }).catch(() => "aborted")
    await until(
      "the charge is under way",
      2000,
      async () => (await shop.journal("payments")).received.at(-1)?.path === "/charges"
    )
    gone.abort()
    assert.strictEqual(await sent, "aborted")
    await shop.clearFault("payments")
    const again = await shop.order("went away")
    assert.strictEqual(again.status, 201)
    assert.lengthOf(await charges(again.body["id"]), 1)
  })

  it("releases what it reserved when the card is declined", async () => {
    const declined = await shop.order("declined", { ...goodOrder, card: "4000-0000-0000-0002" })
    assert.strictEqual(declined.status, 402)
    assert.strictEqual(declined.body["retryable"], false)
    await until("the reservation is released", 5000, async () => {
      const { applied } = await shop.journal("inventory")
      return applied.at(-1)?.operation === "release"
    })
  })

  it("shows an order to its owner only", async () => {
    const { body } = await shop.order("mine")
    const show = (token: string) =>
      ask(`${shop.api}/orders/${body["id"]}`, { headers: { authorization: `Bearer ${token}` } })
    assert.deepInclude((await show("demo-alice")).body, { id: body["id"], status: "confirmed" })
    assert.strictEqual((await show("demo-bob")).status, 404)
    assert.strictEqual((await show("nobody")).status, 401)
    assert.strictEqual((await ask(`${shop.api}/orders/${body["id"]}`)).status, 401)
  })

  it("sends the trace, the key and the time that is left to the downstream", async () => {
    const { body } = await shop.order("travels")
    const { received } = await shop.journal("payments")
    const charge = received.find((of) => of.idempotencyKey === body["id"])
    assert.match(String(charge?.traceparent), /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/)
    assert.isAbove(Number(charge?.timeoutMillis), 0)
    assert.isAtMost(Number(charge?.timeoutMillis), 600)
  })

  it("plays a whole plan for all downstreams, unless faults are set by hand, and the other way round", async () => {
    const plan = { faults: [{ kind: "down", target: "recommendations", from: 0, until: 60_000 }] }
    const admin = (method: string, path: string, body?: unknown) =>
      ask(`${shop.admin}/admin/${path}`, { method, headers: json, body: JSON.stringify(body) })
    const put = (body: unknown) => admin("PUT", "fault-plan", body)
    assert.isNull((await admin("GET", "fault-plan")).body["plan"])

    await shop.setFault("inventory", { kind: "latency", millis: 1 })
    assert.deepInclude((await put({ plan })).body, { status: 409, reason: "FAULTS_ACTIVE" })
    await shop.clearFault("inventory")

    const played = await put({ plan, seed: 3 })
    assert.deepInclude(played.body, { plan, seed: 3 })
    assert.match(String((await shop.page("sku-1")).headers.get("degradation")), /^recommendations;quality=/)
    const byHand = await admin("PUT", "faults/inventory", { kind: "down" })
    assert.deepInclude(byHand.body, { status: 409, reason: "FAULTS_ACTIVE" })
    assert.isNull((await admin("DELETE", "fault-plan")).body["plan"])

    const unknown = { faults: [{ kind: "down", target: "recommender", from: 0, until: 1 }] }
    for (const body of [{ plan: unknown }, { plan: { faults: [{ kind: "meteor" }] } }, {}, { plan, sead: 1 }]) {
      assert.deepInclude((await put(body)).body, { status: 400, reason: "MALFORMED_PLAN" }, JSON.stringify(body))
    }
    await until(
      "the page is whole again",
      10_000,
      async () => (await shop.page("sku-1")).headers.get("degradation") === null
    )
  })

  it("closes the socket of a call that it gives up", async () => {
    await shop.setFault("recommendations", { kind: "hang" })
    await shop.page("sku-9")
    const { received } = await shop.journal("recommendations")
    await shop.clearFault("recommendations")
    assert.isTrue(received.at(-2)?.aborted, "the attempt that timed out")
  })

  const json = { "content-type": "application/json" }
  const auth = { ...json, authorization: "Bearer demo-alice", "idempotency-key": '"bad"' }
  const post = (body: string, headers: Record<string, string> = auth) => ({ method: "POST", headers, body })
  const order = (change: object) => JSON.stringify({ ...goodOrder, ...change })

  it.each([
    ["an unknown route", "/nowhere", {}, 404, "UNKNOWN_ROUTE", ""],
    ["an unknown sku", "/products/sku-9999", {}, 404, "UNKNOWN_SKU", "sku-9999"],
    ["a foreign cursor", "/products?cursor=42", {}, 400, "MALFORMED_CURSOR", "cursor"],
    ["no body", "/orders", { method: "POST", headers: auth }, 400, /MALFORMED/, ""],
    ["a body that is not JSON", "/orders", post("{"), 400, /MALFORMED/, "JSON"],
    ["a missing field", "/orders", post("{}"), 400, "MALFORMED_REQUEST", "items"],
    ["no items", "/orders", post(order({ items: [] })), 400, "MALFORMED_REQUEST", "items"],
    [
      "a quantity of 0",
      "/orders",
      post(order({ items: [{ sku: "sku-1", quantity: 0 }] })),
      400,
      "MALFORMED_REQUEST",
      "quantity"
    ],
    ["a malformed card", "/orders", post(order({ card: "x" })), 400, "MALFORMED_REQUEST", "card"],
    [
      "no key",
      "/orders",
      post(order({}), { ...json, authorization: "Bearer demo-alice" }),
      400,
      "MISSING_IDEMPOTENCY_KEY",
      "Idempotency-Key"
    ],
    [
      "a malformed key",
      "/orders",
      post(order({}), { ...auth, "idempotency-key": '"' }),
      400,
      "MALFORMED_IDEMPOTENCY_KEY",
      "Idempotency-Key"
    ],
    [
      "no token",
      "/orders",
      post(order({}), { ...json, "idempotency-key": '"k"' }),
      401,
      "INVALID_TOKEN",
      "Authorization"
    ],
    ["a wrong token", "/orders", post(order({}), { ...auth, authorization: "Bearer thief" }), 401, "INVALID_TOKEN", ""],
    [
      "a body that says it is text",
      "/orders",
      post(order({}), { ...auth, "content-type": "text/plain" }),
      415,
      "UNSUPPORTED_MEDIA_TYPE",
      ""
    ],
    ["a sku that climbs out of its route", "/products/%2e%2e%2fx", {}, 400, "MALFORMED_REQUEST", "path"],
    ["a sku of dots", "/orders", post(order({ items: [{ sku: "..", quantity: 1 }] })), 400, "MALFORMED_REQUEST", "sku"],
    [
      "a sku that is half a character",
      "/orders",
      post('{"items":[{"sku":"\\ud800","quantity":1}],"card":"4111-1111-1111-1111"}'),
      400,
      "MALFORMED_REQUEST",
      "sku"
    ],
    ["a body too large", "/orders", post(order({ card: "x".repeat(70_000) })), 413, "BODY_TOO_LARGE", ""],
    ["sold out", "/orders", post(order({ items: [{ sku: "sku-13", quantity: 1 }] })), 409, "SOLD_OUT", ""],
    [
      "a sku that nobody sells",
      "/orders",
      post(order({ items: [{ sku: "sku-0", quantity: 1 }] }), { ...auth, "idempotency-key": '"sku-0"' }),
      422,
      "UNKNOWN_SKU",
      "sku-0"
    ],
    [
      "a malformed deadline",
      "/products/sku-1",
      { headers: { "grpc-timeout": "soon" } },
      400,
      "MALFORMED_HEADER",
      "grpc-timeout"
    ],
    ["a spent deadline", "/products/sku-1", { headers: { "grpc-timeout": "0m" } }, 504, "DEADLINE_EXCEEDED", ""]
  ] as const)("answers %s with a problem", async (_, path, init, status, reason, detail) => {
    const seen = await ask(shop.api + path, init)
    assert.strictEqual(seen.status, status, JSON.stringify(seen.body))
    checkAlways(seen)
    assert.match(String(seen.body["reason"]), new RegExp(reason))
    assert.include(JSON.stringify(seen.body), detail)
    assert.strictEqual(seen.body["instance"], path.split("?")[0])
  })

  it.each([
    ["an unknown downstream", "/admin/faults/nobody", '{"kind":"hang"}', 404, "nobody"],
    ["an unknown kind", "/admin/faults/catalog.eu", '{"kind":"meteor"}', 400, "kind must be one of latency"],
    ["no JSON", "/admin/faults/catalog.eu", "x", 400, "JSON"],
    ["a share above 100", "/admin/faults/catalog.eu", '{"kind":"transient","percent":101}', 400, "percent"],
    ["a missing knob", "/admin/faults/catalog.eu", '{"kind":"latency"}', 400, "millis"],
    ["a misspelt knob", "/admin/faults/catalog.eu", '{"kind":"down","forMilis":1000}', 400, "forMilis"]
  ] as const)("answers a fault with %s with a problem", async (_, path, body, status, detail) => {
    const seen = await ask(shop.admin + path, { method: "PUT", headers: json, body })
    assert.strictEqual(seen.status, status)
    checkAlways(seen)
    assert.include(String(seen.body["detail"]), detail)
  })

  it("gives the customer who comes without a token or with a wrong one the challenge", async () => {
    const seen = await ask(`${shop.api}/orders/x`)
    assert.match(String(seen.headers.get("www-authenticate")), /^Bearer/)
  })

  it("lets nobody open a circuit for others with deadlines of their own", async () => {
    for (let i = 0; i < 40; i++) await ask(`${shop.api}/products/sku-${200 + i}`, { headers: { "grpc-timeout": "1m" } })
    assert.strictEqual((await shop.page("sku-300")).status, 200)
    const circuits =
      JSON.stringify((await ask(`${shop.admin}/admin/downstreams`)).body).match(/"circuit":"[^"]+"/g) ?? []
    assert.isAbove(circuits.length, 4)
    assert.sameMembers([...new Set(circuits)], ['"circuit":"closed"'])
    // A single page may come without its recommendations where the machine is busy: not every one.
    await until("all is well by what the calls without such deadlines saw", 5000, async () => {
      await shop.page("sku-301")
      return (await ask(`${shop.admin}/health`)).body["status"] === "pass"
    })
  })

  it("answers what is no HTTP with a problem as well", async () => {
    const raw = (text: string) =>
      new Promise<string>((resolve, reject) => {
        const { hostname, port } = new URL(shop.api)
        const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(text))
        let answer = ""
        socket.on("data", (chunk) => {
          answer += chunk
        })
        socket.on("close", () => resolve(answer))
        socket.on("error", reject)
      })
    const host = "host: x\r\nconnection: close\r\n"
    for (const [text, status] of [
      ["not http at all\r\n\r\n", 400],
      [`GET / HTTP/1.1\r\n${host}content-length: many\r\n\r\n`, 400],
      [`GET / HTTP/1.1\r\n${host}x: ${"x".repeat(20_000)}\r\n\r\n`, 431],
      [`GET / HTTP/1.1\r\n${host}expect: the unexpected\r\n\r\n`, 417],
      [`CONNECT x:80 HTTP/1.1\r\n${host}\r\n`, 405]
    ] as const) {
      const answer = await raw(text)
      assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), text.slice(0, 40))
      assert.match(answer, /content-type: application\/problem\+json/i)
      assert.match(answer, /"reason":"[A-Z_]+"/)
    }
  })

  it("keeps the end of a fault whose process was killed meanwhile", async () => {
    await shop.setFault("inventory", { kind: "transient", percent: 100, forMillis: 3000 })
    const { pid } = await shop.downstream("inventory")
    await new Promise((resolve) => setTimeout(resolve, 800))
    process.kill(Number(pid), "SIGKILL")
    await until("nothing is broken by the list", 5000, async () => {
      const { body } = await ask(`${shop.admin}/admin/faults`)
      return JSON.stringify(body["faults"]) === "[]"
    })
    await until(
      "the list told the truth",
      1500,
      async () => (await ask(`${(await shop.downstream("inventory")).url}/stock/sku-1`)).status === 200
    )
  })

  it("ends a fault by itself after forMillis", async () => {
    await shop.setFault("inventory", { kind: "down", forMillis: 300 })
    assert.strictEqual((await shop.page("sku-1")).body["availability"], "unknown")
    await until("the fault is over", 5000, async () => (await shop.page("sku-1")).body["availability"] === "in-stock")
    assert.deepEqual((await ask(`${shop.admin}/admin/faults`)).body["faults"], [])
  })

  it("documents its API, and the page needs no other host", async () => {
    const { body } = await ask(`${shop.api}/openapi.json`)
    assert.sameMembers(Object.keys(Object(body["paths"])), [
      "/products/{sku}",
      "/products",
      "/shipping-quotes",
      "/orders",
      "/orders/{id}"
    ])
    const page = await (await fetch(`${shop.api}/docs`)).text()
    assert.notMatch(page, /<script[^>]+src="https?:/)
  })

  it("shows each downstream with its policies, their knobs and their state", async () => {
    const { body } = await ask(`${shop.admin}/admin/downstreams`)
    const all = Array.isArray(body["downstreams"]) ? body["downstreams"] : []
    assert.deepEqual(
      all.map((of) => of.name),
      [
        "identity",
        "catalog",
        "catalog.eu",
        "catalog.us",
        "inventory",
        "payments",
        "recommendations",
        "shipping.dhl",
        "shipping.ups"
      ]
    )
    const charge = all.find((of) => of.name === "payments").methods[0]
    assert.strictEqual(charge.policy, "deadline > retry > circuitBreaker > adaptiveLimit > timeout")
    assert.deepEqual(charge.settings["payments/charge/deadline.limitMillis"], { value: 600, origin: "code" })
    assert.strictEqual(charge.state.circuitBreaker.circuit, "closed")
  })
})
