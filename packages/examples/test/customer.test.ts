/** Who a request is from, with tokens good and bad, while identity is well, down, or down for long. */
import { assert, describe, it } from "@effect/vitest"
import { Cache, Deadline, Journal, Transient } from "@failsoft/core"
import { Problem } from "@failsoft/http"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from "jose"
import { Identity, InvalidToken } from "../src/contracts/Identity.ts"
import type { JwkSet } from "../src/contracts/JwkSet.ts"
import { authenticate, authenticateReader } from "../src/storefront/customer.ts"
import { IdentityRing } from "../src/storefront/rings.ts"
import * as SigningKeys from "../src/storefront/SigningKeys.ts"

type RawCalls = Parameters<typeof Identity.transport>[0]

/** A key of identity, or of somebody who pretends. */
const keyNamed = async (kid: string) => {
  const { privateKey, publicKey } = await generateKeyPair("EdDSA", { extractable: true })
  const { x = "" } = await exportJWK(publicKey)
  return { kid, privateKey, jwk: { kty: "OKP", crv: "Ed25519", x, kid, alg: "EdDSA" } as const }
}
type Key = Awaited<ReturnType<typeof keyNamed>>

const first = await keyNamed("first")
const second = await keyNamed("second")
const impostor = await keyNamed("first")

const claims = (more: JWTPayload = {}): JWTPayload => ({ sub: "carol", aud: "storefront", iat: 0, exp: 600, ...more })

const sign = (key: Key, more: JWTPayload = {}) =>
  new SignJWT(claims(more)).setProtectedHeader({ alg: "EdDSA", kid: key.kid }).sign(key.privateKey)

/** Without one of the claims. */
const signWithout = (name: string) =>
  new SignJWT(Object.fromEntries(Object.entries(claims()).filter(([of]) => of !== name)))
    .setProtectedHeader({ alg: "EdDSA", kid: "first" })
    .sign(first.privateKey)

const good = await sign(first)
const longLived = await sign(first, { exp: 1_000_000 })
const forged = await sign(impostor, { exp: 1_000_000 })
const ofSecond = await sign(second)
const endless = await sign(first, { exp: 1e10 })
const endlessOfSecond = await sign(second, { exp: 1e10 })

interface World {
  keys: JwkSet["keys"]
  down: boolean
  /** It takes a while to give its keys. */
  slow?: boolean
  /** What was asked of it. */
  readonly asked: { verify: number; keys: number }
  /** What the cache of its keys was used for. */
  readonly uses: Array<string>
}

const down = new Transient.Transient({ cause: "connection_refused", applied: "no" })

const identity = (world: World) =>
  Identity.transport({
    verify: ({ token }) =>
      Effect.suspend((): ReturnType<RawCalls["verify"]> => {
        world.asked.verify++
        if (world.down) return Effect.fail(down)
        return token === "demo-alice" || token === good
          ? Effect.succeed({ customerId: token === good ? "carol" : "alice" })
          : Effect.fail(new InvalidToken())
      }),
    keys: () =>
      Effect.suspend(() => {
        world.asked.keys++
        const answer = Effect.suspend(() => (world.down ? Effect.fail(down) : Effect.succeed({ keys: world.keys })))
        return world.slow ? Effect.delay(answer, "20 millis") : answer
      })
  })

/** A storefront process with the ring that the shop has. */
const shop = Effect.gen(function* () {
  const world: World = { keys: [first.jwk], down: false, asked: { verify: 0, keys: 0 }, uses: [] }
  const context = yield* Layer.build(
    SigningKeys.layer.pipe(Layer.provideMerge(Layer.fresh(IdentityRing)), Layer.provide(identity(world)))
  )
  /** The customer or the status of the refusal, then the qualities of what it rests on. */
  const told = (of: ReturnType<typeof authenticate> | ReturnType<typeof authenticateReader>) =>
    Effect.gen(function* () {
      const journal = yield* Journal.make
      const said = yield* of.pipe(
        Effect.provideContext(context),
        Effect.provideService(Journal.Journal, journal),
        Effect.match({
          onSuccess: (customerId): unknown => customerId,
          onFailure: (error): unknown => (error instanceof Problem.Problem ? error.status : 503)
        })
      )
      world.uses.push(...journal.cacheUses().map(({ status }) => status))
      return [said, ...journal.entries().map(({ downstream, quality }) => `${downstream} ${quality}`)]
    })
  /** The same with time that passes meanwhile: the retries of a dead identity wait. */
  const inTime = (of: ReturnType<typeof told>) =>
    of.pipe(
      Effect.forkChild,
      Effect.tap(() => TestClock.adjust("1 second")),
      Effect.flatMap(Fiber.join)
    )
  const readNow = (token: string) => told(authenticateReader(`Bearer ${token}`))
  return {
    world,
    forgetKeys: Cache.clear(Context.get(context, Identity)),
    readNow,
    read: (token: string) => inTime(readNow(token)),
    order: (token: string) => inTime(told(authenticate(`Bearer ${token}`)))
  }
})

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

