/**
 * The downstreams of one build: servers with a number of workers, a queue with an end,
 * and a fault plan. A worker finishes what it has begun, whether its caller is still
 * there or not, as most servers do: what nobody waits for any more is wasted work.
 */
import { createServer, type Server, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { exponential, randomFrom } from "./random.ts"
import { downstream, type Name, type Origins, type Reply } from "./settings.ts"
import { type Condition, conditionAt, type Region, type Trace } from "./traces.ts"

/** What a downstream has done since the start of the trace. */
export interface Counts {
  received: number
  /** Time of workers, in milliseconds; and that of it whose answer nobody waited for. */
  workMillis: number
  wastedMillis: number
}

/** A plan that has begun. */
interface Plan {
  readonly trace: Trace
  /** By the clock on the wall, which all processes share. */
  readonly startAt: number
}

const tickMillis = 20

class Station {
  counts: Counts = { received: 0, workMillis: 0, wastedMillis: 0 }
  private readonly name: Name
  private readonly region: Region
  private readonly server: Server
  private readonly sockets = new Set<Socket>()
  private readonly hung = new Set<ServerResponse>()
  private queue: Array<{ readonly response: ServerResponse; readonly sku: string }> = []
  private busy = 0
  /** Work of an earlier trace holds no worker of this one. */
  private generation = 0
  private port = 0
  private plan: Plan | undefined
  private random = randomFrom(1)

  constructor(name: Name, region: Region) {
    this.name = name
    this.region = region
    this.server = createServer((request, response) => this.take(request.url ?? "", response))
    this.server.keepAliveTimeout = 60_000
    this.server.on("connection", (socket) => {
      this.sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => this.sockets.delete(socket))
    })
    setInterval(() => this.tick(), tickMillis).unref()
  }

  listen(): Promise<string> {
    return new Promise((resolve) => {
      this.server.listen(this.port, "127.0.0.1", () => {
        const address = this.server.address()
        if (typeof address === "object" && address !== null) this.port = address.port
        resolve(`http://127.0.0.1:${this.port}`)
      })
    })
  }

  /** Begins a trace, or forgets the last one. */
  begin(plan: Plan | undefined, seed: number): void {
    for (const { response } of this.queue) response.destroy()
    this.queue = []
    this.counts = { received: 0, workMillis: 0, wastedMillis: 0 }
    this.random = randomFrom(seed)
    this.plan = plan
    this.busy = 0
    this.generation++
  }

  private condition(): Condition {
    return this.plan === undefined
      ? {}
      : conditionAt(this.plan.trace, this.name, Date.now() - this.plan.startAt, this.region)
  }

  private workers({ workers = 1 }: Condition): number {
    const all = this.region === "b" ? Math.ceil(downstream.workers / 2) : downstream.workers
    return Math.max(1, Math.round(all * workers))
  }

  private take(url: string, response: ServerResponse): void {
    const condition = this.condition()
    const sku = url.slice(url.lastIndexOf("/") + 1)
    this.counts.received++
    // Without a plan, while builds warm up, there are workers for all.
    if (this.plan === undefined) this.work(sku, response, condition)
    else if (condition.hangs) this.hung.add(response)
    else if (condition.down) send(response, 503)
    else if (condition.permanent !== undefined && this.random() < condition.permanent) send(response, 404)
    else if (this.busy < this.workers(condition)) this.work(sku, response, condition)
    else if (this.queue.length < downstream.queueMax) this.queue.push({ response, sku })
    else send(response, 503)
  }

  private work(sku: string, response: ServerResponse, { slow = 1, failing = 0 }: Condition): void {
    const millis = (downstream.fixedMillis + exponential(this.random, downstream.tailMillis)) * slow
    const fails = failing > 0 && this.random() < failing
    const { counts, generation } = this
    this.busy++
    setTimeout(() => {
      if (generation === this.generation) this.busy--
      counts.workMillis += millis
      if (response.destroyed) counts.wastedMillis += millis
      else if (fails) send(response, 503)
      else send(response, 200, replyTo(sku))
      this.next()
    }, millis)
  }

  private next(): void {
    const condition = this.condition()
    while (this.busy < this.workers(condition)) {
      const waiting = this.queue.shift()
      if (waiting === undefined) return
      this.work(waiting.sku, waiting.response, condition)
    }
  }

  private tick(): void {
    const { hangs, refuses } = this.condition()
    if (refuses && this.server.listening) {
      this.server.close()
      for (const socket of this.sockets) socket.resetAndDestroy()
    } else if (!refuses && !this.server.listening && this.port !== 0) void this.listen()
    if (!hangs && this.hung.size > 0) {
      for (const response of this.hung) response.destroy()
      this.hung.clear()
    }
    this.next()
  }
}

const replyTo = (sku: string): Reply => ({ sku, value: sku.length })

const send = (response: ServerResponse, status: number, reply?: Reply): void => {
  const body = JSON.stringify(reply ?? { status })
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
  response.end(body)
}

/** All downstreams of one build. */
export const listen = async () => {
  const essential = [new Station("essential", "a"), new Station("essential", "b")]
  const degradable = [new Station("degradable", "a")]
  const optional = [new Station("optional", "a")]
  const all = (of: ReadonlyArray<Station>) => Promise.all(of.map((station) => station.listen()))
  const stations = { essential, degradable, optional }
  const origins: Origins = {
    essential: await all(essential),
    degradable: await all(degradable),
    optional: await all(optional)
  }
  return {
    origins,
    begin: (plan: Plan | undefined, seed: number) => {
      for (const [nth, station] of [...essential, ...degradable, ...optional].entries()) station.begin(plan, seed + nth)
    },
    counts: (name: Name): Counts =>
      stations[name].reduce(
        (sum, { counts }) => ({
          received: sum.received + counts.received,
          workMillis: sum.workMillis + counts.workMillis,
          wastedMillis: sum.wastedMillis + counts.wastedMillis
        }),
        { received: 0, workMillis: 0, wastedMillis: 0 }
      )
  }
}
