/**
 * Random histories of two processes that share a store, through the shared breaker and
 * the shared rate limit, and through plain models that keep lists of what was seen. The
 * store may be away for a while; each process finds that out by itself.
 */
import { assert, describe, it } from "@effect/vitest"
import { CallKey, Policy } from "@failsoft/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { type Choices, choices } from "./history.ts"
import { bad, declined, ending, good, living } from "./kit.ts"

type Key = "" | "a" | "b"

type Op =
  | { readonly does: "wait"; readonly millis: number }
  | { readonly does: "call"; readonly by: 0 | 1; readonly key: Key; readonly meets: keyof typeof outcomes }
  | { readonly does: "store"; readonly away: boolean }

const outcomes = { good, bad, declined, died: Effect.die("a defect") } as const

const history = (of: Choices, waits: readonly [number, ...ReadonlyArray<number>]): ReadonlyArray<Op> => {
  // Stretches of good and of bad fortune: an even mixture never trips.
  let luck = 0.5
  return Array.from({ length: of.between(10, 60) }, (): Op => {
    if (of.chance(0.1)) luck = of.pick([0.1, 0.5, 0.9])
    const roll = of.next()
    if (roll < 0.25) return { does: "wait", millis: of.pick(waits) }
    if (roll < 0.28) return { does: "store", away: of.chance(0.5) }
    const meets = of.chance(luck)
      ? of.pick(["good", "good", "declined"] as const)
      : of.pick(["bad", "bad", "bad", "died"] as const)
    return { does: "call", by: of.pick([0, 1]), key: of.pick(["", "a", "b"]), meets }
  })
}

/** What the caller sees. */
type Ending = string

/** Lets a service fail while a switch is off: it is away for all. */
const switched = <S extends object>(service: S, error: unknown) => {
  const state = { away: false }
  const store = new Proxy(service, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name)
      return typeof method !== "function"
        ? method
        : (...args: ReadonlyArray<unknown>) =>
            Effect.suspend(() => (state.away ? Effect.fail(error) : Reflect.apply(method, target, args)))
    }
  })
  return { state, store }
}

/** A store that fails is left alone for so long, by each process. */
const restMillis = 1000

/** What a process knows of the store. */
class Reach {
  private until = Number.NEGATIVE_INFINITY
  /** Whether it is asked, and answers. */
  answers(now: number, away: boolean): boolean {
    if (now < this.until) return false
    if (away) this.until = now + restMillis
    return !away
  }
}

const breakerKnobs = { failureRate: 0.5, windowCalls: 6, minimumCalls: 3, openFor: 1000, openMax: 3000 } as const

interface Circuit {
  seen: ReadonlyArray<boolean>
  openUntil: number | undefined
  lastOpen: number
  openings: number
  resetAt: number
}

/** The circuits, for calls one after another. */
const breakerModel = () => {
  const circuits = new Map<Key, Circuit>()
  const reach = [new Reach(), new Reach()]
  const open = (of: Circuit, now: number) => {
    of.lastOpen = Math.min(breakerKnobs.openMax, breakerKnobs.openFor * 2 ** of.openings)
    of.openings++
    of.openUntil = now + of.lastOpen
    of.seen = []
  }
  const seen = (meets: keyof typeof outcomes): Ending =>
    meets === "good" ? "answered" : meets === "bad" ? "Transient" : meets === "declined" ? "permanent" : "died"
  return {
    call: ({ by, key, meets }: Extract<Op, { does: "call" }>, now: number, away: boolean): Ending => {
      if (reach[by]?.answers(now, away) !== true) return seen(meets)
      const fresh: Circuit = { seen: [], openUntil: undefined, lastOpen: 0, openings: 0, resetAt: 0 }
      const of = circuits.get(key) ?? fresh
      circuits.set(key, of)
      if (of.openUntil !== undefined && now < of.openUntil) return "CIRCUIT_OPEN"
      const probe = of.openUntil !== undefined
      if (!probe && now >= of.resetAt) of.openings = 0
      if (meets === "died") return "died"
      const failed = meets === "bad"
      if (probe && failed) open(of, now)
      else if (probe) {
        of.openUntil = undefined
        of.resetAt = now + of.lastOpen
        of.seen = []
      } else {
        of.seen = [...of.seen, failed].slice(-breakerKnobs.windowCalls)
        const failures = of.seen.filter((one) => one).length
        const enough = of.seen.length >= breakerKnobs.minimumCalls
        if (enough && failures > 0 && failures / of.seen.length >= breakerKnobs.failureRate) open(of, now)
      }
      return seen(meets)
    }
  }
}

