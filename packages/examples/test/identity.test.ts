/** The identity downstream: the tokens that it signs, and what it says of others. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from "jose"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { JwkSet } from "../src/contracts/JwkSet.ts"
import { audience, lifetimeSeconds } from "../src/contracts/SignedToken.ts"
import * as identity from "../src/downstreams/identity.ts"
import type { Downstream, Reply } from "../src/downstreams/Operation.ts"

let folder = ""
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "failsoft-identity-"))
})
afterEach(() => rmSync(folder, { recursive: true }))

const ask = async (downstream: Downstream, method: string, path: string, body?: unknown): Promise<Reply> => {
  const operation = downstream.operations.find((of) => of.method === method && of.path.test(path))
  if (operation === undefined) throw new Error(`no operation ${method} ${path}`)
  const reply = operation.run({ params: [], query: new URLSearchParams(), body, idempotencyKey: undefined })
  return Effect.isEffect(reply) ? Effect.runPromise(reply) : reply
}

const keysOf = async (downstream: Downstream) =>
  Schema.decodeUnknownSync(JwkSet)((await ask(downstream, "GET", "/keys")).body)

const mint = async (downstream: Downstream, customerId = "carol") => {
  const { body, status } = await ask(downstream, "POST", "/tokens", { customerId })
  assert.strictEqual(status, 201)
  return Schema.decodeUnknownSync(Schema.Struct({ token: Schema.String }))(body).token
}

const verify = (downstream: Downstream, token: string) => ask(downstream, "POST", "/verify", { token })

describe("identity", () => {
  it("signs a token of ten minutes for the storefront, which its published key confirms", async () => {
    const downstream = identity.make(folder)
    const token = await mint(downstream)
    const keys = await keysOf(downstream)
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet({ keys: [...keys.keys] }))
    assert.deepEqual(protectedHeader, { alg: "EdDSA", kid: String(keys.keys[0]?.kid), typ: "JWT" })
    assert.strictEqual(payload.sub, "carol")
    assert.strictEqual(payload.aud, audience)
    assert.strictEqual(Number(payload.exp) - Number(payload.iat), lifetimeSeconds)
  })

  it("publishes nothing of its private key, and keeps it for itself", async () => {
    const text = JSON.stringify((await ask(identity.make(folder), "GET", "/keys")).body)
    const file = join(folder, "identity-key.json")
    const { d } = JSON.parse(readFileSync(file, "utf8"))
    assert.isString(d)
    assert.notInclude(text, d)
    assert.notInclude(text, '"d"')
    assert.strictEqual(statSync(file).mode & 0o077, 0)
  })

  it("knows its tokens, also after a restart, and the demo's", async () => {
    const token = await mint(identity.make(folder))
    const after = identity.make(folder)
    assert.deepEqual(await verify(after, token), { status: 200, body: { customerId: "carol" } })
    assert.deepEqual(await verify(after, "demo-alice"), { status: 200, body: { customerId: "alice" } })
    assert.deepEqual(await verify(after, "demo-bob"), { status: 200, body: { customerId: "bob" } })
  })

  it("does not know the tokens of another key, nor other texts", async () => {
    const downstream = identity.make(folder)
    for (const token of [await mint(identity.make(undefined)), `${await mint(downstream)}x`, "", "a.b.c", "demo-eve"]) {
      assert.strictEqual((await verify(downstream, token)).status, 401, token)
    }
  })

  it("gives its keys names of their own", async () => {
    const kids = new Set<unknown>()
    for (let nth = 0; nth < 5; nth++) kids.add(decodeProtectedHeader(await mint(identity.make(undefined))).kid)
    assert.strictEqual(kids.size, 5)
  })

  it("refuses a login without a customer, or with a name that is too long", async () => {
    const downstream = identity.make(folder)
    for (const body of [undefined, {}, { customerId: "" }, { customerId: "c".repeat(65) }, { customerId: 7 }]) {
      assert.strictEqual((await ask(downstream, "POST", "/tokens", body)).status, 400)
    }
  })

  it("does not start with a key that cannot be read, and says which", () => {
    const file = join(folder, "identity-key.json")
    writeFileSync(file, '{"kty":"OKP"')
    assert.throws(() => identity.make(folder), `${file} cannot be read`)
  })
})