const encoded = (json: unknown) => Buffer.from(JSON.stringify(json)).toString("base64url")

const [header = "", payload = "", signature = ""] = good.split(".")

/** Signed with what everybody knows: the public key. */
const withPublicKeyAsSecret = await new SignJWT(claims())
  .setProtectedHeader({ alg: "HS256", kid: "first" })
  .sign(Buffer.from(first.jwk.x, "base64url"))

const bad: Readonly<Record<string, string>> = {
  expired: await sign(first, { exp: 0 }),
  "not valid yet": await sign(first, { nbf: 300 }),
  "for another service": await sign(first, { aud: "warehouse" }),
  "for several others": await sign(first, { aud: ["warehouse", "storefronts"] }),
  "for nobody": await signWithout("aud"),
  "of nobody": await signWithout("sub"),
  "of an empty name": await sign(first, { sub: "" }),
  "without an end": await signWithout("exp"),
  "without a beginning": await signWithout("iat"),
  "unsigned, alg none": new UnsecuredJWT(claims()).encode(),
  "alg none with the name of the key": `${encoded({ alg: "none", kid: "first" })}.${payload}.`,
  "alg none with a signature": `${encoded({ alg: "none", kid: "first" })}.${payload}.${signature}`,
  "HS256 with the public key as the secret": withPublicKeyAsSecret,
  "without a signature": `${header}.${payload}.`,
  "without a name of a key": await new SignJWT(claims()).setProtectedHeader({ alg: "EdDSA" }).sign(first.privateKey),
  "of another key with the same name": await sign(impostor),
  "with another customer": `${header}.${encoded(claims({ sub: "alice" }))}.${signature}`,
  "with a key of its own": await new SignJWT(claims())
    .setProtectedHeader({ alg: "EdDSA", kid: "first", jwk: impostor.jwk })
    .sign(impostor.privateKey),
  "with a header that it must understand": await new SignJWT(claims())
    .setProtectedHeader({ alg: "EdDSA", kid: "first", crit: ["cnf"], cnf: "x" })
    .sign(first.privateKey, { crit: { cnf: true } }),
  "three dots of nothing": "..",
  "no JSON": "a.b.c"
}