const limitKnobs = { permits: 4, windowMillis: 2000 } as const

/** A bucket as the time at which it is full again (GCRA), and a window as its first call and their number. */
const limitModel = (algorithm: "token-bucket" | "fixed-window", onStoreAway: "allow" | "refuse") => {
  const interval = limitKnobs.windowMillis / limitKnobs.permits
  const fullAt = new Map<Key, number>()
  const windows = new Map<Key, { readonly from: number; count: number }>()
  const reach = [new Reach(), new Reach()]
  const bucket = (key: Key, now: number): boolean => {
    const full = Math.max(now, fullAt.get(key) ?? now) + interval
    if (full - now > limitKnobs.windowMillis) return false
    fullAt.set(key, full)
    return true
  }
  const window = (key: Key, now: number): boolean => {
    const last = windows.get(key)
    const over = last === undefined || now >= last.from + last.count * interval
    const of = over ? { from: now, count: 0 } : last
    windows.set(key, of)
    if (of.count >= limitKnobs.permits) return false
    of.count++
    return true
  }
  return {
    call: ({ by, key }: Extract<Op, { does: "call" }>, now: number, away: boolean): Ending => {
      if (reach[by]?.answers(now, away) !== true) return onStoreAway === "allow" ? "answered" : "STORE_UNAVAILABLE"
      const free = algorithm === "token-bucket" ? bucket(key, now) : window(key, now)
      return free ? "answered" : "RATE_LIMITED"
    }
  }
}

interface Model {
  readonly call: (op: Extract<Op, { does: "call" }>, now: number, away: boolean) => Ending
}

/** Plays a history through two builds of a policy and the model; what differed first. */
const played = (
  ops: ReadonlyArray<Op>,
  policies: readonly [Policy.Policy, Policy.Policy],
  model: Model,
  switchStore: (away: boolean) => void,
  callOf: (meets: keyof typeof outcomes) => (typeof outcomes)[keyof typeof outcomes]
) =>
  Effect.gen(function* () {
    const processes = [yield* living(policies[0]), yield* living(policies[1])]
    let now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
    let away = false
    for (const [step, op] of ops.entries()) {
      if (op.does === "wait") {
        yield* TestClock.adjust(op.millis)
        now += op.millis
      } else if (op.does === "store") {
        away = op.away
        switchStore(away)
      } else {
        const intercept = processes[op.by]?.intercept
        if (intercept === undefined) continue
        const got = yield* ending(intercept(callOf(op.meets))).pipe(
          Effect.provideService(CallKey.CallKey, op.key),
          Effect.catchDefect(() => Effect.succeed("died"))
        )
        const expected = model.call(op, now, away)
        if (got !== expected) return `step ${step} (${JSON.stringify(op)}): ${got}, in the model ${expected}`
      }
    }
    return undefined
  }).pipe(Effect.scoped)

/** What of the breaker a planted bug replaces. */
interface BreakerBug {
  readonly options?: Partial<Policy.SharedCircuitBreakerOptions>
  readonly apart?: boolean
  readonly callOf?: (meets: keyof typeof outcomes) => (typeof outcomes)[keyof typeof outcomes]
}

const breakerDiffers = (seed: number, { apart, callOf, options }: BreakerBug = {}) =>
  Effect.gen(function* () {
    const memory = yield* Effect.service(CircuitBreaker.CircuitBreakerStore).pipe(
      Effect.provide(CircuitBreaker.layerStoreMemory())
    )
    const other = yield* Effect.service(CircuitBreaker.CircuitBreakerStore).pipe(
      Effect.provide(CircuitBreaker.layerStoreMemory())
    )
    const error = new CircuitBreaker.CircuitBreakerError({
      reason: new CircuitBreaker.CircuitBreakerStoreError({ message: "away" })
    })
    const one = switched(memory, error)
    const two = switched(apart === true ? other : memory, error)
    const policyOf = (store: typeof memory) =>
      Policy.sharedCircuitBreaker({
        circuit: "shop",
        store: Layer.succeed(CircuitBreaker.CircuitBreakerStore, store),
        perKey: true,
        ...breakerKnobs,
        ...options
      })
    return yield* played(
      history(choices(seed), [1, 300, 999, 1000, 1500, 3000]),
      [policyOf(one.store), policyOf(two.store)],
      breakerModel(),
      (away) => {
        one.state.away = two.state.away = away
      },
      callOf ?? ((meets) => outcomes[meets])
    )
  })

