/** Flags of an OpenFeature provider as a source of settings. */
import { type Client, type EvaluationContext, ProviderEvents } from "@openfeature/server-sdk"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { type Flag, setting } from "../Flag.ts"
import type { Said, SettingsSource, Values } from "../settings/source.ts"
import { type Asked, knobsOf, type Read, read, type Type, typesOf } from "./internal/read.ts"

/**
 * A setting that a flag of the provider decides: the key of the flag there, and its type.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mapped {
  readonly key: string
  readonly type: Exclude<Type, "object">
}

/**
 * What is asked of the provider.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The flags of the code; each has its own name at the provider. */
  readonly flags?: ReadonlyArray<Flag>
  /** Settings of policies and fallbacks by name, each decided by a flag of the provider. */
  readonly settings?: Readonly<Record<string, Mapped>>
  /** With what every flag is asked for: who the service is, not who a request is. */
  readonly context?: EvaluationContext
  /** How often it is asked, where it does not say itself that something changed. Default 30 s. */
  readonly every?: Duration.Input
  /** How long it may take to answer, all flags together; also at the start. Default 1 s. */
  readonly within?: Duration.Input
  /** How it is called in records. Default: its name. */
  readonly by?: string
}

/**
 * What a provider of OpenFeature says, as a source with the origin `flag`.
 *
 * The provider is never asked within a request: at the start, when it says that
 * something changed, and `every` so often. So it decides what a flag's values are (on, a
 * share, the weights, a stage), and who is on which side is decided here, sticky and in
 * nanoseconds.
 *
 * A boolean flag is a boolean there; a percentage a number or a boolean; a variant its
 * name, or an object of weights; a rollout an object of `stage`, `percent` and
 * `darkPercent`, a stage, a percentage or a boolean. A flag that it does not have, or has
 * disabled, is decided by the lower sources.
 *
 * A provider that is down, not ready or late leaves the last known values, says so once
 * among the settings' problems and in the log, and once when it is back. A flag whose
 * value cannot be understood keeps its last one too.
 *
 * @category sources
 * @since 0.1.0
 */
export const source = (client: Client, options: Options): SettingsSource => {
  const asked = askedOf(options)
  const by = options.by ?? (client.metadata.providerMetadata.name || "OpenFeature")
  const within = options.within ?? "1 second"
  const state = new State()
  const one = (of: Asked) => Effect.promise(() => read(client, of, options.context ?? {}))
  const look = Effect.forEach(asked, one, { concurrency: "unbounded" }).pipe(
    Effect.timeoutOrElse({
      duration: within,
      orElse: () => Effect.succeed(allDown(asked, "it does not answer in time"))
    }),
    Effect.catchCause(() => Effect.succeed(allDown(asked, "it fails"))),
    Effect.map((reads) => state.take(asked, reads))
  )
  return {
    source: "flag",
    by,
    initial: Effect.map(look, ([first = nothing, ...others]) => {
      if (others.length > 0) state.keepForLater()
      return first
    }),
    changes: Stream.tick(options.every ?? "30 seconds").pipe(
      Stream.merge(events(client)),
      Stream.debounce("10 millis"),
      Stream.mapEffect(() =>
        Effect.tap(look, () => (state.isBack() ? Effect.logInfo(`flags: ${by}: it is back`) : Effect.void))
      ),
      Stream.flattenIterable
    )
  }
}

const nothing: Said = { _tag: "Values", values: {} }

const askedOf = ({ flags = [], settings = {} }: Options): ReadonlyArray<Asked> => [
  ...flags.map((flag): Asked => {
    const knobs = Object.keys(flag.knobs)
    return {
      key: flag.name,
      types: typesOf[flag.kind],
      settings: (value) => {
        const of = knobsOf(flag.kind, knobs, value)
        return of && Object.fromEntries(Object.entries(of).map(([knob, given]) => [setting(flag, knob), given]))
      }
    }
  }),
  ...Object.entries(settings).map(
    ([name, { key, type }]): Asked => ({ key, types: [type], settings: (value) => ({ [name]: value }) })
  )
]

const allDown = (asked: ReadonlyArray<Asked>, problem: string): ReadonlyArray<Read> =>
  asked.map(() => ({ _tag: "Down", problem }))

const told = [
  ProviderEvents.ConfigurationChanged,
  ProviderEvents.Ready,
  ProviderEvents.Error,
  ProviderEvents.Stale
] as const

/** When the provider says that something changed. */
const events = (client: Client): Stream.Stream<void> =>
  Stream.callback<void>(
    (queue) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const handler = () => void Queue.offerUnsafe(queue, undefined)
          for (const event of told) client.addHandler(event, handler)
          return handler
        }),
        (handler) =>
          Effect.sync(() => {
            for (const event of told) client.removeHandler(event, handler)
          })
      ),
    { bufferSize: 1, strategy: "sliding" }
  )

/** What is known of each flag, and what was said of it. */
class State {
  private readonly last = new Map<Asked, Values>()
  private saidValues: string | undefined
  private saidProblem = false
  private back = false

  /** What is new of what was read: all values, and once what is wrong. */
  take(asked: ReadonlyArray<Asked>, reads: ReadonlyArray<Read>): ReadonlyArray<Said> {
    const problems: Array<string> = []
    asked.forEach((of, nth) => {
      const read = reads[nth]
      if (read?._tag === "Values") this.last.set(of, read.values)
      else if (read?._tag === "Absent") this.last.delete(of)
      else if (read !== undefined) problems.push(read.problem)
    })
    const values = Object.assign({}, ...this.last.values())
    const text = JSON.stringify(values)
    const isWrong = problems.length > 0
    this.back = this.saidProblem && !isWrong
    // Values that are said again pardon what was wrong, so that is said again with them.
    const news = text !== (this.saidValues ?? "{}") || this.back || (this.saidValues === undefined && !isWrong)
    const complains = isWrong && (news || !this.saidProblem)
    if (news) this.saidValues = text
    this.saidProblem = isWrong
    const shown = [...new Set(problems)].slice(0, 5).join("; ")
    return [
      ...(news ? [{ _tag: "Values" as const, values }] : []),
      ...(complains ? [{ _tag: "Malformed" as const, problem: `${shown}; the last known values stay` }] : [])
    ]
  }

  /** Only one thing can be said at the start: what is wrong is said with the next look. */
  keepForLater(): void {
    this.saidProblem = false
  }

  /** Whether it is whole again since the last look. */
  isBack(): boolean {
    return this.back
  }
}
