/** What stands before the edge together: modes, rate limits, load shedding, and its early answers. */
import { assert, describe, it } from "@effect/vitest"
import { ServiceMode, Settings } from "@failsoft/core"
import { LoadShedding, Modes, RateLimits } from "@failsoft/http"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { started } from "./fullServer.ts"

const mode = Layer.provide(Modes.layer(), ServiceMode.layer({ service: "shop", dependents: () => [] }))

const turning = (context: Context.Context<never>) => (to: string) =>
  Context.get(context, Settings.Registry).change({ "shop/service/mode.switch": to }, { by: "ada" })

const reasonOf = ({ text }: { readonly text: string }) => JSON.parse(text).reason

describe("a full server with a mode", () => {
  it.live("says first what is not served at all, and tells its mode with every early answer", () =>
    Effect.gen(function* () {
      const { ask, context, fill, seen } = yield* started({}, mode)
      const turn = turning(context)
      yield* fill
      const full = yield* ask("GET", "/page")
      assert.deepEqual([full.status, reasonOf(full), full.headers["service-mode"]], [503, "LOAD_SHED", undefined])
      yield* turn("reduced")
      const passed = seen.passed
      const reduced = yield* ask("GET", "/page")
      assert.deepEqual([reasonOf(reduced), reduced.headers["service-mode"]], ["LOAD_SHED", "reduced"])
      assert.strictEqual(seen.passed, passed, "still on its socket")
      yield* turn("read-only")
      const write = yield* ask("POST", "/page", {}, "x")
      assert.deepEqual([reasonOf(write), write.headers["service-mode"]], ["READ_ONLY", "read-only"])
      assert.isAtLeast(Number(write.headers["retry-after"]), 10)
      const read = yield* ask("GET", "/page")
      assert.deepEqual([reasonOf(read), read.headers["service-mode"]], ["LOAD_SHED", "read-only"])
      yield* turn("unavailable")
      assert.strictEqual(reasonOf(yield* ask("GET", "/page")), "OUT_OF_SERVICE")
    })
  )
})

describe("a full server with rate limits", () => {
  it.live("counts nobody whom it sheds on its socket", () =>
    Effect.gen(function* () {
      const { ask, fill } = yield* started({}, RateLimits.layer([{ name: "hourly", permits: 10, window: "1 hour" }]))
      assert.match(String((yield* ask("GET", "/page")).headers["ratelimit"]), /r=9;/)
      yield* fill
      const shed = yield* ask("GET", "/page")
      assert.deepEqual([reasonOf(shed), shed.headers["ratelimit"]], ["LOAD_SHED", undefined])
      // The one that fills it was counted.
      assert.match(String((yield* ask("GET", "/health")).headers["ratelimit"]), /r=7;/)
    })
  )
})

describe("what is answered on a socket", () => {
  it.live("has the headers that it is given, which do not replace its own", () =>
    Effect.gen(function* () {
      const headers = { "Access-Control-Allow-Origin": "*", "Retry-After": "0" }
      const { ask, fill, seen } = yield* started({ onSocket: { headers } })
      yield* fill
      const passed = seen.passed
      const shed = yield* ask("GET", "/page")
      assert.strictEqual(seen.passed, passed)
      assert.strictEqual(shed.headers["access-control-allow-origin"], "*")
      assert.isAtLeast(Number(shed.headers["retry-after"]), 1)
    })
  )

  it.live("is nothing where that is switched off: the request passes whoever stands around the edge", () =>
    Effect.gen(function* () {
      const { ask, fill, seen } = yield* started({ onSocket: false })
      yield* fill
      const passed = seen.passed
      assert.strictEqual(reasonOf(yield* ask("GET", "/page")), "LOAD_SHED")
      assert.strictEqual(seen.passed, passed + 1)
    })
  )

  it.effect("is no place for what is no header", () =>
    Effect.gen(function* () {
      const refused = yield* Effect.flip(
        Effect.scoped(Layer.build(LoadShedding.layer({ onSocket: { headers: { "x-a": "1\r\nx-b: 2" } } })))
      )
      assert.match(refused.message, /onSocket: "x-a" with the value .* is no header of HTTP/)
    }).pipe(Effect.provide(Settings.layer))
  )
})

describe("the answer at the deadline", () => {
  it.live("tells the mode and what is left of a quota, as all others do", () =>
    Effect.gen(function* () {
      const limit = RateLimits.layer([{ name: "hourly", permits: 10, window: "1 hour" }])
      const { ask, context } = yield* started({}, Layer.merge(mode, limit))
      yield* turning(context)("reduced")
      const late = yield* ask("GET", "/hang", { "x-envoy-expected-rq-timeout-ms": "50" })
      assert.deepEqual(
        [late.status, reasonOf(late), late.headers["service-mode"], late.headers["ratelimit-policy"]],
        [503, "DEADLINE_EXCEEDED", "reduced", '"hourly";q=10;w=3600']
      )
      assert.match(String(late.headers["ratelimit"]), /^"hourly";r=9;/)
    })
  )

  it.live("comes though the key of a limit fails by then", () =>
    Effect.gen(function* () {
      let asked = 0
      const key = () => {
        asked++
        if (asked > 1) throw new Error("the token has expired")
        return "somebody"
      }
      const { ask } = yield* started({}, RateLimits.layer([{ name: "once", permits: 10, window: "1 hour", key }]))
      const late = yield* ask("GET", "/hang", { "x-envoy-expected-rq-timeout-ms": "50" })
      assert.strictEqual(reasonOf(late), "DEADLINE_EXCEEDED")
    })
  )
})
