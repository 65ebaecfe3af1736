/** The whole storefront: downstream processes, rings, routes, two ports. */
import { join } from "node:path"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cache, Settings as Registry, ServiceMode, Signal, SignalLog } from "@failsoft/core"
import { Edge, Health, LoadShedding, Modes, RateLimits, Server } from "@failsoft/http"
import * as Effect from "effect/Effect"
import * as Etag from "effect/http/Etag"
import * as HttpPlatform from "effect/http/HttpPlatform"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiScalar from "effect/http-api/HttpApiScalar"
import * as Layer from "effect/Layer"
import { KeyValueStore } from "effect/persistence"
import * as Supervisor from "../downstreams/Supervisor.ts"
import * as admin from "./admin.ts"
import { StorefrontApi } from "./api.ts"
import * as budgets from "./budgets.ts"
import * as clients from "./clients.ts"
import * as handlers from "./handlers.ts"
import * as liveCallers from "./liveCallers.ts"
import * as Orders from "./Orders.ts"
import * as quotas from "./quotas.ts"
import * as rings from "./rings.ts"
import * as SigningKeys from "./SigningKeys.ts"
import type { Settings } from "./settings.ts"
import * as transports from "./transports.ts"

const Rings = Layer.mergeAll(
  rings.IdentityRing,
  rings.CatalogRing,
  rings.InventoryRing,
  rings.PaymentsRing,
  rings.RecommendationsRing,
  rings.ShippingRings
)

const Transports = Layer.unwrap(
  Effect.map(Supervisor.Supervisor, ({ url }) =>
    transports.layer({
      identity: url("identity"),
      catalog: { eu: url("catalog.eu"), us: url("catalog.us") },
      inventory: url("inventory"),
      payments: url("payments"),
      recommendations: url("recommendations"),
      shipping: { dhl: url("shipping.dhl"), ups: url("shipping.ups") }
    })
  )
).pipe(Layer.provide(NodeHttpClient.layerUndici))

const HealthRoutes = Layer.unwrap(
  Effect.map(clients.checks, (checks) => Health.layer({ serviceId: "storefront", checks }))
)

const publicRoutes = (settings: Settings) =>
  Layer.mergeAll(
    HttpApiBuilder.layer(StorefrontApi, { openapiPath: "/openapi.json" }).pipe(Layer.provide(handlers.layer)),
    // Its default fonts would come from another site.
    HttpApiScalar.layer(StorefrontApi, { path: "/docs", scalar: { withDefaultFonts: false } }).pipe(
      LoadShedding.priority("sheddable")
    ),
    HealthRoutes,
    Edge.layer({
      deadline: budgets.deadline,
      requestMaxBytes: 65_536,
      callerCaching: liveCallers.callers(settings)
    })
  ).pipe(
    Layer.provide(LoadShedding.layer({ routes: LoadShedding.endpoints(StorefrontApi) })),
    Layer.provide(RateLimits.layer(quotas.limits)),
    Layer.provide(Modes.layer())
  )

/** What the shop as a whole can do, observed or as an operator says. */
const Mode = Layer.unwrap(
  Effect.map(clients.dependents, (dependents) => ServiceMode.layer({ service: "storefront", dependents }))
)

const adminRoutes = (settings: Settings) =>
  Layer.mergeAll(admin.layer(settings), HealthRoutes, Edge.layer({ deadline: "10 seconds" }))

/** The knobs of the policies: the code, then the file, then the environment, then the admin API. */
const Knobs = ({ settingsFile, environment }: Settings) =>
  Registry.layerOf(Registry.file(settingsFile), Registry.environment(environment)).pipe(
    Layer.provide(NodeServices.layer)
  )

/** What a restart in the middle of an outage still knows of the catalog. */
const Kept = ({ dataDir }: Settings) =>
  Cache.layerStore(KeyValueStore.layerFileSystem(join(dataDir, "cache"))).pipe(Layer.provide(NodeServices.layer))

/** What the rings tell, as log lines: refusals, circuits, degraded answers, changed settings. */
const Told = SignalLog.layer().pipe(Layer.provideMerge(Signal.layer))

/** The service on downstreams that somebody else has started; `onUp` is told the ports once both servers answer. */
export const layerOn = (settings: Settings, onUp: (bound: Settings) => void) =>
  Layer.suspend(() => {
    let { port, adminPort } = settings
    const servers = Layer.mergeAll(
      Server.serve(publicRoutes(settings), {
        port: settings.port,
        portVariable: "PORT",
        onListening: (bound) => {
          port = bound
        }
      }),
      Server.serve(adminRoutes(settings), {
        port: settings.adminPort,
        host: settings.adminHost,
        portVariable: "ADMIN_PORT",
        onListening: (bound) => {
          adminPort = bound
        }
      })
    )
    const up = Layer.effectDiscard(Effect.sync(() => onUp({ ...settings, port, adminPort })))
    return Layer.merge(Layer.provideMerge(up, servers), budgets.layer)
  }).pipe(
    Layer.provide(Layer.merge(Orders.layer, SigningKeys.layer)),
    Layer.provide(Mode),
    Layer.provide(Rings),
    Layer.provide(Transports),
    Layer.provide(Kept(settings)),
    Layer.provide(Knobs(settings)),
    Layer.provide(Told),
    Layer.provide(
      Layer.mergeAll(
        NodeServices.layer,
        Etag.layer,
        HttpPlatform.layer.pipe(Layer.provide([NodeServices.layer, Etag.layer]))
      )
    )
  )

/** The service with its downstreams, as the settings say. */
export const layer = (settings: Settings, onUp: (bound: Settings) => void) =>
  layerOn(settings, onUp).pipe(
    Layer.provide(Supervisor.layer({ basePort: settings.downstreamPort, folder: settings.dataDir }))
  )
