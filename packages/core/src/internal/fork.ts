/**
 * Runs an effect in a fiber of its own from a synchronous block.
 *
 * The one place in core that starts a fiber outside the effect of its caller: an
 * attempt must be interruptible apart from its caller, and one sleeper serves many
 * calls. The fiber runs at once, on the clock, scheduler and services of `context`.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** Starts the effect; it has run up to its first suspension when this returns. */
export const forkBeside = <A, E>(context: Context.Context<never>, effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> =>
  Effect.runForkWith(context)(effect)
