/** Node's own server, bare and with undici under each peer's stack. */
import { createServer, type ServerResponse } from "node:http"
import {
  bulkhead,
  CountBreaker,
  circuitBreaker,
  ExponentialBackoff,
  fallback as fallbackPolicy,
  handleAll,
  retry,
  TimeoutStrategy,
  timeout,
  wrap
} from "cockatiel"
import CircuitBreaker from "opossum"
import { Pool } from "undici"
import { fallback, hello, type Running, type Start, settings } from "../settings.ts"

const send = (response: ServerResponse, value: unknown): void => {
  const body = JSON.stringify(value)
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
  response.end(body)
}

/** Listens with one handler per path. */
const listen = (
  routes: Readonly<Record<string, (response: ServerResponse) => void>>,
  degraded: () => number
): Promise<Running> =>
  new Promise((resolve) => {
    const server = createServer((request, response) => {
      const route = routes[request.url ?? ""]
      if (route === undefined) response.writeHead(404).end()
      else route(response)
    })
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resolve({ port: typeof address === "object" && address !== null ? address.port : 0, degraded })
    })
  })

export const bare: Start = () => listen({ "/hello": (response) => send(response, hello) }, () => 0)

type Ask = (signal?: AbortSignal) => Promise<unknown>

/** One hop: `guarded` puts a stack around the question. */
const hop =
  (guarded: (ask: Ask, degrade: () => unknown) => () => Promise<unknown>): Start =>
  (downstream) => {
    const pool = new Pool(downstream, { connections: settings.connections })
    let degraded = 0
    const ask: Ask = async (signal) => {
      const { body, statusCode } = await pool.request({
        method: "GET",
        path: "/stock/a1",
        headers: { accept: "application/json" },
        ...(signal === undefined ? {} : { signal })
      })
      if (statusCode !== 200) throw new Error(`status ${statusCode}`)
      return body.json()
    }
    const call = guarded(ask, () => {
      degraded++
      return fallback
    })
    return listen(
      {
        "/stock": (response) =>
          void call().then(
            (value) => send(response, value),
            () => response.writeHead(503).end()
          )
      },
      () => degraded
    )
  }

export const withUndici: Start = hop((ask) => () => ask())

export const withCockatiel: Start = hop((ask, degrade) => {
  const policy = wrap(
    fallbackPolicy(handleAll, degrade),
    retry(handleAll, {
      maxAttempts: settings.retries,
      backoff: new ExponentialBackoff({ initialDelay: settings.backoffMillis, maxDelay: 100 })
    }),
    circuitBreaker(handleAll, {
      halfOpenAfter: 1000,
      breaker: new CountBreaker({
        threshold: settings.failureRate,
        size: settings.windowCalls,
        minimumNumberOfCalls: settings.minimumCalls
      })
    }),
    bulkhead(settings.permits, settings.permits),
    timeout(settings.timeoutMillis, TimeoutStrategy.Aggressive)
  )
  return () => policy.execute(({ signal }) => ask(signal))
})

/** It has no retry and does not cancel what it gives up. */
export const withOpossum: Start = hop((ask, degrade) => {
  const breaker = new CircuitBreaker(() => ask(), {
    timeout: settings.timeoutMillis,
    errorThresholdPercentage: settings.failureRate * 100,
    volumeThreshold: settings.minimumCalls,
    capacity: settings.permits,
    resetTimeout: 1000
  })
  breaker.fallback(degrade)
  return () => breaker.fire()
})
