/** `npm start`: the storefront with its downstreams, and three lines to try. */
import { Server } from "@failsoft/http"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { banner } from "./storefront/banner.ts"
import * as service from "./storefront/service.ts"
import { fromEnvironment } from "./storefront/settings.ts"

const storefront = Layer.unwrap(
  Effect.map(fromEnvironment(process.env), (settings) => service.layer(settings, (bound) => console.log(banner(bound))))
)

Server.run(storefront)
