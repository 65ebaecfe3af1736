/** Each case of the benchmark can be built and answers, so that it is not found broken on the day it is needed. */
import { assert, describe, it } from "vitest"
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
