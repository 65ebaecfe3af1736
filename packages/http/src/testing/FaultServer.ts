/**
 * An HTTP server that fails as real ones do, by a plan: late, wrong, cut off, or not
 * there at all.
 *
 * **Details**
 *
 * You say how it answers; what a plan does to its calls is decided by a `Player`, the
 * same that the simulator asks, and done on the socket. While a downstream is `down` for
 * every call, its port is closed, so that connections are refused.
 *
 * Which request a call is made for stands in the trace id of its `traceparent`: its last
 * twelve digits are the number. So whoever sends {@link traceparent} along with request
 * 7 has the draws that the simulator has for request 7. A call without one is keyed by
 * its place among all of those.
 *
 * **Gotchas**
 *
 * A call that has come is carried out, whether its caller waits or not, as real servers
 * do; the simulator does not carry out what was given up before, except by workers. Where
 * a call has to be seen before it is refused (`down` with `first`, of one method, or
 * while it fades), its connection is reset: nobody can tell whether it was applied.
 *
 * **Example** (a stock that is down)
 *
 * ```ts
 * import { Player } from "@failsoft/core/testing/faults"
 * import { FaultServer } from "@failsoft/http/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const stock = yield* FaultServer.make({
 *     downstream: "stock",
 *     answer: () => Effect.succeed({ status: 200, body: '{"available":3}' })
 *   })
 *   const asked = Effect.promise(() => fetch(stock.url).then(({ status }) => status, () => "refused"))
 *   console.log(yield* asked)
 *   const plan = { faults: [{ kind: "down", target: "stock", from: 0, until: 60_000 }] } as const
 *   yield* stock.play(yield* Player.start(plan))
 *   console.log(yield* asked)
 * })
 * await Effect.runPromise(Effect.scoped(program))
 * ```
 *
 * @since 0.1.0
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { Player, Workers } from "@failsoft/core/testing/faults"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { type Done, Labour } from "./internal/labour.ts"
import { read, type Written } from "./internal/message.ts"
import { done } from "./internal/misdeeds.ts"

/**
 * A request whose body has arrived; `body` is nothing where it was larger than allowed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Asked {
  readonly request: IncomingMessage
  readonly body: Uint8Array | undefined
}

/**
 * An answer: a status, headers, the body as text or bytes.
 *
 * @category models
 * @since 0.1.0
 */
export type Reply = Written

/**
 * What a server does when it is well, and where it listens.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Its name in the targets of plans, such as `payments` or `catalog.eu`. */
  readonly downstream: string
  /** The name of the method that a request is for, as in the targets of plans. Default: none. */
  readonly methodOf?: (request: IncomingMessage) => string
  /** A failure cuts the connection off. */
  readonly answer: (asked: Asked) => Effect.Effect<Reply, unknown>
  /** Requests that no fault meets: those of tests and operators. Default: none. */
  readonly isAside?: (request: IncomingMessage) => boolean
  /** Told of each request that is not aside as it comes in. */
  readonly onRequest?: (request: IncomingMessage, response: ServerResponse) => void
  /**
   * Who makes the answers, each busy until its answer is made; a plan may take some of
   * them away. Default: as many as are needed.
   */
  readonly workers?: Workers.Options
  /** Default: a free one. */
  readonly port?: number
  /** Default: loopback. */
  readonly host?: string
  /** The largest body of a request, in bytes. Default 1 MiB. */
  readonly bodyMaxBytes?: number
}

/**
 * The server cannot listen; `code` is the system's word.
 *
 * @category errors
 * @since 0.1.0
 */
export class CannotListen extends Schema.TaggedError<CannotListen>()("CannotListen", {
  downstream: Schema.String,
  port: Schema.Int,
  code: Schema.String
}) {
  override get message() {
    return `${this.downstream} cannot listen on port ${this.port} (${this.code})`
  }
}

/**
 * A running server.
 *
 * @category models
 * @since 0.1.0
 */
export interface FaultServer {
  readonly port: number
  readonly url: string
  /** Takes the place of what was played before; nothing ends all faults. Done once the port is as the plan says. */
  readonly play: (player: Player.Player | undefined) => Effect.Effect<void>
  /** What it has done since its start. */
  readonly done: () => Done
  /** How many of its workers are busy, and how many requests wait for one. */
  readonly load: () => { readonly busy: number; readonly waiting: number }
}

export type { Done } from "./internal/labour.ts"

const traceId = /^[0-9a-f]{2}-[0-9a-f]{20}([0-9a-f]{12})-[0-9a-f]{16}-[0-9a-f]{2}/

/**
 * The number of the request that a call is made for, from its headers; -1 where they do
 * not say.
 *
 * @category requests
 * @since 0.1.0
 */
export const requestOf = ({ traceparent: of }: Readonly<Record<string, unknown>>): number => {
  const digits = typeof of === "string" ? traceId.exec(of)?.[1] : undefined
  return digits === undefined ? -1 : Number.parseInt(digits, 16)
}

/**
 * The `traceparent` of a request by its number; `run` tells the traces of one run from
 * those of others. Both are whole numbers, `run` from 1 and below 2^53, `request` below
 * 2^48.
 *
 * @category requests
 * @since 0.1.0
 */
export const traceparent = (request: number, run = 1): string => {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0")
  return `00-${hex(run, 20)}${hex(request, 12)}-${hex(request + 1, 16)}-01`
}

