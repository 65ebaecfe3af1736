/**
 * Proxies that stand between a service and its downstreams and fail by a plan.
 *
 * **Details**
 *
 * Each downstream gets a port of its own on loopback: point your transports there. All
 * share one player, so that a fault with several targets is one fault, as in the
 * simulator. Before {@link FaultProxy.play}, and after the plan, calls pass unharmed.
 *
 * Methods of a downstream are told apart by verb and path; without them plans can name
 * the downstream as a whole.
 *
 * **Gotchas**
 *
 * Answers are passed on whole: an event stream ends before it is seen. A downstream that
 * cannot be reached, or cuts an answer off, is a reset connection here. A plan's
 * disturbances (`abort`, `clockJump`) are not the downstreams' doing, so a proxy leaves
 * them out.
 *
 * **Example** (payments that lose the first answer)
 *
 * ```ts no-run
 * import { FaultProxy } from "@failsoft/http/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const proxy = yield* FaultProxy.make({
 *     payments: {
 *       target: "http://127.0.0.1:4103",
 *       methods: { charge: { method: "POST", path: /^\/charges$/ } }
 *     }
 *   })
 *   yield* proxy.play({
 *     faults: [{ kind: "resetAfter", target: "payments/charge", from: 0, until: 10_000, first: 1 }]
 *   })
 *   console.log(`send charges to ${proxy.urls.payments}`)
 * })
 * ```
 *
 * @since 0.1.0
 */
import type { IncomingMessage } from "node:http"
import { type Fault, Player } from "@failsoft/core/testing/faults"
import * as Effect from "effect/Effect"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as FaultServer from "./FaultServer.ts"
import { forwarding } from "./internal/forward.ts"

/**
 * How a method is told by its requests.
 *
 * @category models
 * @since 0.1.0
 */
export interface Route {
  readonly method: string
  /** Meets the path, without its query. */
  readonly path: RegExp
}

/**
 * A downstream behind a proxy.
 *
 * @category models
 * @since 0.1.0
 */
export interface Behind {
  /** Its URL, http or https. */
  readonly target: string
  /** Default: none can be named by a plan. */
  readonly methods?: Readonly<Record<string, Route>>
  /** Where the proxy listens. Default: a free port. */
  readonly port?: number
}

/**
 * A plan, or a downstream, cannot be played as it is; `detail` says what is wrong.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidProxy extends Schema.TaggedError<InvalidProxy>()("InvalidProxy", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

/**
 * Running proxies.
 *
 * @category models
 * @since 0.1.0
 */
export interface FaultProxy<in out Names extends string> {
  /** Where each downstream is reached through its proxy. */
  readonly urls: Readonly<Record<Names, string>>
  /** Begins a plan now; it takes the place of the one before. The seed draws as in the simulator. */
  readonly play: (plan: Fault.Plan, options?: { readonly seed?: number }) => Effect.Effect<void, InvalidProxy>
  /** Ends all faults. */
  readonly stop: Effect.Effect<void>
}

/**
 * Starts a proxy for each downstream, by its name in plans; they end with the scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const Names extends string>(
  downstreams: Readonly<Record<Names, Behind>>
): Effect.Effect<FaultProxy<Names>, FaultServer.CannotListen | InvalidProxy, Scope.Scope> =>
  Effect.gen(function* () {
    const behind: Readonly<Record<string, Behind>> = downstreams
    const servers: Record<string, FaultServer.FaultServer> = {}
    for (const [name, { methods = {}, port, target }] of Object.entries(behind)) {
      if (!URL.canParse(target) || !/^https?:$/.test(new URL(target).protocol)) {
        return yield* new InvalidProxy({ detail: `${name}: target must be an http or https URL, but is '${target}'` })
      }
      const routes = Object.entries(methods)
      servers[name] = yield* FaultServer.make({
        downstream: name,
        methodOf: (request) => routes.find(([, route]) => meets(route, request))?.[0] ?? "",
        answer: forwarding(target),
        ...(port === undefined ? {} : { port })
      })
    }
    const all = Object.values(servers)
    const known = Record.map(behind, ({ methods = {} }) => Object.keys(methods))
    const told = (player: Player.Player | undefined) =>
      Effect.forEach(all, (server) => server.play(player), { concurrency: "unbounded", discard: true })
    const proxy: FaultProxy<Names> = {
      // One for each of the names.
      urls: Record.map(servers, ({ url }) => url) as Readonly<Record<Names, string>>,
      play: (plan, { seed = 1 } = {}) =>
        Effect.gen(function* () {
          const unknown = Player.unknownTargets(plan, known)
          if (unknown.length > 0) {
            return yield* new InvalidProxy({
              detail: `there is no proxy for ${unknown.join(", ")}; there are ${Object.keys(behind).join(", ")}, and their methods that are named`
            })
          }
          yield* told(yield* Player.start(plan, { seed }))
        }),
      stop: told(undefined)
    }
    return proxy
  })

const meets = ({ method, path }: Route, request: IncomingMessage): boolean =>
  request.method === method && path.test((request.url ?? "/").split("?", 1)[0] ?? "/")