describe("who reads", () => {
  it.effect("is known by a signed token, while identity is asked for its keys once", () =>
    Effect.gen(function* () {
      const { read, world } = yield* shop
      for (let nth = 0; nth < 5; nth++) assert.deepEqual(yield* read(good), ["carol"])
      assert.deepEqual(world.asked, { verify: 0, keys: 1 })
    })
  )

  it.effect("is known while identity is down: fresh at first, then stale and said so, then it is an outage", () =>
    Effect.gen(function* () {
      const { read, world } = yield* shop
      assert.deepEqual(yield* read(longLived), ["carol"])
      world.down = true
      yield* TestClock.adjust("4 minutes")
      assert.deepEqual(yield* read(longLived), ["carol"])
      for (const later of ["2 minutes", "4 minutes", "50 minutes"] as const) {
        yield* TestClock.adjust(later)
        assert.deepEqual(yield* read(longLived), ["carol", "identity stale"], later)
        assert.strictEqual((yield* read(forged))[0], 401, later)
        assert.strictEqual((yield* read(good))[0], later === "2 minutes" ? "carol" : 401, "it ends all the same")
      }
      // An hour after the five minutes in which they were fresh.
      yield* TestClock.adjust("5 minutes")
      assert.deepEqual(yield* read(longLived), [503])
      assert.deepEqual(yield* read(forged), [503])
      world.down = false
      yield* TestClock.adjust("1 minute")
      assert.deepEqual(yield* read(longLived), ["carol"])
    })
  )

  it.effect("is an outage, not a refusal, where the keys were never seen", () =>
    Effect.gen(function* () {
      const { read, world } = yield* shop
      world.down = true
      assert.deepEqual(yield* read(good), [503])
      // What cannot be a token of identity needs no keys to be refused.
      assert.deepEqual(yield* read(bad["unsigned, alg none"] ?? ""), [401])
      assert.deepEqual(yield* read(withPublicKeyAsSecret), [401])
    })
  )

  it.effect("is asked for by a token without a signature as ever, live", () =>
    Effect.gen(function* () {
      const { read, world } = yield* shop
      assert.deepEqual(yield* read("demo-alice"), ["alice"])
      assert.deepEqual(yield* read("demo-eve"), [401])
      world.down = true
      assert.deepEqual(yield* read("demo-alice"), [503])
      assert.deepEqual(world.asked.keys, 0)
    })
  )

  describe.each([true, false])("while identity is up: %s", (up) => {
    it.effect.each(Object.keys(bad))("is refused with a token %s", (name) =>
      Effect.gen(function* () {
        const { read, world } = yield* shop
        assert.deepEqual(yield* read(good), ["carol"])
        world.down = !up
        assert.deepEqual(yield* read(bad[name] ?? ""), [401])
        assert.strictEqual(world.asked.verify, 0)
      })
    )
  })

  it.effect("is refused whatever bit of his token is flipped, and identity is not asked more for it", () =>
    Effect.gen(function* () {
      const { readNow, world } = yield* shop
      const bytes = Buffer.from(good, "latin1")
      let flipped = 0
      for (const at of bytes.keys()) {
        for (let bit = 0; bit < 8; bit++) {
          const other = Buffer.from(bytes)
          other.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at)
          assert.deepEqual(yield* readNow(other.toString("latin1")), [401], `bit ${bit} of byte ${at}`)
          flipped++
        }
      }
      assert.strictEqual(flipped, good.length * 8)
      assert.isAtMost(world.asked.keys, 2)
      assert.deepEqual(yield* readNow(good), ["carol"])
    })
  )

  it.effect("is known by a token for the storefront among others", () =>
    Effect.gen(function* () {
      const { read } = yield* shop
      const token = yield* Effect.promise(() => sign(first, { aud: ["warehouse", "storefront"] }))
      assert.deepEqual(yield* read(token), ["carol"])
    })
  )

  it.effect("is known to the end of his token and no second longer, and not before its beginning", () =>
    Effect.gen(function* () {
      const { readNow } = yield* shop
      const token = yield* Effect.promise(() => sign(first, { nbf: 10, exp: 20 }))
      for (const [millis, said] of [
        [9999, 401],
        [10_000, "carol"],
        [19_999, "carol"],
        [20_000, 401]
      ] as const) {
        yield* TestClock.setTime(millis)
        assert.deepEqual(yield* readNow(token), [said], `at ${millis} ms`)
      }
    })
  )

  it.effect("is known by keys that are for signing, in the one way", () =>
    Effect.gen(function* () {
      const { forgetKeys, readNow, world } = yield* shop
      const { jwk } = first
      const { alg: _, ...withoutAlg } = jwk
      for (const [keys, said] of [
        [[{ ...jwk, use: "enc" }], 401],
        [[{ ...jwk, alg: "RS256" }], 401],
        [[{ ...jwk, kty: "EC" }], 401],
        [[{ ...jwk, crv: "X25519" }], 401],
        [[{ ...jwk, x: "" }], 401],
        [[{ ...jwk, x: second.jwk.x }], 401],
        [[{ ...jwk, use: "sig" }], "carol"],
        [[withoutAlg], "carol"],
        // Whatever else has the name of the key.
        [[{ kty: "RSA", kid: "first" }, impostor.jwk, jwk], "carol"],
        [[{ ...jwk, crv: "X25519" }, { ...jwk, kty: "EC" }, jwk], "carol"],
        // The right key by another name.
        [[impostor.jwk, { ...jwk, kid: "second" }], 401]
      ] as const) {
        world.keys = keys
        yield* forgetKeys
        assert.deepEqual(yield* readNow(good), [said], JSON.stringify(keys))
      }
    })
  )

  it.effect("has one text of a token: no other last character says the same", () =>
    Effect.gen(function* () {
      const { readNow } = yield* shop
      for (const last of base64url) {
        const token = good.slice(0, -1) + last
        assert.deepEqual(yield* readNow(token), [token === good ? "carol" : 401], last)
      }
    })
  )
})

