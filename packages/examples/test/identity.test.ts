/** The identity downstream: the tokens that it signs, and what it says of others. */
import { chmodSync, lstatSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from "jose"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { Identity } from "../src/contracts/Identity.ts"
import { JwkSet } from "../src/contracts/JwkSet.ts"
import { audience, lifetimeSeconds } from "../src/contracts/SignedToken.ts"
import * as identity from "../src/downstreams/identity.ts"
import type { Downstream, Reply } from "../src/downstreams/Operation.ts"
import { authenticateReader } from "../src/storefront/customer.ts"
import { IdentityRing } from "../src/storefront/rings.ts"
import { SigningKeys } from "../src/storefront/SigningKeys.ts"

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

  it("keeps it for itself also where a file or a link was left in its way", async () => {
    const left = join(folder, "identity-key.json.new")
    const file = join(folder, "identity-key.json")
    writeFileSync(left, "of a process that was killed")
    chmodSync(left, 0o644)
    identity.make(folder)
    assert.strictEqual(statSync(file).mode & 0o777, 0o600)

    rmSync(file)
    const elsewhere = join(folder, "elsewhere")
    writeFileSync(elsewhere, "")
    symlinkSync(elsewhere, left)
    identity.make(folder)
    assert.strictEqual(readFileSync(elsewhere, "utf8"), "")
    assert.isFalse(lstatSync(file).isSymbolicLink())
    assert.strictEqual(lstatSync(file).mode & 0o777, 0o600)
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

  it("refuses a login without a customer, or with a name that is too long or of other letters", async () => {
    const downstream = identity.make(folder)
    const names = ["", "c".repeat(65), 7, "漢".repeat(64), "\u0001".repeat(64), '"'.repeat(64), "carol\n", "é"]
    for (const body of [undefined, {}, ...names.map((customerId) => ({ customerId }))]) {
      assert.strictEqual((await ask(downstream, "POST", "/tokens", body)).status, 400, JSON.stringify(body))
    }
  })

  it("signs no token that the storefront does not read", async () => {
    const downstream = identity.make(folder)
    const keys = await keysOf(downstream)
    const signingKeys = Layer.succeed(SigningKeys, { forToken: () => Effect.succeed(keys) })
    const never = Identity.transport({ verify: () => Effect.never, keys: () => Effect.never })
    for (const customerId of ["c", "carol@example.com", "c".repeat(64), "+".repeat(64)]) {
      const reader = authenticateReader(`Bearer ${await mint(downstream, customerId)}`).pipe(
        Effect.provide(Layer.mergeAll(signingKeys, Layer.provide(IdentityRing, never)))
      )
      assert.strictEqual(await Effect.runPromise(reader), customerId)
    }
  })

  it("does not start with a key that cannot be read, and says which", () => {
    const file = join(folder, "identity-key.json")
    writeFileSync(file, '{"kty":"OKP"')
    assert.throws(() => identity.make(folder), `${file} cannot be read`)
  })
})
