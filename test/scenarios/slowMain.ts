/** The storefront as `npm start` runs it, by a clock of which one second takes `CLOCK_TIMES` seconds. */
import { Server } from "@failsoft/http"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as service from "../../packages/examples/src/storefront/service.ts"
import { fromEnvironment } from "../../packages/examples/src/storefront/settings.ts"
import { slowClock } from "./slowClock.ts"

const { CLOCK_TIMES = "1", ...environment } = process.env

const storefront = Layer.unwrap(
  Effect.map(fromEnvironment(environment), (settings) =>
    service.layer(settings, ({ port, adminPort, adminHost }) => {
      console.log(`  API    http://127.0.0.1:${port}\n  admin  http://${adminHost}:${adminPort}`)
    })
  )
)

Server.run(storefront.pipe(Layer.provide(Layer.succeed(Clock.Clock, slowClock(Number(CLOCK_TIMES))))))
