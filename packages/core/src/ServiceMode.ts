/**
 * The mode of a service as a whole: `full`, `reduced`, `read-only` or `unavailable`,
 * from what its calls observe of its downstreams and from an operator's switch.
 *
 * **Details**
 *
 * What is lost with a downstream follows from its contract: with an optional one, or a
 * method that degrades, the service is `reduced`; with an essential write that fails
 * it is `read-only`, with an essential read that fails `unavailable`. Where that is not
 * so, as for an identity that only orders need, the dependent says it (`without`).
 *
 * A method is lost once its calls have failed for `settle`, and found again by the first good answer.
 * A change is told as the signal `ModeChanged`, on the next request or within a second.
 *
 * The operator's switch (the setting `<service>/service/mode.switch`) holds over what is
 * observed and is enforced: `read-only` refuses writes with the reason `READ_ONLY`,
 * `unavailable` refuses all with `OUT_OF_SERVICE`. An observed mode is stated and not
 * enforced, since calls to what works would be refused with the others; where all
 * writes need what is lost, `enforce: "observed"` refuses those too, but for one in each
 * `trial`, by which recovery is seen. A write that proves nothing, since it was malformed or
 * refused before anything was asked for it, is no trial.
 *
 * **Gotchas**
 *
 * It is observed, never probed: without traffic a lost method is forgotten after a
 * minute (see `Health`).
 *
 * **Example** (a service with one downstream)
 *
 * ```ts
 * import { Downstream, ServiceMode } from "@failsoft/core"
 *
 * export const modeOf = (clients: ReadonlyArray<object>) =>
 *   ServiceMode.layer({
 *     service: "shop",
 *     dependents: () =>
 *       clients.flatMap((client) => {
 *         const description = Downstream.describe(client)
 *         return description === undefined ? [] : [{ description }]
 *       })
 *   })
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Description } from "./Downstream.ts"
import { ModeWatch } from "./internal/modeWatch.ts"
import * as Knob from "./Knob.ts"
import * as Policy from "./Policy.ts"
import type { Refused } from "./Refused.ts"
import * as Settings from "./Settings.ts"
import { Bus } from "./Signal.ts"

export {
  /**
   * The modes, the best first.
   *
   * @category constants
   * @since 0.1.0
   */
  ranks as modes,
  /**
   * The worse of two.
   *
   * @category combinators
   * @since 0.1.0
   */
  worse
} from "./internal/modeJudge.ts"

/**
 * What a service can do now.
 *
 * @category models
 * @since 0.1.0
 */
export type Mode = "full" | "reduced" | "read-only" | "unavailable"

/**
 * A downstream that the service depends on. `without` says what is left when its
 * calls fail, for all methods or by method; the default follows from the contract.
 *
 * @category models
 * @since 0.1.0
 */
export interface Dependent {
  readonly description: Description
  readonly without?: Mode | Readonly<Record<string, Mode>>
}

/**
 * The mode now, who says so, and the methods that are lost, as `downstream/method`.
 *
 * @category models
 * @since 0.1.0
 */
export interface State {
  readonly mode: Mode
  readonly by: "observed" | "operator"
  readonly causes: ReadonlyArray<string>
}

/**
 * What a request wants: to read, or to change something.
 *
 * @category models
 * @since 0.1.0
 */
export type Access = "read" | "write"

/**
 * The living mode. Times are milliseconds since the epoch.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServiceMode {
  readonly at: (now: number) => State
  /** Why a request is not served in this mode; nothing where it is. */
  readonly refuses: (access: Access, now: number) => Refused | undefined
  /** The write that passed at this time proved nothing: where it was a trial, the next may be one. */
  readonly untried: (at: number) => void
}

/**
 * The mode of the current service; without {@link layer} there is none.
 *
 * @category references
 * @since 0.1.0
 */
export const Current: Context.Reference<ServiceMode | undefined> = Context.Reference<ServiceMode | undefined>(
  "@failsoft/core/ServiceMode",
  { defaultValue: () => undefined }
)

/**
 * What a mode is made from.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The name of the service in signals and settings. */
  readonly service: string
  /** Read anew a few times a second at most. */
  readonly dependents: () => ReadonlyArray<Dependent>
  /** What the operator says. Default `auto`: what is observed. */
  readonly switch?: "auto" | Mode
  /** For how long calls must have failed, the last as well as the first, before a method is lost. Default 1 s. */
  readonly settle?: Duration.Input
  /** Which modes refuse: the operator's only (the default), or the observed `read-only` too. */
  readonly enforce?: "operator" | "observed"
  /** Of the writes that an observed mode refuses, one passes in each of these. Default 1 s. */
  readonly trial?: Duration.Input
  /** When those who were refused may ask again; the edge adds jitter. Default 10 s. */
  readonly retryAfter?: Duration.Input
}

/**
 * The mode of a service, with its knobs among the settings.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<never> =>
  Layer.effect(
    Current,
    Effect.gen(function* () {
      const row: Policy.Row = { downstream: options.service, method: "service", bus: yield* Bus }
      const knobs = knobsOf(options)
      const watch = new ModeWatch(row, options.dependents, Knob.initials(knobs))
      const policy = asPolicy(knobs, watch)
      const { parts } = yield* Policy.build(policy, row)
      const settings = yield* Settings.Registry
      yield* settings.register([{ row, policy, budgetMillis: Number.POSITIVE_INFINITY, parts }])
      // Without traffic nobody asks, and a change is to be told all the same.
      const look = Effect.map(Clock.currentTimeMillis, (now) => void watch.at(now))
      yield* Effect.forkScoped(Effect.forever(Effect.delay(look, "1 second")))
      return watch
    })
  )

const knobsOf = (options: Options) => ({
  switch: Knob.word(options.switch ?? "auto", ["auto", "full", "reduced", "read-only", "unavailable"]),
  settleMillis: Knob.millis(options.settle ?? "1 second"),
  enforce: Knob.word(options.enforce ?? "operator", ["operator", "observed"]),
  trialMillis: Knob.millis(options.trial ?? "1 second"),
  retryAfterMillis: Knob.millis(options.retryAfter ?? "10 seconds")
})

/** As a policy its knobs, its state and its settings are those of any other; the key of an attempt is its access. */
const asPolicy = (knobs: ReturnType<typeof knobsOf>, watch: ModeWatch): Policy.Policy<"unbounded"> =>
  Policy.fromInstance({
    kind: "mode",
    name: "mode",
    marks: ["unbounded"],
    knobs,
    make: (values) =>
      Effect.sync((): Policy.Living => {
        watch.follow(values)
        return {
          form: {
            _tag: "Gate",
            gate: {
              enter: (attempt) => watch.refuses(attempt.key() === "read" ? "read" : "write", attempt.now) ?? 0,
              leave: () => {}
            }
          },
          state: () => watch.shown
        }
      })
  })
