/**
 * State that is shared by value: the effect returned for one `make` builds it
 * once per layer build, however many rings use it. This is Effect's own rule for
 * layers, kept by Effect's own memo map, so two tests never share a breaker.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

/** What it takes to build shared state; outside a layer build each time is its own. */
export type Build = Scope.Scope

/** Makes the effect; call it once per value, where the value is constructed. */
export const sharedByValue = <I>(make: Effect.Effect<I, never, Scope.Scope>): Effect.Effect<I, never, Build> => {
  // Each layer is built into a context of its own, so one key serves all.
  const key = Context.Service<I>("@failsoft/core/internal/Shared")
  const layer = Layer.effect(key, make)
  return Effect.gen(function* () {
    const context = yield* Effect.context<Scope.Scope>()
    const memoMap = Context.getOrUndefined(context, Layer.CurrentMemoMap) ?? Layer.makeMemoMapUnsafe()
    return Context.get(yield* Layer.buildWithMemoMap(layer, memoMap, yield* Effect.scope), key)
  })
}
