import { assert, describe, it } from "@effect/vitest"
import { HttpServerRequest } from "effect/http"
import { limits } from "../src/storefront/quotas.ts"

const keyOf = (name: string, method: string, path: string) =>
  limits
    .find((limit) => limit.name === name)
    ?.key?.(
      HttpServerRequest.fromWeb(new Request(`http://shop.example${path}`, { method, headers: { authorization: "a" } }))
    )

describe("the quotas of the storefront", () => {
  it("count an order, however its address is written, and nothing else as one", () => {
    const key = keyOf("orders", "POST", "/orders")
    assert.isString(key)
    for (const path of ["/orders?", "/orders?x=1", "/orders/", "//orders", "/Orders", "/%6frders", "/orders;x"]) {
      assert.strictEqual(keyOf("orders", "POST", path), key, path)
    }
    assert.isUndefined(keyOf("orders", "GET", "/orders"))
    assert.isUndefined(keyOf("orders", "POST", "/orders/1"))
  })

  it("leave out who looks after the service", () => {
    for (const path of ["/livez", "/readyz/", "/Health?x=1"]) assert.isUndefined(keyOf("client", "GET", path), path)
    assert.isString(keyOf("client", "GET", "/products/1"))
  })
})
