/**
 * The admin API: what the downstreams do, their settings, their breakers.
 *
 * **Details**
 *
 * `GET /admin/downstreams` shows each downstream with its policies, the values in
 * force and their origin, its live state, its worst case and warnings.
 * `GET /admin/settings`, `GET`, `PUT` and `DELETE /admin/settings/<name>` read and
 * change one setting (`{ value, reason?, by?, expiresAfterMillis? }`),
 * `PUT /admin/settings` a group (`{ changes: { <name>: value }, … }`, where `null`
 * takes a value away), all or nothing. `GET /admin/settings-audit` tells the latest
 * changes. `GET /admin/flags`, `GET`, `PUT` and `DELETE /admin/flags/<name>` do the same
 * with a flag (`{ values: { <knob>: value }, … }`), show its counts by variant, and with
 * `?key=` what it says for a key. `POST /admin/breakers/<downstream/method/policy>/open`, `close` and
 * `reset` operate a breaker. A name is written with its slashes or percent-encoded.
 *
 * **Gotchas**
 *
 * Beyond loopback a token is required: without one the layer fails. On loopback
 * without a token, requests of other web pages in a browser are refused. The guard
 * covers every path of the same router but `open`. Provide the service's
 * `Settings.layer` to this layer as to the rings.
 *
 * **Example** (an admin port)
 *
 * ```ts no-run
 * import { Settings } from "@failsoft/core"
 * import { Admin, Edge, Server } from "@failsoft/http"
 * import { Layer } from "effect"
 *
 * const routes = Layer.mergeAll(Admin.layer({ downstreams: () => [] }), Edge.layer())
 * const admin = Server.serve(routes, { port: 4001, portVariable: "ADMIN_PORT" })
 * Server.run(admin.pipe(Layer.provide(Settings.layer)))
 * ```
 *
 * @since 0.1.0
 */
import { type Downstream, Explain, Settings } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as flags from "./internal/adminFlags.ts"
import { guard, isLoopback } from "./internal/adminGuard.ts"
import * as asked from "./internal/adminRequest.ts"
import * as shown from "./internal/adminShown.ts"
import { placing } from "./internal/routePlaces.ts"
import * as Problem from "./Problem.ts"

/**
 * The admin API would be open to the network: the message says what to set.
 *
 * @category errors
 * @since 0.1.0
 */
export class AdminUnprotected extends Schema.TaggedError<AdminUnprotected>()("AdminUnprotected", {
  host: Schema.String,
  variable: Schema.String
}) {
  override get message() {
    return `The admin API listens on ${this.host}, beyond loopback, and has no token: set ${this.variable}, or listen on 127.0.0.1.`
  }
}

/**
 * One downstream as it is shown.
 *
 * @category models
 * @since 0.1.0
 */
export interface Listed {
  readonly description: Downstream.Description
  /** What the service adds: the URL, a process. */
  readonly facts?: Readonly<Record<string, unknown>>
  /** What only the service knows for the explanation: the rate, the load from above. */
  readonly explain?: Explain.Options
}

/**
 * What the admin API shows, and who may use it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Read on every request. */
  readonly downstreams: () => ReadonlyArray<Listed>
  /** Where the port listens. Default: loopback. */
  readonly host?: string
  /** What a request must bear as `Authorization: Bearer <token>`. Required beyond loopback. */
  readonly token?: Redacted.Redacted | undefined
  /** The variable that sets the token, for the message where it is missing. Default `ADMIN_TOKEN`. */
  readonly tokenVariable?: string
  /** Paths that need no token. Default: `/livez`, `/readyz`, `/health`. */
  readonly open?: ReadonlyArray<string>
}

const openDefault = ["/livez", "/readyz", "/health"]

const json = (body: unknown) => HttpServerResponse.jsonUnsafe(body, { headers: { "cache-control": "no-store" } })

const statuses = { "unknown-name": 404, malformed: 400, "does-not-fit": 422 } as const
const reasons = {
  "unknown-name": "UNKNOWN_SETTING",
  malformed: "MALFORMED_SETTING",
  "does-not-fit": "SETTING_DOES_NOT_FIT"
} as const

const detailMax = 2000

const refused = (error: Settings.SettingRefused) =>
  Problem.make({
    status: statuses[error.reason],
    reason: reasons[error.reason],
    detail: error.message.slice(0, detailMax)
  })

