/** The same settings for every server, and what a server is. */

/** The knobs that every stack has. */
export const settings = {
  timeoutMillis: 1000,
  windowCalls: 128,
  failureRate: 0.5,
  minimumCalls: 20,
  permits: 100,
  retries: 2,
  backoffMillis: 25,
  /** Connections of the load, and as many to the downstream. */
  connections: 16
} as const

/** What `GET /hello` answers. */
export const hello = { hello: "world" } as const

/** What the downstream answers, and what `GET /stock` passes on. */
export const stock = { sku: "a1", available: 3 } as const

/** What `GET /stock` answers where the downstream does not. */
export const fallback = { sku: "a1", available: -1 } as const

/** A server that runs; `degraded` counts the answers that were not the downstream's own. */
export interface Running {
  readonly port: number
  readonly degraded: () => number
}

/** Starts a server on a free port; `downstream` is the URL of what it asks. */
export type Start = (downstream: string) => Promise<Running>

/** Both groups of the benchmark: no downstream, and one hop. */
export const groups = {
  edge: {
    path: "/hello",
    status: 200,
    peers: ["raw node:http", "fastify"],
    cases: ["raw node:http", "fastify", "failsoft edge, all on"]
  },
  /** What a shed request costs, beside those that are served. */
  shed: {
    path: "/hello",
    status: 503,
    peers: ["raw node:http", "failsoft edge, all on", "failsoft, all on, the peers' knobs"],
    cases: ["failsoft edge, shedding"]
  },
  hop: {
    path: "/stock",
    status: 200,
    peers: ["raw + undici", "raw + undici + cockatiel", "raw + undici + opossum"],
    cases: [
      "raw + undici",
      "raw + undici + cockatiel",
      "raw + undici + opossum",
      "failsoft, all on, the peers' knobs",
      "failsoft, all on, Policy.standard"
    ]
  }
} as const
