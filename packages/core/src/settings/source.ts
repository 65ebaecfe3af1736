/** A source of settings as a value, and the registry that listens to some. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { make, Registry, type SettingsRegistry, type Source } from "../Settings.ts"

/**
 * All that a source says, by name.
 *
 * @category models
 * @since 0.1.0
 */
export type Values = Readonly<Record<string, unknown>>

/**
 * What a source says at a moment: values, which replace those before, or why it
 * cannot be understood, which leaves them as they are.
 *
 * @category models
 * @since 0.1.0
 */
export type Said =
  | { readonly _tag: "Values"; readonly values: Values }
  | { readonly _tag: "Malformed"; readonly problem: string }

/**
 * A source: which one it is, how it is called in records (`by`), what it says when
 * the service starts, and what it says later. A provider of feature flags is a
 * source with the origin `flag`.
 *
 * @category models
 * @since 0.1.0
 */
export interface SettingsSource<out R = never> {
  readonly source: Exclude<Source, "admin">
  readonly by: string
  readonly initial: Effect.Effect<Said, never, R>
  readonly changes: Stream.Stream<Said, never, R>
}

/** By then the rings are built, and a name that is still unknown is a mistake. */
const settledMillis = 2000

const hear = (
  settings: SettingsRegistry,
  { source, by }: Pick<SettingsSource, "source" | "by">,
  said: Said
): Effect.Effect<ReadonlyArray<{ readonly problem: string }>> =>
  said._tag === "Values"
    ? settings.load(source, said.values, by)
    : Effect.as(settings.report(source, by, said.problem), [said])

const warn = (by: string, problems: ReadonlyArray<{ readonly problem: string }>) =>
  Effect.forEach(problems, ({ problem }) => Effect.logWarning(`settings: ${by}: ${problem}`), { discard: true })

/**
 * A registry that listens to these sources. What they say at the start is known
 * before a ring is built; what cannot be applied is logged.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerOf = <R = never>(...sources: ReadonlyArray<SettingsSource<R>>): Layer.Layer<never, never, R> =>
  Layer.effect(
    Registry,
    Effect.gen(function* () {
      const settings = yield* make
      for (const source of sources) {
        yield* hear(settings, source, yield* source.initial)
        const listen = Stream.runForEach(source.changes, (said) =>
          Effect.flatMap(hear(settings, source, said), (problems) => warn(source.by, problems))
        )
        yield* Effect.forkScoped(listen)
      }
      const late = Effect.suspend(() =>
        Effect.forEach(settings.problems(), (of) => warn(of.by, [of]), { discard: true })
      )
      if (sources.length > 0) yield* Effect.forkScoped(Effect.delay(late, settledMillis))
      return settings
    })
  )
