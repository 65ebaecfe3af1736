import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Flag, Settings } from "@failsoft/core"
import { Admin, Edge } from "@failsoft/http"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServer } from "effect/http"
import * as Layer from "effect/Layer"

const banner = Flag.boolean("banner", { description: "until June" })
const ranking = Flag.percentage("ranking")
const checkout = Flag.variant("checkout", { weights: { control: 100, fast: 0 } })
const picks = Flag.rollout("picks")

/** What a test asks of an admin port of its own. */
const admin = Effect.gen(function* () {
  const context = yield* Layer.build(
    HttpRouter.serve(Layer.mergeAll(Admin.layer({ downstreams: () => [] }), Edge.layer()), {
      disableLogger: true,
      disableListenLog: true
    }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
      Layer.provide(Flag.layer(banner, ranking, checkout, picks)),
      Layer.provideMerge(Settings.layer)
    )
  )
  const { address } = yield* Effect.provideContext(HttpServer.HttpServer, context)
  const url = `http://127.0.0.1:${"port" in address ? address.port : 0}/admin/flags`
  return (method: string, path: string, body?: unknown) =>
    Effect.promise(async () => {
      const response = await fetch(url + path, {
        method,
        headers: { "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      })
      const read: Record<string, unknown> = JSON.parse(await response.text())
      return { status: response.status, type: response.headers.get("content-type"), body: read }
    })
})

describe("the admin API of flags", () => {
  it.live("shows all of them with their values, origins and counts", () =>
    Effect.gen(function* () {
      const ask = yield* admin
      const { body, status } = yield* ask("GET", "")
      assert.strictEqual(status, 200)
      const flags = Array.isArray(body["flags"]) ? body["flags"] : []
      assert.deepEqual(
        flags.map(({ name, kind, values }) => [name, kind, values]),
        [
          ["banner", "boolean", { enabled: false }],
          ["checkout", "variant", { control: 100, fast: 0 }],
          ["picks", "rollout", { stage: "off", percent: 0, darkPercent: 100 }],
          ["ranking", "percentage", { percent: 0 }]
        ]
      )
      assert.strictEqual(flags[0].description, "until June")
      assert.deepInclude(flags[2].counts.stable, { answered: 0, withoutAnswer: 0 })
      assert.deepInclude(flags[0].settings[0], { name: "flags/banner/boolean.enabled", origin: "code" })
    }).pipe(Effect.scoped)
  )

  it.live("changes the knobs of a flag together, says which side a key is on, and takes it back", () =>
    Effect.gen(function* () {
      const ask = yield* admin
      const changed = yield* ask("PUT", "/picks", {
        values: { stage: "on", percent: 100 },
        by: "ada",
        reason: "a test",
        expiresAfterMillis: 60_000
      })
      assert.strictEqual(changed.status, 200, JSON.stringify(changed.body))
      assert.strictEqual(Array.isArray(changed.body["changes"]) && changed.body["changes"].length, 2)
      const one = (yield* ask("GET", "/picks?key=alice")).body
      assert.deepInclude(one, { for: { key: "alice", says: "candidate" } })
      assert.deepInclude(one, { values: { stage: "on", percent: 100, darkPercent: 100 } })
      assert.include(JSON.stringify(one), '"by":"ada"')
      yield* ask("PUT", "/picks", { values: { percent: null } })
      assert.deepInclude((yield* ask("GET", "/picks?key=alice")).body, { for: { key: "alice", says: "stable" } })
      assert.strictEqual((yield* ask("DELETE", "/picks?by=ada&reason=done")).status, 200)
      assert.deepInclude((yield* ask("GET", "/picks")).body, { values: { stage: "off", percent: 0, darkPercent: 100 } })
      yield* ask("PUT", "/checkout", { values: { control: 0, fast: 100 } })
      assert.deepInclude((yield* ask("GET", "/checkout?key=bob")).body, { for: { key: "bob", says: "fast" } })
    }).pipe(Effect.scoped)
  )

  it.live("answers every mistake with a problem that says what would be right", () =>
    Effect.gen(function* () {
      const ask = yield* admin
      const mistakes: ReadonlyArray<readonly [string, string, unknown, number, string, string]> = [
        ["GET", "/pick", undefined, 404, "UNKNOWN_FLAG", "there are banner, checkout, picks, ranking"],
        ["PUT", "/pick", { values: {} }, 404, "UNKNOWN_FLAG", "there is no flag 'pick'"],
        ["DELETE", "/pick", undefined, 404, "UNKNOWN_FLAG", "there is no flag 'pick'"],
        ["PUT", "", { values: {} }, 404, "UNKNOWN_FLAG", "there is no flag ''"],
        ["PUT", "/ranking", { values: { percent: 101 } }, 400, "MALFORMED_SETTING", "a number from 0 to 100"],
        ["PUT", "/ranking", { values: { percent: [1] } }, 400, "MALFORMED_SETTING", "the body must be { values"],
        ["PUT", "/ranking", { percent: 1 }, 400, "MALFORMED_SETTING", "the body must be { values"],
        ["PUT", "/ranking", { values: { percents: 1 } }, 404, "UNKNOWN_SETTING", "flags/ranking/percentage.percent"],
        ["PUT", "/picks", { values: { stage: "half" } }, 400, "MALFORMED_SETTING", "one of off, dark, on"],
        ["PUT", "/checkout", { values: { control: 0 } }, 422, "SETTING_DOES_NOT_FIT", "must be above 0"]
      ]
      for (const [method, path, given, status, reason, detail] of mistakes) {
        const seen = yield* ask(method, path, given)
        const where = `${method} ${path} ${JSON.stringify(given)}: ${JSON.stringify(seen.body)}`
        assert.strictEqual(seen.status, status, where)
        assert.match(seen.type ?? "", /^application\/problem\+json/, where)
        assert.strictEqual(seen.body["reason"], reason, where)
        assert.include(String(seen.body["detail"]), detail, where)
      }
    }).pipe(Effect.scoped)
  )
})