describe("a key that nobody knows", () => {
  it.effect("is asked for once, and then it is known", () =>
    Effect.gen(function* () {
      const { read, world } = yield* shop
      assert.deepEqual(yield* read(good), ["carol"])
      world.keys = [second.jwk]
      const all = yield* Effect.all([read(ofSecond), read(ofSecond), read(ofSecond)], { concurrency: "unbounded" })
      assert.deepEqual(all, [["carol"], ["carol"], ["carol"]])
      assert.strictEqual(world.asked.keys, 2)
      // What identity no longer has opens nothing.
      assert.deepEqual(yield* read(good), [401])
    })
  )

  it.effect("makes nobody ask identity more than once in 30 seconds", () =>
    Effect.gen(function* () {
      const { read, readNow, world } = yield* shop
      assert.deepEqual(yield* read(good), ["carol"])
      const invented = yield* Effect.promise(() =>
        Promise.all(Array.from({ length: 50 }, (_, nth) => sign({ ...impostor, kid: `invented-${nth}` })))
      )
      for (const token of invented) assert.deepEqual(yield* readNow(token), [401])
      assert.strictEqual(world.asked.keys, 2)
      yield* TestClock.adjust("29 seconds")
      for (const token of invented) assert.deepEqual(yield* readNow(token), [401])
      assert.strictEqual(world.asked.keys, 2)
      yield* TestClock.adjust("2 seconds")
      for (const token of invented) assert.deepEqual(yield* readNow(token), [401])
      assert.strictEqual(world.asked.keys, 3)
    })
  )

  it.effect("is an outage while identity is down, which is asked for it once in 2 seconds, and known soon after", () =>
    Effect.gen(function* () {
      const { read, readNow, world } = yield* shop
      assert.deepEqual(yield* read(good), ["carol"])
      world.down = true
      world.keys = [first.jwk, second.jwk]
      const { keys } = world.asked
      assert.deepEqual(yield* read(ofSecond), [503])
      // With the retries of the policies, in the first second of the two.
      const once = world.asked.keys - keys
      for (let nth = 0; nth < 20; nth++) assert.deepEqual(yield* readNow(ofSecond), [503])
      assert.strictEqual(world.asked.keys - keys, once)
      // Who is known stays known, and what is forged in the name of a key that is known stays forged.
      assert.deepEqual(yield* read(good), ["carol"])
      assert.deepEqual(yield* read(forged), [401])
      yield* TestClock.adjust("2 seconds")
      assert.deepEqual(yield* read(ofSecond), [503])
      assert.isAbove(world.asked.keys - keys, once)
      world.down = false
      assert.deepEqual(yield* readNow(ofSecond), [503])
      yield* TestClock.adjust("2 seconds")
      assert.deepEqual(yield* readNow(ofSecond), ["carol"])
    })
  )

  it.effect("does not bring back a key that identity has withdrawn since", () =>
    Effect.gen(function* () {
      const { forgetKeys, read, world } = yield* shop
      assert.deepEqual(yield* read(good), ["carol"])
      assert.deepEqual(yield* read(ofSecond), [401])
      world.keys = [second.jwk]
      // The answer to the question for the second key is still shared.
      yield* forgetKeys
      assert.deepEqual(yield* read(ofSecond), ["carol"])
      assert.deepEqual(yield* read(good), [401])
    })
  )

  it.effect("costs two calls at most, and the answer tells of one", () =>
    Effect.gen(function* () {
      const { read, world } = yield* shop
      const uses = () => world.uses.splice(0)
      assert.deepEqual(yield* read(longLived), ["carol"])
      assert.deepEqual(uses(), ["miss"])
      assert.deepEqual(yield* read(ofSecond), [401])
      assert.deepEqual(uses(), ["hit", "miss"])
      yield* TestClock.adjust("11 minutes")
      world.down = true
      assert.deepEqual(yield* read(ofSecond), [503, "identity stale"])
      assert.deepEqual(uses(), ["stale-if-error", "miss"])
      assert.deepEqual(yield* read(ofSecond), [503, "identity stale"])
      assert.deepEqual(uses(), ["stale-if-error"])
    })
  )

  it.effect("is asked for by one whose time is nearly over, and found for those who wait with him", () =>
    Effect.gen(function* () {
      const { read, readNow, world } = yield* shop
      assert.deepEqual(yield* read(good), ["carol"])
      world.keys = [first.jwk, second.jwk]
      world.slow = true
      const now = yield* Clock.currentTimeMillis
      const hasty = yield* Effect.forkChild(Effect.provideService(readNow(ofSecond), Deadline.Deadline, now + 5))
      yield* TestClock.adjust("1 millis")
      const other = yield* Effect.forkChild(readNow(ofSecond))
      yield* TestClock.adjust("1 second")
      assert.deepEqual(yield* Fiber.join(other), ["carol"])
      yield* Fiber.join(hasty)
      assert.strictEqual(world.asked.keys, 2)
    })
  )

  it.effect("is asked for no more often by those who do not wait for the answer", () =>
    Effect.gen(function* () {
      const { read, readNow, world } = yield* shop
      assert.deepEqual(yield* read(good), ["carol"])
      world.slow = true
      const hasty = yield* Effect.forkChild(readNow(ofSecond))
      yield* TestClock.adjust("1 millis")
      const leaving = yield* Effect.forkChild(Fiber.interrupt(hasty))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(leaving)
      world.slow = false
      assert.strictEqual(world.asked.keys, 2)
      for (let nth = 0; nth < 5; nth++) yield* read(ofSecond)
      assert.strictEqual(world.asked.keys, 2)
    })
  )
})

