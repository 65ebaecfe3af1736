/** Which knobs each policy has, where they stand and what they accept: what the settings and the docs promise. */
import { assert, describe, it } from "@effect/vitest"
import { Policy, RetryBudget } from "@failsoft/core"
import { CircuitBreaker, RateLimiter } from "effect/persistence"
import * as Schedule from "effect/Schedule"

const circuits = CircuitBreaker.layerStoreMemory()
const limits = RateLimiter.layerStoreMemory

const partOf = (policy: Policy.Policy) => {
  const [part, ...others] = policy.parts
  assert.lengthOf(others, 0)
  if (part === undefined) throw new Error("a policy has a part")
  return part
}

/** `name: initial, what is expected`. */
const listed = (policy: Policy.Policy) => {
  const { kind, knobs, name } = partOf(policy)
  return [`${kind} ${name}`, ...Object.entries(knobs).map(([of, knob]) => `${of}: ${knob.initial}, ${knob.expected}`)]
}

/** The initial values. */
const values = (policy: Policy.Policy) =>
  Object.fromEntries(Object.entries(partOf(policy).knobs).map(([name, { initial }]) => [name, initial]))

/** What is wrong with the values as they stand. */
const problems = (policy: Policy.Policy) => partOf(policy).problems(values(policy))

const positive = "a finite duration above zero"
const orNone = "a finite duration, or 0 for none"
const count = "a whole number of at least 1"
const share = "a share above 0 and up to 1"
const shareOrNone = "a share from 0 to 1"
const upTo = (most: number, least = 1) => `a whole number of at least ${least} and at most ${most}`
const keys = `keysMax: 0, ${upTo(100_000, 0)}`