/** A route whose refusals are problems. */
const route = <R>(
  method: "GET" | "PUT" | "POST" | "DELETE",
  path: HttpRouter.PathInput,
  handler: (
    settings: Settings.SettingsRegistry
  ) => Effect.Effect<HttpServerResponse.HttpServerResponse, Settings.SettingRefused | Problem.Problem, R>
) =>
  HttpRouter.use((router) =>
    Effect.gen(function* () {
      const settings = yield* Settings.Registry
      yield* router.add(
        method,
        path,
        handler(settings).pipe(
          Effect.catchTag("SettingRefused", (error) => Effect.fail(refused(error))),
          Effect.catchTag("Problem", Problem.raise)
        )
      )
    })
  )

/** One setting after a change, and the changes that took place. */
const changed = (settings: Settings.SettingsRegistry, name: string, changes: ReadonlyArray<Settings.Change>) => {
  const setting = settings.get(name)
  return json({
    ...(setting === undefined ? {} : { setting: shown.setting(setting) }),
    changes: changes.map(shown.change)
  })
}

const listed = (settings: Settings.SettingsRegistry) =>
  Effect.sync(() => json({ settings: settings.list().map(shown.setting), problems: settings.problems() }))

const read = (settings: Settings.SettingsRegistry, name: string) =>
  Effect.gen(function* () {
    const setting = settings.get(name)
    // A change of nothing says best what the name should have been.
    if (setting === undefined) yield* settings.clear(name, { by: "" })
    return json(setting === undefined ? {} : shown.setting(setting))
  })

const setGroup = (settings: Settings.SettingsRegistry) =>
  Effect.gen(function* () {
    const { changes, ...rest } = yield* asked.group
    const made = yield* settings.change(changes, asked.options(rest))
    return json({ changes: made.map(shown.change) })
  })

const setOne = (settings: Settings.SettingsRegistry, name: string) =>
  Effect.gen(function* () {
    const { value, ...rest } = yield* asked.one
    return changed(settings, name, yield* settings.set(name, value, asked.options(rest)))
  })

const routes = (options: Options) => [
  route("GET", "/admin/downstreams", () =>
    Effect.sync(() => json({ downstreams: options.downstreams().map(shown.downstream) }))
  ),
  // This router takes the path without a rest for one with an empty rest: all settings.
  route("GET", "/admin/settings/*", (settings) =>
    Effect.flatMap(asked.rest, (name) => (name === "" ? listed(settings) : read(settings, name)))
  ),
  route("PUT", "/admin/settings/*", (settings) =>
    Effect.flatMap(asked.rest, (name) => (name === "" ? setGroup(settings) : setOne(settings, name)))
  ),
  route("DELETE", "/admin/settings/*", (settings) =>
    Effect.gen(function* () {
      const name = yield* asked.rest
      return changed(settings, name, yield* settings.clear(name, asked.options(yield* asked.query)))
    })
  ),
  route("GET", "/admin/settings-audit", (settings) =>
    Effect.sync(() => json({ changes: settings.audit().map(shown.change) }))
  ),
  route("GET", "/admin/flags/*", (settings) =>
    Effect.flatMap(asked.rest, (name) =>
      Effect.map(name === "" ? flags.list(settings) : flags.read(settings, name), json)
    )
  ),
  route("PUT", "/admin/flags/*", (settings) =>
    Effect.flatMap(asked.rest, (name) => Effect.map(flags.set(settings, name), json))
  ),
  route("DELETE", "/admin/flags/*", (settings) =>
    Effect.flatMap(asked.rest, (name) => Effect.map(flags.clear(settings, name), json))
  ),
  route("POST", "/admin/breakers/*", (settings) =>
    Effect.gen(function* () {
      const path = yield* asked.rest
      const at = path.lastIndexOf("/")
      const [name, action] = [path.slice(0, Math.max(0, at)), path.slice(at + 1)]
      yield* settings.operate(name, action, asked.options(yield* asked.query))
      return json({ name, action })
    })
  )
]

/**
 * The routes of the admin API and their guard.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<never, AdminUnprotected, HttpRouter.HttpRouter> => {
  const host = options.host ?? "127.0.0.1"
  const token = options.token === undefined ? "" : Redacted.value(options.token)
  if (token === "" && !isLoopback(host)) {
    const variable = options.tokenVariable ?? "ADMIN_TOKEN"
    return Layer.effectDiscard(Effect.fail(new AdminUnprotected({ host, variable })))
  }
  const all = routes(options)
  return placing("exempt")(
    all.reduce<Layer.Layer<never, never, HttpRouter.HttpRouter>>(
      (of, next) => Layer.merge(of, next),
      guard(token, options.open ?? openDefault)
    )
  )
}
