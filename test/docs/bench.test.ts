/** Each case of the benchmark can be built and answers, so that it is not found broken on the day it is needed. */
import { assert, describe, it } from "vitest"
import { listen } from "../../bench/http/downstream.ts"
import { servers } from "../../bench/http/servers/index.ts"
import { groups } from "../../bench/http/settings.ts"
import { builds } from "../../bench/overhead/builds/index.ts"

describe("a case of the benchmark answers", () => {
  const cases = Object.entries(builds).flatMap(([name, build]) =>
    Object.entries(build.scenarios).map(([scenario, make]) => ({ name, scenario, make }))
  )

  it.each(cases)("$name, $scenario", async ({ make }) => {
    const run = await make()
    await run(3)
  })

  it("and every peer is among them", () => {
    assert.includeMembers(Object.keys(builds), ["cockatiel", "opossum", "Effect, idiomatic", "bare await"])
  })
})

describe("a server of the HTTP benchmark answers", () => {
  const cases = Object.values(groups).flatMap(({ cases, path, status }) =>
    cases.map((name) => ({ name, path, status }))
  )

  it.each(cases)("$name", async ({ name, path, status }) => {
    const downstream = await listen()
    try {
      const running = await servers[name]?.(downstream.url)
      const response = await fetch(`http://127.0.0.1:${running?.port}${path}`)
      // The one that sheds needs two windows of the event loop's delay to believe it.
      for (let again = 0; again < 100 && status === 503 && response.status !== status; again++) {
        const next = await fetch(`http://127.0.0.1:${running?.port}${path}`)
        if (next.status === status) return
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
      assert.strictEqual(response.status, status)
      assert.include(await response.text(), path === "/hello" ? "world" : '"available":3')
      assert.strictEqual(running?.degraded(), 0)
    } finally {
      downstream.server.closeAllConnections()
      downstream.server.close()
    }
  })

  it("and each case has its server", () => {
    assert.sameMembers(
      cases.map(({ name }) => name),
      Object.keys(servers)
    )
  })
})