const defaults: ReadonlyArray<readonly [Policy.Policy, ReadonlyArray<string>]> = [
  [
    Policy.adaptiveLimit(),
    [
      "adaptiveLimit adaptiveLimit",
      "mode: on, one of on, dark, off",
      "algorithm: gradient, one of gradient, vegas",
      `limitInitial: 20, ${upTo(1_000_000)}`,
      `limitMin: 4, ${upTo(1_000_000)}`,
      `limitMax: 200, ${upTo(1_000_000)}`,
      `queueMax: 20, ${upTo(1_000_000, 0)}`,
      `waitMaxMillis: 50, ${positive}`,
      "order: adaptive, one of fifo, lifo, adaptive",
      keys
    ]
  ],
  [
    Policy.adaptiveTimeout("1 second"),
    [
      "timeout timeout",
      `limitMillis: 1000, ${positive}`,
      `floorMillis: 100, ${positive}`,
      `quantile: 0.999, ${share}`,
      "factor: 1.5, a number from 1.05 to 10",
      `deadlineShare: ${1 / 3}, ${share}`,
      `minimumCalls: 100, ${count}`,
      `windowMillis: 60000, ${positive}`
    ]
  ],
  [
    Policy.bulkhead({ permits: 8 }),
    [
      "bulkhead bulkhead",
      "mode: on, one of on, dark, off",
      `permits: 8, ${count}`,
      `queueMax: 8, ${upTo(1_000_000, 0)}`,
      `waitMaxMillis: 200, ${positive}`,
      "order: fifo, one of fifo, lifo, adaptive",
      keys
    ]
  ],
  [
    Policy.circuitBreaker(),
    [
      "circuitBreaker circuitBreaker",
      "mode: on, one of on, dark, off, forced-open, forced-closed",
      `failureRate: 0.5, ${share}`,
      `slowRate: 0, ${shareOrNone}`,
      `slowMillis: 0, ${orNone}`,
      `windowMillis: 10000, ${positive}`,
      `windowCalls: 0, ${upTo(1_000_000, 0)}`,
      `minimumCalls: 10, ${count}`,
      "consecutiveFailures: 0, a whole number of at least 0",
      "consecutiveTimeouts: 0, a whole number of at least 0",
      `openMillis: 1000, ${positive}`,
      `openMaxMillis: 10000, ${positive}`,
      `jitter: 0.1, ${shareOrNone}`,
      `stableMillis: 30000, ${positive}`,
      `probes: 3, ${count}`,
      `probeWaitMillis: 0, ${orNone}`,
      `probeMaxMillis: 10000, ${positive}`,
      "ramp: true, true or false",
      keys
    ]
  ],
  [Policy.deadline("1 second"), ["deadline deadline", `limitMillis: 1000, ${positive}`, "mode: on, one of on, dark"]],
  [
    Policy.hedge(),
    [
      "hedge hedge",
      `hedgesMax: 1, ${upTo(5, 0)}`,
      `delayMillis: 0, ${orNone}`,
      `quantile: 0.95, ${share}`,
      `delayMinMillis: 1, ${positive}`,
      `delayMaxMillis: 1000, ${positive}`,
      `minimumCalls: 100, ${count}`,
      `windowMillis: 60000, ${positive}`,
      `budgetRatio: 0.05, ${shareOrNone}`,
      "budgetPerSecond: 0.1, a number from 0 to 1000000",
      "region: ,  (set in the code only)"
    ]
  ],
  [
    Policy.rateLimit({ permits: 10, window: "1 second" }),
    [
      "rateLimit rateLimit",
      "mode: on, one of on, dark, off",
      "algorithm: sliding-window, sliding-window (set in the code only)",
      `permits: 10, ${upTo(1_000_000)}`,
      `windowMillis: 1000, ${positive}`,
      `burst: 10, ${upTo(1_000_000)}`,
      `waitMaxMillis: 0, ${orNone}`,
      "learn: true, true or false",
      `pauseMaxMillis: 60000, ${positive}`,
      keys
    ]
  ],
  ...([false, true] as const).map(
    (unsentOnly) =>
      [
        unsentOnly ? Policy.retryUnsent() : Policy.retry(),
        [
          "retry retry",
          `times: 2, ${upTo(20, 0)}`,
          `baseMillis: 50, ${positive}`,
          `delayMinMillis: 0, ${orNone}`,
          `delayMaxMillis: 1000, ${positive}`,
          "backoff: full, one of full, decorrelated, exponential",
          `budgetRatio: 0, ${shareOrNone}`,
          "budgetPerSecond: 0, a number from 0 to 1000000",
          "budget: false, false (set in the code only)",
          "ownSchedule: false, false (set in the code only)",
          `unsentOnly: ${unsentOnly}, ${unsentOnly} (set in the code only)`
        ]
      ] as const
  ),
  [
    Policy.sharedCircuitBreaker({ circuit: "shop", store: circuits }),
    [
      "sharedCircuitBreaker sharedCircuitBreaker",
      "mode: on, one of on, dark, off",
      "circuit: shop, shop (set in the code only)",
      `failureRate: 0.9, ${share}`,
      `windowCalls: 100, ${upTo(10_000)}`,
      `minimumCalls: 20, ${upTo(10_000)}`,
      "consecutiveFailures: 0, a whole number of at least 0",
      `openMillis: 1000, ${positive}`,
      `openMaxMillis: 10000, ${positive}`,
      `storeLimitMillis: 50, ${positive}`,
      "onStoreAway: allow, one of allow, refuse",
      "perKey: false, false (set in the code only)"
    ]
  ],
  [
    Policy.sharedRateLimit({ limit: "maps", permits: 3, store: limits }),
    [
      "sharedRateLimit sharedRateLimit",
      "mode: on, one of on, dark, off",
      "limit: maps, maps (set in the code only)",
      "algorithm: token-bucket, token-bucket (set in the code only)",
      `permits: 3, ${upTo(1_000_000)}`,
      `windowMillis: 1000, ${positive}`,
      `waitMaxMillis: 0, ${orNone}`,
      `storeLimitMillis: 50, ${positive}`,
      "onStoreAway: local, one of local, allow, refuse",
      "perKey: false, false (set in the code only)"
    ]
  ],
  [Policy.timeout("1 second"), ["timeout timeout", `limitMillis: 1000, ${positive}`]]
]

