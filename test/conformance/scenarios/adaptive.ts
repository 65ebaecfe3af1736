/** Limits that find themselves. */
import { adaptiveLimit } from "../gates.ts"
import type { Scenario } from "../scenario.ts"
import { envoy, netflix } from "../sources.ts"

const ten = { limitInitial: 10, limitMax: 20, queueMax: 0 } as const
const windows = "Netflix judges each call here, our limit a window of calls"

export const adaptiveLimits: ReadonlyArray<Scenario> = [
  adaptiveLimit(
    "begins where it is told to",
    netflix.vegasTest("initialLimit"),
    ten,
    "limit 10; begin a; begin b; begin c; begin d; begin e; begin f; begin g; begin h; begin i; begin j; rejects"
  ),
  adaptiveLimit(
    "grows while times are short",
    netflix.vegasTest("increaseLimit"),
    { ...ten, algorithm: "vegas" },
    "10 burst 10 10; limit grows",
    { differs: windows }
  ),
  adaptiveLimit(
    "shrinks when they are five times as long",
    netflix.vegasTest("decreaseLimit"),
    { ...ten, algorithm: "vegas" },
    "10 burst 10 10; limit grows; 10 burst 10 50; limit shrinks",
    { differs: windows }
  ),
  adaptiveLimit(
    "and so does the gradient",
    envoy.adaptivePage("The Gradient"),
    ten,
    "10 burst 10 10; limit grows; 8 burst 10 50; limit shrinks"
  ),
  adaptiveLimit(
    "grows by its headroom where times stay the same",
    envoy.adaptivePage("Concurrency Limit Headroom"),
    ten,
    "20 burst 10 10; limit grows"
  ),
  adaptiveLimit(
    "grows no further than it may",
    netflix.vegasTest("create, maxConcurrency 20"),
    ten,
    "200 burst 10 10; limit 20"
  ),
  adaptiveLimit(
    "shrinks when calls are dropped",
    netflix.aimdTest("decreaseOnDrops"),
    ten,
    "4 burst 5 10 timeout; limit shrinks",
    { differs: windows }
  ),
  adaptiveLimit(
    "shrinks no further than it may",
    envoy.adaptivePage("Minimum Concurrency Limit"),
    { ...ten, limitMin: 5 },
    "100 burst 5 10 timeout; limit 5"
  )
]
