/** Each case of the benchmark can be built and answers, so that it is not found broken on the day it is needed. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { assert, describe, it } from "vitest"
import { cases } from "../../bench/cases.ts"

describe("a case of the benchmark answers", () => {
  const built: Readonly<Record<string, Effect.Effect<Effect.Effect<unknown, unknown>, unknown, Scope.Scope>>> = cases
  it.each(Object.keys(cases))("%s", async (name) => {
    const make = built[name] ?? Effect.die("no such case")
    assert.isDefined(await Effect.runPromise(Effect.scoped(Effect.flatMap(make, (call) => call))))
  })
})
