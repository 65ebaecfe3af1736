/** A storefront as a process of its own on free ports, and what a test asks of it. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const main = fileURLToPath(new URL("../../packages/examples/src/main.ts", import.meta.url))

/** A response with its body and the time it took. */
export interface Seen {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
  readonly millis: number
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null

/** Sends a request and reads the answer, whatever it is. */
export const ask = async (url: string, init: RequestInit = {}): Promise<Seen> => {
  const startedAt = performance.now()
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(15_000) })
  const text = await response.text()
  const millis = performance.now() - startedAt
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    body = { text }
  }
  return { status: response.status, headers: response.headers, body: isRecord(body) ? body : { body }, millis }
}

/** Waits until the condition holds; fails with what it was waiting for. */
export const until = async (what: string, millis: number, condition: () => Promise<boolean>): Promise<number> => {
  const startedAt = performance.now()
  for (;;) {
    const holds = await condition().catch((error: unknown) => {
      // A server that is not there yet is waited for; a broken promise is told at once.
      if (error instanceof Error && error.name === "AssertionError") throw error
      return false
    })
    if (holds) return performance.now() - startedAt
    if (performance.now() - startedAt > millis) throw new Error(`not within ${millis} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** A running storefront. */
export interface Storefront {
  readonly api: string
  readonly admin: string
  readonly process: ChildProcess
  readonly output: () => string
  readonly page: (sku: string) => Promise<Seen>
  readonly order: (key: string, body?: unknown, token?: string) => Promise<Seen>
  readonly setFault: (downstream: string, fault: object) => Promise<void>
  readonly clearFault: (downstream: string) => Promise<void>
  readonly downstream: (name: string) => Promise<{ readonly url: string; readonly pid: number | null }>
  readonly journal: (name: string) => Promise<Journal>
  readonly exited: Promise<number | null>
  /** Sends SIGTERM unless it has ended, and waits for its exit code. */
  readonly stop: () => Promise<number | null>
}

/** What a downstream says was asked of it and what it did. */
export interface Journal {
  readonly received: ReadonlyArray<{
    readonly path: string
    readonly idempotencyKey?: string
    readonly traceparent?: string
    readonly timeoutMillis?: number
    readonly aborted: boolean
  }>
  readonly applied: ReadonlyArray<{
    readonly operation: string
    readonly idempotencyKey?: string
    readonly amount?: number
  }>
}

export const goodOrder = { items: [{ sku: "sku-1", quantity: 1 }], card: "4111-1111-1111-1111" }

let started = 0

/**
 * Six ports for downstreams, which come back on their own port after being killed.
 * They lie below those that the system hands out, or a client's socket could take
 * one meanwhile.
 */
const firstDownstreamPort = () => 12_000 + (process.pid % 320) * 64 + (started++ % 8) * 8

/** Starts a storefront and waits until it is ready. */
export const start = async (
  env: Record<string, string> = {},
  how: { readonly command?: readonly [string, ...ReadonlyArray<string>]; readonly detached?: boolean } = {}
): Promise<Storefront> => {
  const folder = mkdtempSync(join(tmpdir(), "failsoft-storefront-"))
  let output = ""
  const [program, ...args] = how.command ?? [process.execPath, "--conditions=@failsoft/source", main]
  const child = spawn(program, args, {
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
    detached: how.detached ?? false,
    env: {
      ...process.env,
      PORT: "0",
      ADMIN_PORT: "0",
      DOWNSTREAM_PORT: String(firstDownstreamPort()),
      DATA_DIR: folder,
      ...env
    },
    stdio: ["ignore", "pipe", "pipe"]
  })
  child.stdout.on("data", (chunk) => {
    output += chunk
  })
  child.stderr.on("data", (chunk) => {
    output += chunk
  })
  const exited = new Promise<number | null>((resolve) => child.on("exit", (code) => resolve(code)))
  // It says itself where it listens, once it does.
  const stated = (name: string) => new RegExp(`^ +${name} +(http://[\\d.:]+)`, "m").exec(output)?.[1] ?? ""
  await until("the storefront is ready, or has ended", 60_000, async () => {
    return child.exitCode !== null || (await ask(`${stated("API")}/readyz`)).status === 200
  })
  const [api, admin] = [stated("API"), stated("admin")]
  if (child.exitCode !== null) {
    await exited
    throw new Error(`the storefront ended with ${child.exitCode}: ${output}`)
  }

  const json = { "content-type": "application/json" }
  const told = async (seen: Promise<Seen>) => {
    const { status, body } = await seen
    if (status !== 200) throw new Error(`the admin API answered ${status}: ${JSON.stringify(body)}`)
  }
  const downstream: Storefront["downstream"] = async (name) => {
    const { body } = await ask(`${admin}/admin/downstreams`)
    const found = Array.isArray(body["downstreams"]) ? body["downstreams"].find((of) => of.name === name) : undefined
    return { url: String(found.url), pid: found.pid }
  }

  return {
    api,
    admin,
    process: child,
    output: () => output,
    page: (sku) => ask(`${api}/products/${sku}`),
    order: (key, body = goodOrder, token = "demo-alice") =>
      ask(`${api}/orders`, {
        method: "POST",
        headers: { ...json, authorization: `Bearer ${token}`, "idempotency-key": `"${key}"` },
        body: JSON.stringify(body)
      }),
    setFault: (name, fault) =>
      told(ask(`${admin}/admin/faults/${name}`, { method: "PUT", headers: json, body: JSON.stringify(fault) })),
    clearFault: (name) => told(ask(`${admin}/admin/faults/${name}`, { method: "DELETE" })),
    downstream,
    journal: async (name) => {
      const response = await fetch(`${(await downstream(name)).url}/__journal`)
      const body: Journal = JSON.parse(await response.text())
      return body
    },
    exited,
    stop: async () => {
      if (child.exitCode === null) child.kill("SIGTERM")
      const code = await exited
      rmSync(folder, { recursive: true, force: true })
      return code
    }
  }
}