/** What is played, and who waits for its end. */
interface Playing {
  readonly player: Player.Player
  readonly over: Deferred.Deferred<void>
}

/** One request from its first byte to the end of its answer. */
const serve = (
  options: Options,
  labour: Labour,
  playing: Playing | undefined,
  request: IncomingMessage,
  response: ServerResponse
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { answer, bodyMaxBytes = 1_048_576, downstream, isAside, methodOf, onRequest } = options
    const aside = isAside?.(request) ?? false
    if (!aside) {
      labour.onReceived()
      onRequest?.(request, response)
    }
    const method = methodOf?.(request) ?? ""
    const meeting = aside || playing?.player.concerns(downstream, method) !== true ? undefined : playing
    const elapsedMillis = meeting?.player.elapsedMillis ?? (() => 0)
    const met = meeting?.player.enter(downstream, method, requestOf(request.headers)) ?? Player.well
    // It is in progress as long as somebody waits for it.
    if (meeting !== undefined) response.once("close", () => meeting.player.leave(downstream))
    return Effect.flatMap(read(request, bodyMaxBytes), (body) => {
      const work = Effect.suspend(() => answer({ request, body }))
      return done({
        request,
        response,
        met,
        elapsedMillis,
        over: meeting === undefined ? Effect.never : Deferred.await(meeting.over),
        answer: aside ? work : labour.of(work, response, met, elapsedMillis)
      })
    })
  }).pipe(Effect.catchCause(() => Effect.sync(() => void response.destroy())))

/** The sockets of a server, which can be opened and closed again on the same port. */
class Listener {
  port: number
  private readonly sockets = new Set<Socket>()
  private readonly server: Server
  private readonly of: Pick<Options, "downstream"> & { readonly host: string }

  constructor(server: Server, port: number, of: Listener["of"]) {
    this.server = server
    this.port = port
    this.of = of
    server.on("connection", (socket) => {
      this.sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => this.sockets.delete(socket))
    })
  }

  get isOpen(): boolean {
    return this.server.listening
  }

  readonly open = Effect.callback<void, CannotListen>((resume) => {
    const { server } = this
    const failed = (error: Error & { readonly code?: string }) =>
      resume(
        Effect.fail(
          new CannotListen({ downstream: this.of.downstream, port: this.port, code: error.code ?? error.message })
        )
      )
    server.once("error", failed)
    server.listen(this.port, this.of.host, () => {
      server.off("error", failed)
      const address = server.address()
      if (typeof address === "object" && address !== null) this.port = address.port
      resume(Effect.void)
    })
  }).pipe(Effect.uninterruptible)

  /** Whoever is connected is cut off. */
  readonly close = Effect.callback<void>((resume) => {
    this.server.close(() => resume(Effect.void))
    for (const socket of this.sockets) socket.resetAndDestroy()
  }).pipe(Effect.uninterruptible)
}

/**
 * Starts a server; it ends with the scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<FaultServer, CannotListen, Scope.Scope> =>
  Effect.gen(function* () {
    const { downstream, host = "127.0.0.1" } = options
    const scope = yield* Effect.scope
    const run = yield* FiberSet.makeRuntime()
    const one = yield* Semaphore.make(1)
    let playing: Playing | undefined
    let following: Fiber.Fiber<void> | undefined
    const count = options.workers?.count ?? 0
    const all = () => count
    let there = all
    const workers = options.workers && (yield* Workers.make(options.workers, () => there()))
    const labour = new Labour(workers)

    const server = createServer((request, response) => void run(serve(options, labour, playing, request, response)))
    const listener = new Listener(server, options.port ?? 0, { downstream, host })

    /** The port is open or closed, as the plan says. Somebody else's socket may have it for a moment. */
    const adjust = Effect.suspend(() => {
      const isDown = playing?.player.isDown(downstream) ?? false
      if (isDown !== listener.isOpen) return Effect.void
      return isDown ? listener.close : Effect.orDie(Effect.retry(listener.open, Schedule.spaced("50 millis")))
    })

    const follow = (player: Player.Player): Effect.Effect<void> =>
      Effect.suspend(() => {
        const at = player.changesAt(downstream)
        if (at === undefined) return Effect.void
        // A timer may be early by a part of a millisecond.
        const wait = Math.max(1, at - player.elapsedMillis())
        return Effect.delay(
          Effect.flatMap(adjust, () => follow(player)),
          wait
        )
      })

    yield* listener.open
    yield* Effect.addFinalizer(() => (listener.isOpen ? listener.close : Effect.void))
    return {
      get port() {
        return listener.port
      },
      get url() {
        return `http://${host.includes(":") ? `[${host}]` : host}:${listener.port}`
      },
      done: labour.done,
      load: () => ({ busy: workers?.busy() ?? 0, waiting: workers?.waiting() ?? 0 }),
      play: (player) =>
        Effect.gen(function* () {
          if (following !== undefined) yield* Fiber.interrupt(following)
          // Who hangs is let go, or the fault would outlive itself.
          if (playing !== undefined) yield* Deferred.succeed(playing.over, undefined)
          playing = player && { player, over: Deferred.makeUnsafe() }
          there = player === undefined || workers === undefined ? all : player.employ(downstream, count)
          yield* adjust
          following = player && (yield* Effect.forkIn(follow(player), scope))
        }).pipe(one.withPermits(1))
    }
  })