/** What of the limit a planted bug replaces. */
interface LimitBug {
  readonly options?: Partial<Policy.SharedRateLimitOptions>
  readonly apart?: boolean
}

const limitDiffers = (seed: number, { apart, options }: LimitBug = {}) =>
  Effect.gen(function* () {
    const memory = yield* Effect.service(RateLimiter.RateLimiterStore).pipe(
      Effect.provide(RateLimiter.layerStoreMemory)
    )
    const other = yield* Effect.service(RateLimiter.RateLimiterStore).pipe(Effect.provide(RateLimiter.layerStoreMemory))
    const one = switched(memory, "away")
    const two = switched(apart === true ? other : memory, "away")
    const algorithm = seed % 2 === 0 ? "token-bucket" : "fixed-window"
    const onStoreAway = seed % 3 === 0 ? "refuse" : "allow"
    const policyOf = (store: typeof memory) =>
      Policy.sharedRateLimit({
        limit: "maps",
        store: Layer.succeed(RateLimiter.RateLimiterStore, store),
        perKey: true,
        permits: limitKnobs.permits,
        window: limitKnobs.windowMillis,
        algorithm,
        onStoreAway,
        ...options
      })
    return yield* played(
      history(choices(seed), [1, 100, 499, 500, 1000, 2000]),
      [policyOf(one.store), policyOf(two.store)],
      limitModel(algorithm, onStoreAway),
      (away) => {
        one.state.away = two.state.away = away
      },
      () => good
    )
  })

const firstOf = <Bug>(differs: (seed: number, bug: Bug) => Effect.Effect<string | undefined>, bug: Bug) =>
  Effect.gen(function* () {
    for (let seed = 1; seed <= 500; seed++) {
      const found = yield* differs(seed, bug)
      if (found !== undefined) return `seed ${seed}: ${found}`
    }
    return undefined
  })

describe("the shared breaker against its model", () => {
  it.effect("agrees over 500 random histories of two processes", () =>
    Effect.map(firstOf(breakerDiffers, {}), (found) => assert.isUndefined(found))
  )

  const bugs: Readonly<Record<string, BreakerBug>> = {
    "counts by itself in each process": { apart: true },
    "has one circuit for all keys": { options: { perKey: false } },
    "opens a call too late": { options: { minimumCalls: 4 } },
    "opens above the rate, not at it": { options: { failureRate: 0.51 } },
    "looks back too far": { options: { windowCalls: 7 } },
    "stays open as long after a relapse as at first": { options: { openMax: 1000 } },
    "takes a permanent outcome for a failure": { callOf: (meets) => (meets === "declined" ? bad : outcomes[meets]) },
    "counts a defect": { callOf: (meets) => (meets === "died" ? bad : outcomes[meets]) },
    "refuses while its store is away": { options: { onStoreAway: "refuse" } },
    "only counts": { options: { mode: "dark" } }
  }
  it.effect.each(Object.keys(bugs))("finds one that %s", (name) =>
    Effect.map(firstOf(breakerDiffers, bugs[name] ?? {}), (found) => assert.isDefined(found))
  )
})

describe("the shared rate limit against its model", () => {
  it.effect("agrees over 500 random histories of two processes", () =>
    Effect.map(firstOf(limitDiffers, {}), (found) => assert.isUndefined(found))
  )

  const bugs: Readonly<Record<string, LimitBug>> = {
    "counts by itself in each process": { apart: true },
    "has one limit for all keys": { options: { perKey: false } },
    "allows one more": { options: { permits: limitKnobs.permits + 1 } },
    "fills up too fast": { options: { window: limitKnobs.windowMillis / 2 } },
    "counts another way": { options: { algorithm: "token-bucket" } },
    "refuses nobody while its store is away": { options: { onStoreAway: "allow" } },
    "waits instead of refusing": { options: { mode: "dark" } }
  }
  it.effect.each(Object.keys(bugs))("finds one that %s", (name) =>
    Effect.map(firstOf(limitDiffers, bugs[name] ?? {}), (found) => assert.isDefined(found))
  )
})
