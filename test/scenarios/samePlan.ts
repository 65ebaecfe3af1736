/** One plan against the storefront in the simulator, and over real sockets: what each request got. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Draw, type Fault, Player, Simulation, type Trace } from "@failsoft/core/testing"
import { Drain } from "@failsoft/http"
import { FaultServer } from "@failsoft/http/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as FaultyServer from "../../packages/examples/src/downstreams/FaultyServer.ts"
import { make, type Name, names } from "../../packages/examples/src/downstreams/registry.ts"
import { Supervisor } from "../../packages/examples/src/downstreams/Supervisor.ts"
import { gradeOf } from "../../packages/examples/src/drills/seen.ts"
import * as service from "../../packages/examples/src/storefront/service.ts"
import { orderOf, sku, storefront } from "../simulation/storefront.ts"

/** A request of the traffic, and what became of it: `fresh`, a quality, `final` or `failed`. */
export interface Ended {
  readonly id: number
  readonly name: string
  readonly at: number
  readonly grade: string
}

const gradeIn = ({ outcome, quality }: Trace.Request): string =>
  outcome === "answered" ? quality : outcome === "permanent" ? "final" : "failed"

/** Pages, lists and orders: what the faults of the plan are for. */
const asks = ["GET /products/:sku", "GET /products", "POST /orders"]
const traffic = storefront.traffic.filter(({ name }) => asks.includes(name))

/** In the simulator. */
export const simulated = (plan: Fault.Plan, seed: number, seconds: number): ReadonlyArray<Ended> =>
  Simulation.run({ ...storefront, traffic }, plan, { seed, length: `${seconds} seconds` }).requests.map((of) => ({
    id: of.id,
    name: of.name,
    at: of.at,
    grade: gradeIn(of)
  }))

const ports = { port: 0, adminPort: 0, adminHost: "127.0.0.1", adminToken: undefined, downstreamPort: 0 }
/** What was seen in another run must be unseen in this one. */
const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "failsoft-same-plan-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const json = { "content-type": "application/json" }

const asked = (url: string, init: RequestInit) =>
  Effect.promise(async () => {
    const response = await fetch(url, init)
    await response.text()
    return gradeOf({ status: response.status, header: (name) => response.headers.get(name), body: undefined })
  })

/** A storefront and its downstreams in this process, each on a port of its own. */
const shop = Effect.gen(function* () {
  const servers = new Map<Name, FaultServer.FaultServer>()
  for (const name of names) servers.set(name, yield* FaultyServer.start(name, make(name, undefined), 0))
  const notHere = Effect.die("the downstreams are of the test")
  const supervisor = Layer.succeed(Supervisor, {
    url: (name) => servers.get(name)?.url ?? "",
    pid: () => undefined,
    setFault: () => notHere,
    clearFault: () => notHere,
    faults: () => [],
    setPlan: () => notHere,
    plan: () => undefined,
    kill: () => notHere,
    restart: () => notHere
  })
  const dataDir = yield* folder
  const settings = { ...ports, dataDir, settingsFile: join(dataDir, "settings.json"), environment: {} }
  let api = ""
  const up = service.layerOn(settings, ({ port }) => {
    api = `http://127.0.0.1:${port}`
  })
  yield* Layer.build(up.pipe(Layer.provide(supervisor), Layer.provide(Drain.layer)))
  const order = (key: string, body: unknown, headers: Record<string, string>, token = "demo-alice") =>
    asked(`${api}/orders`, {
      method: "POST",
      headers: { ...json, ...headers, authorization: `Bearer ${token}`, "idempotency-key": `"${key}"` },
      body: JSON.stringify(body)
    })
  return {
    page: (path: string, headers: Record<string, string> = {}) => asked(`${api}${path}`, { headers }),
    order,
    play: (player: Player.Player) =>
      Effect.forEach(servers.values(), (server) => server.play(player), { concurrency: "unbounded", discard: true })
  }
})

const goodCard = "4111-1111-1111-1111"

/** Over HTTP: the same requests at the same times, each under its number. */
export const overHttp = (plan: Fault.Plan, seed: number, requests: ReadonlyArray<Ended>) =>
  Effect.gen(function* () {
    const { order, page, play } = yield* shop
    // What is asked for here is asked for by nobody later: what was seen before is part of an outcome.
    for (let nth = 0; nth < 40; nth++) {
      yield* page(`/products/sku-${100 + nth}`)
      yield* page(`/products?cursor=after-${100 + nth}`)
      yield* order(`warm-${nth}`, { items: [{ sku: `sku-${100 + nth}`, quantity: 1 }], card: goodCard }, {}, "demo-bob")
    }
    // The windows of the policies forget the cold start.
    yield* Effect.sleep("10 seconds")
    const player = yield* Player.start(plan, { seed })
    yield* play(player)
    return yield* Effect.forEach(
      requests,
      (of) =>
        Effect.gen(function* () {
          yield* Effect.sleep(Math.max(0, of.at - player.elapsedMillis()))
          const headers = { traceparent: FaultServer.traceparent(of.id) }
          const request = { nth: of.id, draw: (purpose: string) => Draw.draw(seed, of.id, purpose) }
          const grade =
            of.name === "POST /orders"
              ? yield* order(`key-${of.id}`, orderOf(request), headers)
              : yield* page(of.name === "GET /products" ? "/products" : `/products/${sku(request)}`, headers)
          return { ...of, grade }
        }),
      { concurrency: "unbounded" }
    )
  }).pipe(Effect.scoped)
