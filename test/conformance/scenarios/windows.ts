/** How far back a breaker looks. */
import { breaker } from "../gates.ts"
import type { Scenario } from "../scenario.ts"
import { cockatiel, failsafe, opossum, polly, r4j } from "../sources.ts"

export const windows: ReadonlyArray<Scenario> = [
  breaker(
    "a failure leaves the window by count",
    r4j.countTest("testSlidingWindowMetrics"),
    { windowCalls: 4 },
    "1 fail; 4 ok; 1 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "a hundred good ones push all failures out",
    failsafe.countTest("TestCountingStats"),
    { windowCalls: 100, minimumCalls: 100 },
    "17 ok; 33 fail; 100 ok; 49 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "a window by count never forgets by time",
    r4j.config("slidingWindow: COUNT_BASED"),
    { windowCalls: 4 },
    "2 fail; 1 ok; wait 86400000; 1 fail; is open"
  ),
  breaker(
    "a window by time forgets what is older",
    r4j.timeTest("shouldClearSlidingTimeWindowMetrics, after five seconds"),
    { window: 5000 },
    "3 fail; wait 5000; 1 fail; is closed"
  ),
  breaker(
    "a window by time keeps what is younger",
    r4j.timeTest("shouldClearSlidingTimeWindowMetrics, after four seconds"),
    { window: 5000 },
    "3 fail; wait 4000; 1 fail; is open"
  ),
  breaker(
    "a window by time forgets in ten steps",
    polly.healthTest("GetHealthInfo_EnsureWindowRespected"),
    {},
    "2 fail; wait 5000; 1 fail; wait 5000; 1 fail; is closed; 2 fail; is open"
  ),
  breaker(
    "nothing is left after the whole window",
    polly.healthTest("GetHealthInfo_SamplingDurationRespected"),
    {},
    "3 fail; wait 10000; 3 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "a rolling window of a second",
    opossum.statusTest("breaker stats should reset"),
    { window: 1000 },
    "3 fail; wait 1000; 3 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "three of twenty-four within ten seconds",
    opossum.readme("Calculating errorThresholdPercentage, the first example"),
    { minimumCalls: 3 },
    "2 ok; wait 1000; 1 ok; wait 1000; 3 ok; wait 2000; 9 ok; wait 1000; 3 fail; wait 1000; 2 ok; wait 2000; 4 ok; is closed"
  ),
  breaker(
    "the same three of five within three seconds",
    opossum.readme("Calculating errorThresholdPercentage, the second example"),
    { minimumCalls: 5, window: 3000 },
    "2 ok; wait 1000; 2 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "a sampling window of thirty seconds",
    cockatiel.readme("SamplingBreaker, duration"),
    { window: 30_000 },
    "3 fail; wait 27000; 1 fail; is open"
  ),
  breaker(
    "a pause longer than the window begins anew",
    failsafe.timeTest("TestTimedStats, all buckets skipped"),
    {},
    "3 fail; wait 3600000; 3 fail; is closed"
  ),
  breaker(
    "the window is clean after recovery",
    polly.behaviorTest("OnCircuitClosed_Ok"),
    {},
    "4 fail; wait 1000; 1 ok; is closed; 3 fail; is closed; 1 fail; is open"
  )
]
