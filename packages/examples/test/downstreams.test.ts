import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as inventory from "../src/downstreams/inventory.ts"
import type { Downstream, Reply } from "../src/downstreams/Operation.ts"
import * as payments from "../src/downstreams/payments.ts"

let folder = ""
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "failsoft-downstream-"))
})
afterEach(() => rmSync(folder, { recursive: true }))

const ask = (downstream: Downstream, line: string, body?: unknown, idempotencyKey?: string): Reply => {
  const [method, path = ""] = line.split(" ")
  for (const operation of downstream.operations) {
    const match = operation.path.exec(path)
    if (operation.method !== method || match === null) continue
    const reply = operation.run({ params: match.slice(1), query: new URLSearchParams(), body, idempotencyKey })
    return Effect.isEffect(reply) ? Effect.runSync(reply) : reply
  }
  throw new Error(`no operation ${line}`)
}
const reasonOf = ({ body }: Reply) => (body as { reason?: string } | undefined)?.reason

const charge = { amount: 1250, currency: "EUR", card: "4111-1111-1111-1111" }

describe("payments", () => {
  it("charges once per key, across a restart too, and answers each repetition alike", () => {
    const before = payments.make(folder)
    const seen = ask(before, "POST /charges", charge, "order-1")
    assert.deepEqual(seen, { status: 201, body: { chargeId: "charge-order-1", status: "captured" } })
    assert.deepEqual(ask(before, "POST /charges", charge, "order-1"), seen)
    const after = payments.make(folder)
    assert.deepEqual(ask(after, "POST /charges", charge, "order-1"), seen)
    assert.deepEqual(ask(after, "GET /charges/order-1"), { status: 200, body: { status: "captured" } })
    assert.deepEqual(
      after.applied().map(({ idempotencyKey, amount }) => [idempotencyKey, amount]),
      [["order-1", 1250]]
    )
  })

  it("remembers a decline, and does not count it as applied", () => {
    const declined = { ...charge, card: "4000-0000-0000-0002" }
    const downstream = payments.make(folder)
    assert.strictEqual(ask(downstream, "POST /charges", declined, "order-1").status, 402)
    assert.strictEqual(reasonOf(ask(downstream, "POST /charges", charge, "order-1")), "KEY_REUSED")
    assert.deepEqual(ask(downstream, "GET /charges/order-1").body, { status: "declined" })
    assert.deepEqual(downstream.applied(), [])
  })

  it("refuses a missing key, another payload for a known key, a malformed charge, an unknown charge", () => {
    const downstream = payments.make(folder)
    ask(downstream, "POST /charges", charge, "order-1")
    assert.strictEqual(reasonOf(ask(downstream, "POST /charges", charge)), "MISSING_KEY")
    const other = ask(downstream, "POST /charges", { ...charge, amount: 1 }, "order-1")
    assert.deepEqual([other.status, reasonOf(other)], [422, "KEY_REUSED"])
    const malformed = ask(downstream, "POST /charges", { ...charge, amount: "1" }, "order-2")
    assert.deepEqual([malformed.status, reasonOf(malformed)], [400, "MALFORMED_BODY"])
    assert.strictEqual(reasonOf(ask(downstream, "GET /charges/order-9")), "NEVER_CHARGED")
    assert.lengthOf(downstream.applied(), 1)
  })
})

describe("inventory", () => {
  it("does not make a reservation that its release has overtaken", () => {
    const before = inventory.make(folder)
    const body = { items: [{ sku: "sku-1", quantity: 1 }] }
    assert.strictEqual(ask(before, "DELETE /reservations/late").status, 204)
    for (const downstream of [before, inventory.make(folder)]) {
      assert.strictEqual(reasonOf(ask(downstream, "POST /reservations", body, "late")), "RESERVATION_RELEASED")
      assert.deepEqual(downstream.applied(), [])
    }
  })

  const stock = (downstream: Downstream, sku: string) =>
    Number((ask(downstream, `GET /stock/${sku}`).body as { available?: number }).available)

  it("holds a reservation once per key until it is released, across a restart too", () => {
    const before = inventory.make(folder)
    const all = stock(before, "sku-1")
    const items = [{ sku: "sku-1", quantity: 3 }]
    for (let nth = 0; nth < 2; nth++) {
      assert.strictEqual(ask(before, "POST /reservations", { items }, "order-1").status, 201)
    }
    const after = inventory.make(folder)
    assert.strictEqual(stock(after, "sku-1"), all - 3)
    for (let nth = 0; nth < 2; nth++) {
      assert.deepEqual(ask(after, "DELETE /reservations/order-1"), { status: 204 })
      assert.strictEqual(stock(after, "sku-1"), all)
    }
    assert.deepEqual(
      inventory
        .make(folder)
        .applied()
        .map(({ operation }) => operation),
      ["reserve", "release"]
    )
  })

  it("never reserves more than there is, nor half of what was asked for", () => {
    const downstream = inventory.make(folder)
    const all = stock(downstream, "sku-1")
    const split = new Array(all / 1000).fill({ sku: "sku-1", quantity: 1000 })
    const over = ask(downstream, "POST /reservations", { items: [...split, { sku: "sku-1", quantity: 1 }] }, "order-1")
    assert.deepEqual([over.status, reasonOf(over)], [409, "SOLD_OUT"])
    const mixed = [
      { sku: "sku-2", quantity: 1 },
      { sku: "sku-13", quantity: 1 }
    ]
    assert.strictEqual(ask(downstream, "POST /reservations", { items: mixed }, "order-2").status, 409)
    assert.strictEqual(stock(downstream, "sku-2"), all)
    assert.strictEqual(ask(downstream, "POST /reservations", { items: split }, "order-3").status, 201)
    assert.strictEqual(stock(downstream, "sku-1"), 0)
  })

  it("refuses what is malformed or unknown", () => {
    const downstream = inventory.make(folder)
    const reserve = (items: unknown, key?: string) => ask(downstream, "POST /reservations", { items }, key)
    assert.strictEqual(reasonOf(reserve([], undefined)), "MISSING_KEY")
    for (const quantity of [0, -1, 1.5, 1001]) {
      assert.strictEqual(reasonOf(reserve([{ sku: "sku-1", quantity }], "order-1")), "MALFORMED_BODY", `${quantity}`)
    }
    for (const sku of ["sku-0", "sku-501", "sku-01", "SKU-1"]) {
      assert.strictEqual(reasonOf(reserve([{ sku, quantity: 1 }], "order-1")), "UNKNOWN_SKU", sku)
      assert.strictEqual(reasonOf(ask(downstream, `GET /stock/${sku}`)), "UNKNOWN_SKU", sku)
    }
    assert.deepEqual(downstream.applied(), [])
  })
})
