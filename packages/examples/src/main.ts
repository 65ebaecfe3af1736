/** `npm start`: the storefront with its downstreams, and three lines to try. */
import { Server } from "@failsoft/http"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { banner } from "./storefront/banner.ts"
import * as service from "./storefront/service.ts"
import { fromEnvironment } from "./storefront/settings.ts"

const storefront = Layer.unwrap(
  Effect.map(fromEnvironment(process.env), (settings) =>
    // The banner is the last to be built: what it names is up.
    Layer.effectDiscard(Effect.sync(() => console.log(banner(settings)))).pipe(
      Layer.provideMerge(service.layer(settings))
    )
  )
)

Server.run(storefront)