/** Each option with a value that is not its default, and the knobs that it sets. */
const chosen: ReadonlyArray<readonly [Policy.Policy, Readonly<Record<string, number | string | boolean>>]> = [
  [
    Policy.adaptiveLimit({
      mode: "dark",
      algorithm: "vegas",
      limitInitial: 6,
      limitMin: 5,
      limitMax: 7,
      queueMax: 3,
      waitMax: 9,
      order: "lifo",
      keysMax: 2
    }),
    {
      mode: "dark",
      algorithm: "vegas",
      limitInitial: 6,
      limitMin: 5,
      limitMax: 7,
      queueMax: 3,
      waitMaxMillis: 9,
      order: "lifo",
      keysMax: 2
    }
  ],
  [
    Policy.adaptiveTimeout(500, {
      floor: 20,
      quantile: 0.5,
      factor: 2,
      deadlineShare: 0.25,
      minimumCalls: 7,
      window: "3 seconds"
    }),
    {
      limitMillis: 500,
      floorMillis: 20,
      quantile: 0.5,
      factor: 2,
      deadlineShare: 0.25,
      minimumCalls: 7,
      windowMillis: 3000
    }
  ],
  [
    Policy.bulkhead({ mode: "off", permits: 3, queueMax: 1, waitMax: 5, order: "adaptive", keysMax: 4 }),
    { mode: "off", permits: 3, queueMax: 1, waitMaxMillis: 5, order: "adaptive", keysMax: 4 }
  ],
  [
    Policy.circuitBreaker({
      mode: "forced-closed",
      failureRate: 0.3,
      slowRate: 0.4,
      slow: 70,
      window: "8 seconds",
      windowCalls: 50,
      minimumCalls: 5,
      consecutiveFailures: 6,
      consecutiveTimeouts: 4,
      openFor: 200,
      openMax: 900,
      jitter: 0.2,
      stableFor: "9 seconds",
      probes: 2,
      probeWait: 11,
      probeMax: 12,
      ramp: false,
      keysMax: 13
    }),
    {
      mode: "forced-closed",
      failureRate: 0.3,
      slowRate: 0.4,
      slowMillis: 70,
      windowMillis: 8000,
      windowCalls: 50,
      minimumCalls: 5,
      consecutiveFailures: 6,
      consecutiveTimeouts: 4,
      openMillis: 200,
      openMaxMillis: 900,
      jitter: 0.2,
      stableMillis: 9000,
      probes: 2,
      probeWaitMillis: 11,
      probeMaxMillis: 12,
      ramp: false,
      keysMax: 13
    }
  ],
  [Policy.deadline(300, { mode: "dark" }), { limitMillis: 300, mode: "dark" }],
  [
    Policy.hedge({
      hedgesMax: 2,
      delay: 30,
      quantile: 0.9,
      delayMin: 3,
      delayMax: 40,
      minimumCalls: 9,
      window: "5 seconds",
      budgetRatio: 0.2,
      budgetPerSecond: 4,
      region: "eu"
    }),
    {
      hedgesMax: 2,
      delayMillis: 30,
      quantile: 0.9,
      delayMinMillis: 3,
      delayMaxMillis: 40,
      minimumCalls: 9,
      windowMillis: 5000,
      budgetRatio: 0.2,
      budgetPerSecond: 4,
      region: "eu"
    }
  ],
  [
    Policy.retry({
      times: 3,
      base: 10,
      delayMin: 4,
      delayMax: 90,
      backoff: "exponential",
      schedule: Schedule.recurs(1),
      budget: RetryBudget.make({ ratio: 0.3, perSecond: 2 })
    }),
    {
      times: 3,
      baseMillis: 10,
      delayMinMillis: 4,
      delayMaxMillis: 90,
      backoff: "exponential",
      budgetRatio: 0.3,
      budgetPerSecond: 2,
      budget: true,
      ownSchedule: true,
      unsentOnly: false
    }
  ],
  [
    Policy.sharedCircuitBreaker({
      circuit: "shop",
      store: circuits,
      mode: "dark",
      failureRate: 0.4,
      windowCalls: 30,
      minimumCalls: 6,
      consecutiveFailures: 5,
      openFor: 70,
      openMax: 80,
      storeLimit: 9,
      onStoreAway: "refuse",
      perKey: true
    }),
    {
      mode: "dark",
      circuit: "shop",
      failureRate: 0.4,
      windowCalls: 30,
      minimumCalls: 6,
      consecutiveFailures: 5,
      openMillis: 70,
      openMaxMillis: 80,
      storeLimitMillis: 9,
      onStoreAway: "refuse",
      perKey: true
    }
  ],
  [
    Policy.sharedRateLimit({
      limit: "maps",
      store: limits,
      permits: 5,
      mode: "off",
      algorithm: "fixed-window",
      window: 400,
      waitMax: 30,
      storeLimit: 8,
      onStoreAway: "refuse",
      perKey: true
    }),
    {
      mode: "off",
      limit: "maps",
      algorithm: "fixed-window",
      permits: 5,
      windowMillis: 400,
      waitMaxMillis: 30,
      storeLimitMillis: 8,
      onStoreAway: "refuse",
      perKey: true
    }
  ]
]

