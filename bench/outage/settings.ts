/** What all builds have in common: the service that they are, what it depends on, and the knobs of every stack. */

/** What a page needs. */
export const names = ["essential", "degradable", "optional"] as const
export type Name = (typeof names)[number]

/** How good a part of a page is; `final` is the downstream's own "there is none". */
export type Quality = "fresh" | "final" | "stale" | "substituted" | "omitted"

/** What a page is worth is the product of its parts; without an answer for the essential one there is no page. */
export const weights: Readonly<Record<Quality, number>> = {
  fresh: 1,
  final: 1,
  stale: 0.5,
  substituted: 0.8,
  omitted: 0.9
}

/** A downstream that has real work to do: so many workers, each busy for `fixedMillis` and an exponential tail. */
export const downstream = {
  workers: 8,
  fixedMillis: 140,
  tailMillis: 40,
  queueMax: 160
} as const

/** Requests per second that a downstream can bear. */
export const capacityPerSecond = (downstream.workers * 1000) / (downstream.fixedMillis + downstream.tailMillis)

/** The caller waits for so long. */
export const deadlineMillis = 2000

/** The knobs of every stack that has them. */
export const knobs = {
  /** The whole call, retries included; the rest of the caller's time is for the way. */
  callMillis: 1800,
  attemptMillis: 450,
  retries: 2,
  backoffMillis: 50,
  backoffMaxMillis: 200,
  /** Little's law at the highest rate of the race (40/s), p99 of a healthy call (325 ms) and a half on top. */
  permits: 20,
  queue: 20,
  failureRate: 0.5,
  minimumCalls: 20,
  windowMillis: 10_000,
  openMillis: 1000
} as const

/** How a trace goes, in milliseconds from its start. What arrives before `countedFrom` warms up and is not counted. */
export const phases = { countedFrom: 1000, faultFrom: 2500, faultUntil: 7000, end: 13_500 } as const

/** So many products; each has been asked for before the fault begins. */
export const skus = 40

/** What a downstream answers. */
export interface Reply {
  readonly sku: string
  readonly value: number
}

/** What stands in for a degradable downstream's answer. */
export const substitute = -1

/** The body of `GET /page/:sku`. */
export interface Page {
  readonly product: unknown
  readonly price: unknown
  readonly similar: unknown
  /** In the order of {@link names}. */
  readonly quality: readonly [Quality, Quality, Quality]
}

/** Where the downstreams are; the essential one may have a second region. */
export type Origins = Readonly<Record<Name, ReadonlyArray<string>>>

/** A build that runs. */
export interface Running {
  readonly port: number
}

/** Starts the service on a free port. */
export type Start = (origins: Origins) => Promise<Running>
