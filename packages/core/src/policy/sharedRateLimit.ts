/**
 * A limit on how often calls go that all processes of a service share.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type { Call } from "../Call.ts"
import { CallKey } from "../CallKey.ts"
import { Deadline } from "../Deadline.ts"
import type { Attempt } from "../Gate.ts"
import { type LimiterStore, makeSharedLimiter } from "../internal/effectLimiter.ts"
import { refusal, refused, told } from "../internal/refuse.ts"
import * as Knob from "../Knob.ts"
import * as Policy from "../Policy.ts"
import * as RateLimit from "../RateLimit.ts"
import { Refused } from "../Refused.ts"

/**
 * The knobs of a shared limit.
 *
 * @category models
 * @since 0.1.0
 */
export interface SharedRateLimitOptions {
  readonly name?: string
  /** The name of the limit in the store: whoever uses it shares the limit. */
  readonly limit: string
  /**
   * Where calls are counted: `layerStoreMemory` or `layerStoreRedis()` of Effect's
   * `RateLimiter`, with its connection. Where it cannot be reached the service starts all the same.
   */
  readonly store: LimiterStore
  /** How many calls of all processes a window allows; a token bucket lets as many go at once. */
  readonly permits: number
  /** The window. Default 1 s. */
  readonly window?: Duration.Input
  /** How Effect's limiter counts. Default `token-bucket`. */
  readonly algorithm?: "token-bucket" | "fixed-window"
  /** How long a call may wait for its turn. Default 0: it is refused at once. */
  readonly waitMax?: Duration.Input
  /** The longest that a call waits for the store. Default 50 ms. */
  readonly storeLimit?: Duration.Input
  /** What holds while the store is away. Default `local`: the same limit for this process by itself. */
  readonly onStoreAway?: "local" | "allow" | "refuse"
  /** Whether each key of a call has its own limit. Default false. */
  readonly perKey?: boolean
  /** `dark` counts whom it would refuse and lets them pass. Default `on`. */
  readonly mode?: "on" | "dark" | "off"
}

/** How many keys the limit of this process by itself knows. */
const localKeysMax = 10_000

/**
 * Effect's rate limiter as a policy: at most `permits` calls per window of all
 * processes that use the same store and the same `limit`; the rest is refused with
 * `RATE_LIMITED`. Each call asks the store once. While the store is away each process
 * keeps the limit for itself, so that n of them send at most n times as much.
 *
 * A call that waits asks again when its turn may have come: it takes nothing ahead, so
 * an interrupted one loses nothing, and turns are not in order of arrival.
 *
 * @category policies
 * @since 0.1.0
 */
export const sharedRateLimit = (options: SharedRateLimitOptions): Policy.Policy<"unbounded"> => {
  const name = options.name ?? "sharedRateLimit"
  return Policy.fromInstance({
    kind: "sharedRateLimit",
    name,
    marks: ["unbounded"],
    knobs: {
      mode: Knob.word(options.mode ?? "on", ["on", "dark", "off"]),
      limit: Knob.fixed(options.limit),
      algorithm: Knob.fixed(options.algorithm ?? "token-bucket"),
      permits: Knob.count(options.permits, { most: 1_000_000 }),
      windowMillis: Knob.millis(options.window ?? "1 second"),
      waitMaxMillis: Knob.millis(options.waitMax ?? 0, { zero: true }),
      storeLimitMillis: Knob.millis(options.storeLimit ?? "50 millis"),
      onStoreAway: Knob.word(options.onStoreAway ?? "local", ["local", "allow", "refuse"]),
      perKey: Knob.fixed(options.perKey ?? false)
    },
    problems: ({ limit }) => (limit === "" ? ["limit must be a name that the processes share, but is empty"] : []),
    make: (values) =>
      Effect.map(makeSharedLimiter(options.store, values), (shared) => {
        const local = RateLimit.make(name, {
          ...Knob.initials(RateLimit.knobs({ permits: options.permits, keysMax: localKeysMax })),
          get permits() {
            return values.permits
          },
          get burst() {
            return values.permits
          },
          get windowMillis() {
            return values.windowMillis
          }
        })

        /** What this process says by itself. */
        const alone = (attempt: Attempt): Refused | undefined => {
          if (values.onStoreAway === "allow") return undefined
          if (values.onStoreAway === "refuse") return refusal(attempt, { policy: name, reason: "STORE_UNAVAILABLE" })
          const admitted = local.enter(attempt)
          return admitted instanceof Refused ? admitted : undefined
        }

        const ask = (
          fiber: Fiber.Fiber<unknown, unknown>,
          row: Policy.Row,
          since: number
        ): Effect.Effect<Refused | undefined> => {
          const key = values.perKey ? fiber.getRef(CallKey) : ""
          return Effect.flatMap(shared.ask(key === "" ? values.limit : `${values.limit}:${key}`), (said) => {
            if (said._tag === "Go") return Effect.succeed(undefined)
            const attempt = attemptOf(fiber, row, key)
            if (said._tag === "Away") return Effect.succeed(alone(attempt))
            const { retryAfterMillis } = said
            const { deadlineAt, now } = attempt
            if (now - since + retryAfterMillis <= values.waitMaxMillis && now + retryAfterMillis < deadlineAt) {
              // In the dark nobody waits, and who would only have waited is not counted.
              if (values.mode === "dark") return Effect.succeed(undefined)
              return Effect.delay(
                Effect.suspend(() => ask(fiber, row, since)),
                retryAfterMillis
              )
            }
            return Effect.succeed(
              refusal(attempt, {
                policy: name,
                reason: "RATE_LIMITED",
                retryAfterMillis,
                ...(key === "" ? {} : { key }),
                state: { limit: values.permits, windowMillis: values.windowMillis, shared: values.limit }
              })
            )
          })
        }

        const bind =
          (row: Policy.Row): Policy.Interceptor =>
          <A, T, P>(call: Call<A, T, P>): Call<A, T, P | Refused> =>
            Effect.withFiber((fiber) => {
              if (values.mode === "off") return call
              const since = timeOf(fiber)
              return Effect.flatMap(ask(fiber, row, since), (why): Call<A, T, P | Refused> => {
                if (why === undefined) return call
                const where = attemptOf(fiber, row, "")
                if (values.mode !== "dark") return refused(where, why)
                told(row, where.now, why, true)
                return call
              })
            })
        return { form: { _tag: "Wrap", bind }, state: () => ({ storeAway: shared.isAway() }) }
      })
  })
}

const timeOf = (fiber: Fiber.Fiber<unknown, unknown>) => fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()

const attemptOf = (fiber: Fiber.Fiber<unknown, unknown>, row: Policy.Row, key: string): Attempt => ({
  row,
  now: timeOf(fiber),
  deadlineAt: fiber.getRef(Deadline),
  key: () => key,
  random: () => fiber.getRef(Random.Random).nextDoubleUnsafe(),
  outlive: () => {}
})