/** Values that are wrong together, or only just right. */
const together: ReadonlyArray<readonly [Policy.Policy, ReadonlyArray<string>]> = [
  [
    Policy.adaptiveLimit({ limitInitial: 3 }),
    ["limitInitial (3) must be from limitMin (4) to limitMax (200): set the three together"]
  ],
  [
    Policy.adaptiveLimit({ limitInitial: 201 }),
    ["limitInitial (201) must be from limitMin (4) to limitMax (200): set the three together"]
  ],
  [Policy.adaptiveLimit({ limitInitial: 4, limitMax: 4 }), []],
  [Policy.adaptiveTimeout(100, { floor: 100 }), []],
  [
    Policy.adaptiveTimeout(100, { floor: 101 }),
    ["floorMillis (101 ms) must not be longer than limitMillis, the ceiling (100 ms)"]
  ],
  [Policy.circuitBreaker({ windowCalls: 10, minimumCalls: 10 }), []],
  [
    Policy.circuitBreaker({ windowCalls: 9, minimumCalls: 10 }),
    ["windowCalls (9) must be at least minimumCalls (10): it would never open"]
  ],
  [Policy.circuitBreaker({ slowRate: 0.5 }), ["slowRate (0.5) has no meaning without slowMillis: say what is slow"]],
  [Policy.circuitBreaker({ slowRate: 0.5, slow: 10 }), []],
  [Policy.circuitBreaker({ slow: 10 }), []],
  [Policy.circuitBreaker({ windowCalls: 1000, keysMax: 10000 }), []],
  [
    Policy.circuitBreaker({ windowCalls: 1000, keysMax: 10001 }),
    [
      "windowCalls (1000) times keysMax (10001) must be at most 10000000: each key remembers so many outcomes; use a window by time (windowCalls 0), which has ten counters"
    ]
  ],
  [Policy.hedge({ delayMin: 5, delayMax: 5 }), []],
  [Policy.hedge({ delayMin: 6, delayMax: 5 }), ["delayMinMillis (6 ms) must not be longer than delayMaxMillis (5 ms)"]],
  [Policy.retry({ delayMin: 5, delayMax: 5 }), []],
  [Policy.retry({ delayMin: 6, delayMax: 5 }), ["delayMinMillis (6 ms) must not be longer than delayMaxMillis (5 ms)"]],
  [Policy.sharedCircuitBreaker({ circuit: "a", store: circuits, windowCalls: 20 }), []],
  [
    Policy.sharedCircuitBreaker({ circuit: "", store: circuits, windowCalls: 19 }),
    [
      "circuit must be a name that the processes share, but is empty",
      "windowCalls (19) must be at least minimumCalls (20): it would never open"
    ]
  ],
  [Policy.sharedRateLimit({ limit: "a", store: limits, permits: 1 }), []],
  [
    Policy.sharedRateLimit({ limit: "", store: limits, permits: 1 }),
    ["limit must be a name that the processes share, but is empty"]
  ]
]

/** A ring that has two of a kind tells them apart by their names. */
const named: ReadonlyArray<Policy.Policy> = [
  Policy.adaptiveLimit({ name: "own" }),
  Policy.adaptiveTimeout(100, { name: "own" }),
  Policy.bulkhead({ name: "own" }),
  Policy.circuitBreaker({ name: "own" }),
  Policy.deadline(100, { name: "own" }),
  Policy.hedge({ name: "own" }),
  Policy.rateLimit({ name: "own", permits: 1 }),
  Policy.retry({ name: "own" }),
  Policy.sharedCircuitBreaker({ name: "own", circuit: "a", store: circuits }),
  Policy.sharedRateLimit({ name: "own", limit: "a", permits: 1, store: limits }),
  Policy.timeout(100, { name: "own" })
]

describe("the knobs of a policy", () => {
  it.each(defaults.map(([policy, lines]) => [lines[0] ?? "", policy, lines] as const))(
    "have their defaults and rules: %s",
    (_, policy, lines) => {
      assert.deepEqual(listed(policy), lines)
      assert.deepEqual(problems(policy), [])
    }
  )

  it.each(chosen.map(([policy, knobs]) => [partOf(policy).kind, policy, knobs] as const))(
    "follow the options: %s",
    (_, policy, knobs) => {
      assert.deepEqual(values(policy), knobs)
    }
  )

  it.each(together.map(([policy, says], nth) => [`${partOf(policy).kind} (${nth})`, policy, says] as const))(
    "are judged together: %s",
    (_, policy, says) => {
      assert.deepEqual(problems(policy), says)
    }
  )

  it("belong to a policy with a name of its own", () => {
    assert.deepEqual(
      named.map((policy) => partOf(policy).name),
      named.map(() => "own")
    )
  })

  it("of the bulkhead are 32 permits, and as many who wait", () => {
    assert.deepInclude(values(Policy.bulkhead()), { permits: 32, queueMax: 32 })
  })
})
