/** A page of parts. */
import type { Page, Quality, Reply } from "../settings.ts"

export interface Part {
  readonly value: unknown
  readonly quality: Quality
}

/** The page of these parts, in the order of the downstreams' names. */
export const pageOf = (product: Part, price: Part, similar: Part): Page => ({
  product: product.value,
  price: price.value,
  similar: similar.value,
  quality: [product.quality, price.quality, similar.quality]
})

/** The peers' stale copies: the last good answer for each product. */
export class LastGood {
  private readonly known = new Map<string, Reply>()

  put(reply: Reply): Reply {
    this.known.set(reply.sku, reply)
    return reply
  }

  get(sku: string): Reply | undefined {
    return this.known.get(sku)
  }
}