describe("where the clock is set back", () => {
  const day = 24 * 3_600_000

  it.effect("keys serve an outage no longer than ever", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(2 * day)
      const { read, world } = yield* shop
      assert.deepEqual(yield* read(endless), ["carol"])
      world.down = true
      yield* TestClock.setTime(day)
      assert.deepEqual(yield* read(endless), ["carol", "identity stale"])
      yield* TestClock.adjust("64 minutes")
      assert.deepEqual(yield* read(endless), ["carol", "identity stale"])
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* read(endless))[0], 503)
      yield* TestClock.adjust("20 hours")
      assert.strictEqual((yield* read(endless))[0], 503)
      world.down = false
      yield* TestClock.adjust("2 seconds")
      assert.deepEqual(yield* read(endless), ["carol"])
    })
  )

  it.effect("keys that were refreshed beside a read are as old as that, also where nobody has read since", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(2 * day)
      const { read, world } = yield* shop
      assert.deepEqual(yield* read(endless), ["carol"])
      yield* TestClock.adjust("6 minutes")
      assert.deepEqual(yield* read(endless), ["carol", "identity stale"])
      assert.strictEqual(world.asked.keys, 2)
      world.down = true
      yield* TestClock.adjust("2 hours")
      // To where they look as if they had just come.
      yield* TestClock.setTime(2 * day + 6 * 60_000 + 500)
      assert.strictEqual((yield* read(endless))[0], 503)
    })
  )

  it.effect("a key that nobody knows is asked for as often as ever", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(2 * day)
      const { read, world } = yield* shop
      assert.deepEqual(yield* read(endlessOfSecond), [401])
      world.keys = [second.jwk]
      yield* TestClock.setTime(day)
      yield* TestClock.adjust("31 seconds")
      assert.deepEqual(yield* read(endlessOfSecond), ["carol"])
    })
  )
})

describe("keys are as old as they are", () => {
  it.effect("and no older: after a quiet night, and with a reader every six minutes", () =>
    Effect.gen(function* () {
      const { read, world } = yield* shop
      assert.deepEqual(yield* read(endless), ["carol"])
      yield* TestClock.adjust("8 hours")
      assert.deepEqual(yield* read(endless), ["carol"])
      for (let nth = 0; nth < 20; nth++) {
        yield* TestClock.adjust("6 minutes")
        assert.strictEqual((yield* read(endless))[0], "carol")
      }
      world.down = true
      yield* TestClock.adjust("60 minutes")
      assert.deepEqual(yield* read(endless), ["carol", "identity stale"])
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* read(endless))[0], 503)
    })
  )
})

describe("who orders", () => {
  it.effect("is whom identity says now, and nobody while it is down", () =>
    Effect.gen(function* () {
      const { order, read, world } = yield* shop
      assert.deepEqual(yield* order(good), ["carol"])
      assert.deepEqual(yield* order("demo-alice"), ["alice"])
      // By the keys it is well; identity says that it is not.
      assert.deepEqual(yield* read(longLived), ["carol"])
      assert.deepEqual(yield* order(longLived), [401])
      world.down = true
      assert.deepEqual(yield* read(longLived), ["carol"])
      assert.deepEqual(yield* order(good), [503])
      assert.deepEqual(yield* order(longLived), [503])
    })
  )
})
