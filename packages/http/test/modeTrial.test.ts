/** The one write that may find out whether what was lost is back. */
import { assert, describe, it } from "@effect/vitest"
import { ServiceMode } from "@failsoft/core"
import { Modes, RateLimits } from "@failsoft/http"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { started } from "./fullServer.ts"

/** An essential downstream whose write has just failed, as at every look. */
const lost: ServiceMode.Dependent = {
  description: {
    name: "payments",
    info: {
      criticality: "essential",
      owner: "nobody",
      slo: { objective: 0.99, window: "30 days" },
      budget: "2 seconds",
      docs: "https://example.com"
    },
    methods: [
      {
        name: "charge",
        idempotency: "keyed",
        onOutage: "fail",
        policies: [],
        worstLatencyMillis: 100,
        worstLoad: 1,
        worstExtraPerSecond: 0,
        warnings: [],
        nestedRetries: 0,
        fallback: [],
        observed: { lastBadAt: Number.MAX_SAFE_INTEGER }
      }
    ]
  }
}

const around = Layer.merge(
  Layer.provide(
    Modes.layer(),
    ServiceMode.layer({
      service: "shop",
      dependents: () => [lost],
      enforce: "observed",
      settle: "1 millis",
      trial: "1 hour"
    })
  ),
  RateLimits.layer([{ name: "hourly", permits: 1, window: "1 hour", key: ({ headers }) => headers["x-client"] }])
)

describe("a trial while the observed mode is enforced", () => {
  it.live("is not a write that was over its quota, the caller's mistake, late, or shed", () =>
    Effect.gen(function* () {
      const { ask, fill, open } = yield* started({}, around)
      const write = (path: string, headers: Record<string, string> = {}) =>
        Effect.map(ask("POST", path, headers, "x"), ({ status, text }) =>
          status < 400 ? status : (JSON.parse(text).reason ?? status)
        )
      const greedy = { "x-client": "greedy" }
      assert.strictEqual((yield* ask("GET", "/page", greedy)).status, 200)
      for (let nth = 0; nth < 3; nth++) {
        assert.strictEqual(yield* write("/page", greedy), "RATE_LIMITED")
        assert.strictEqual(yield* write("/nowhere"), "UNKNOWN_ROUTE")
        assert.strictEqual(yield* write("/page", { "grpc-timeout": "0m" }), "DEADLINE_EXCEEDED")
      }
      yield* fill
      assert.strictEqual(yield* write("/page"), "LOAD_SHED")
      yield* open
      let honest = yield* write("/page")
      for (let tries = 0; tries < 100 && honest === "LOAD_SHED"; tries++) honest = yield* write("/page")
      assert.strictEqual(honest, 200)
      assert.strictEqual(yield* write("/page"), "READ_ONLY")
    })
  )

  it.live("is one that failed where it was served", () =>
    Effect.gen(function* () {
      const { ask } = yield* started({}, around)
      assert.strictEqual((yield* ask("POST", "/fail")).status, 500)
      assert.strictEqual(JSON.parse((yield* ask("POST", "/page")).text).reason, "READ_ONLY")
      assert.strictEqual((yield* ask("GET", "/page")).headers["service-mode"], "read-only")
    })
  )
})
