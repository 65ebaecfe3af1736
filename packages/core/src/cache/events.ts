/** Events that make what is cached invalid: told by whoever hears of a change. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

/**
 * Something that happened, by name.
 *
 * @category models
 * @since 0.1.0
 */
export interface Event<out Data = unknown> {
  readonly name: string
  readonly data: Data
}

/**
 * A kind of events: makes one from its data.
 *
 * @category models
 * @since 0.1.0
 */
export interface EventKind<Data> {
  readonly eventName: string
  (data: Data): Event<Data>
}

/**
 * What an event makes invalid: everything with one of these tags, or all that the cache
 * holds.
 *
 * @category models
 * @since 0.1.0
 */
export type Invalidation = { readonly tags: ReadonlyArray<string> } | "all"

/**
 * What becomes invalid with events of a name.
 *
 * @category models
 * @since 0.1.0
 */
export interface On {
  readonly name: string
  readonly invalidates: (data: unknown) => Invalidation
}

/**
 * Names a kind of events; the name is unique in the program.
 *
 * @category constructors
 * @since 0.1.0
 */
export const event = <Data>(name: string): EventKind<Data> =>
  Object.assign((data: Data) => ({ name, data }), { eventName: name })

/**
 * Says what an event makes invalid in a cache: for its option `on`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const on = <Data>(kind: EventKind<Data>, invalidates: (data: Data) => Invalidation): On => ({
  name: kind.eventName,
  // Events of this name are made by this kind.
  invalidates: (data) => invalidates(data as Data)
})

/**
 * Who tells events, and who hears them.
 *
 * @category services
 * @since 0.1.0
 */
export interface EventHub {
  /** Tells an event; all caches have forgotten what it makes invalid when it returns. How many listeners heard it. */
  readonly publish: (event: Event) => number
  /** Hears events until the scope closes. */
  readonly subscribe: (listener: (event: Event) => void) => Effect.Effect<void, never, Scope.Scope>
}

const inert: EventHub = { publish: () => 0, subscribe: () => Effect.void }

/**
 * The hub of the current context; without {@link layerEvents} nobody hears anything. A
 * ring takes it when its layer is built.
 *
 * @category references
 * @since 0.1.0
 */
export const Events: Context.Reference<EventHub> = Context.Reference<EventHub>("@failsoft/core/Cache/Events", {
  defaultValue: () => inert
})

/**
 * A hub for the rings and the publishers below it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerEvents: Layer.Layer<never> = Layer.effect(
  Events,
  Effect.sync((): EventHub => {
    const listeners = new Set<(event: Event) => void>()
    return {
      publish: (event) => {
        for (const listener of listeners) listener(event)
        return listeners.size
      },
      subscribe: (listener) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            const own = (event: Event) => listener(event)
            listeners.add(own)
            return own
          }),
          (own) => Effect.sync(() => listeners.delete(own))
        ).pipe(Effect.asVoid)
    }
  })
)

/**
 * Tells an event. The number says how many caches heard it: 0 means that nobody did.
 *
 * @category combinators
 * @since 0.1.0
 */
export const publish = (event: Event): Effect.Effect<number> => Effect.map(Events, (hub) => hub.publish(event))
