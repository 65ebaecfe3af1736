/** The peers' service without any policy: the page, its parts, what stands in for them, and one question to a downstream. */
import { fastify } from "fastify"
import { Pool } from "undici"
import { type Name, type Origins, type Reply, type Running, substitute } from "../settings.ts"
import { LastGood, type Part, pageOf } from "./part.ts"

/** The downstream's final word: asking again is of no use. */
export class Gone extends Error {}

/** One attempt at one region of a downstream. */
export type Ask = (name: Name, region: number, sku: string, signal: AbortSignal) => Promise<Reply>

/** A downstream behind a stack. It fails with `Gone`, or with whatever has gone wrong. */
export type Guarded = (sku: string) => Promise<Reply>

/** Undici as its documentation advises: a pool for each origin. */
export const asking = (origins: Origins): Ask => {
  const pools = new Map<string, Pool>()
  for (const origin of Object.values(origins).flat()) pools.set(origin, new Pool(origin))
  return async (name, region, sku, signal) => {
    const pool = pools.get(origins[name][region] ?? "")
    if (pool === undefined) throw new Error(`${name} has no region ${region}`)
    const { body, statusCode } = await pool.request({ method: "GET", path: `/${name}/${sku}`, signal })
    if (statusCode === 200) return (await body.json()) as Reply
    await body.dump()
    throw statusCode === 422 ? new Gone() : new Error(`status ${statusCode}`)
  }
}

const fresh = (value: Reply): Part => ({ value, quality: "fresh" })

/** Fastify with the page. What a guarded call fails with is answered by what stands in, the same in every build. */
export const serve = async (guarded: Readonly<Record<Name, Guarded>>): Promise<Running> => {
  const app = fastify({ logger: false })
  const lastGood = new LastGood()
  app.get<{ Params: { sku: string } }>("/page/:sku", async ({ params: { sku } }, response) => {
    const essential = guarded.essential(sku).then(
      (reply): Part => fresh(lastGood.put(reply)),
      (error): Part | undefined => {
        if (error instanceof Gone) return { value: undefined, quality: "final" }
        const known = lastGood.get(sku)
        return known === undefined ? undefined : { value: known, quality: "stale" }
      }
    )
    const degradable = guarded.degradable(sku).then(fresh, (): Part => ({ value: substitute, quality: "substituted" }))
    const optional = guarded.optional(sku).then(fresh, (): Part => ({ value: [], quality: "omitted" }))
    const [product, price, similar] = await Promise.all([essential, degradable, optional])
    if (product === undefined) return response.code(503).send()
    return response.code(product.quality === "final" ? 404 : 200).send(pageOf(product, price, similar))
  })
  await app.listen({ port: 0, host: "127.0.0.1" })
  const address = app.server.address()
  return { port: typeof address === "object" && address !== null ? address.port : 0 }
}
