/** The store of durable caches. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import { Store } from "../Cache.ts"

/**
 * Gives durable caches a store: any of Effect's `KeyValueStore` layers. A store that
 * cannot be opened is told in the log, and the caches are kept in memory only.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerStore = <E, R>(store: Layer.Layer<KeyValueStore.KeyValueStore, E, R>): Layer.Layer<never, never, R> =>
  Layer.effect(Store, KeyValueStore.KeyValueStore).pipe(
    Layer.provide(store),
    Layer.catchCause((cause) =>
      Layer.effectDiscard(
        Effect.logWarning("the store of durable caches cannot be opened; they are kept in memory only", cause)
      )
    )
  )
