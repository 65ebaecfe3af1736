/** When a breaker opens. */
import { breaker } from "../gates.ts"
import type { Scenario } from "../scenario.ts"
import { cockatiel, envoy, failsafe, finagle, opossum, polly, r4j } from "../sources.ts"

const never = { failureRate: 1, minimumCalls: 100_000 }

const tests = "OnActionFailure_WhenClosed_EnsureCorrectBehavior"

export const thresholds: ReadonlyArray<Scenario> = [
  breaker(
    "opens when the failure rate equals its threshold",
    r4j.config("failureRateThreshold"),
    {},
    "2 ok; 1 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "one failure of ten at a threshold of a tenth",
    polly.behaviorTest(`${tests}, 10 of 10, 0.1 of 0.1`),
    { failureRate: 0.1, minimumCalls: 10 },
    "9 ok; is closed; 1 fail; is open"
  ),
  breaker(
    "two failures of ten at a threshold of a tenth",
    polly.behaviorTest(`${tests}, 10 of 10, 0.2 of 0.1`),
    { failureRate: 0.1, minimumCalls: 10 },
    "8 ok; 1 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "more calls than the minimum",
    polly.behaviorTest(`${tests}, 11 of 10, 0.2 of 0.1`),
    { failureRate: 0.1, minimumCalls: 10 },
    "2 fail; 8 ok; is closed; 1 fail; is open"
  ),
  breaker(
    "one call too few for a verdict",
    polly.behaviorTest(`${tests}, 9 of 10, 0.1 of 0.1`),
    { failureRate: 0.1, minimumCalls: 10 },
    "8 ok; 1 fail; is closed"
  ),
  breaker(
    "no failure at all",
    polly.behaviorTest(`${tests}, 10 of 10, 0.0 of 0.1`),
    { failureRate: 0.1, minimumCalls: 10 },
    "1000 ok; is closed"
  ),
  breaker(
    "a third is less than half",
    polly.breakerPage("Simple: happy path"),
    { minimumCalls: 2, window: 2000 },
    "2 ok; 1 fail; is closed"
  ),
  breaker(
    "half of two",
    polly.breakerPage("Simple: unhappy path"),
    { minimumCalls: 2, window: 2000 },
    "1 ok; 1 fail; is open; rejects"
  ),
  breaker(
    "a good answer makes the minimum full while the rate is above",
    r4j.machineTest("shouldOpenAfterFailureRateThresholdExceeded"),
    { minimumCalls: 5, window: 5000 },
    "3 fail; 2 ok; is closed; 1 fail; is open",
    { differs: "resilience4j opens at the fifth call, which was good; here only a bad outcome opens" }
  ),
  breaker(
    "twelve calls, of which a window of ten keeps the last ten",
    r4j.metricsTest("testCircuitBreakerMetrics"),
    { windowCalls: 10, minimumCalls: 10 },
    "2 ok; 6 fail; 4 ok; is closed; 1 fail; is open",
    { differs: "resilience4j's thresholds are exceeded already by the good answers; here only a bad outcome opens" }
  ),
  breaker(
    "three more good ones, and it is below",
    r4j.metricsTest("testCircuitBreakerMetrics"),
    { windowCalls: 10, minimumCalls: 10 },
    "2 ok; 6 fail; 7 ok; is closed; 1 fail; is closed"
  ),
  breaker(
    "one call fewer than the minimum, all of them failed",
    cockatiel.countTest("does not open as long as the minimum number of calls has not been reached"),
    { windowCalls: 100, minimumCalls: 50 },
    "49 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "exactly half of the calls failed",
    cockatiel.countTest("the threshold has not been surpassed"),
    { windowCalls: 100, minimumCalls: 50 },
    "25 ok; 24 fail; is closed; 1 fail; is open",
    { differs: "cockatiel stays closed at exactly the threshold (`>`)" }
  ),
  breaker(
    "more than half of the calls failed",
    cockatiel.countTest("opens when the minimum number of calls has been reached and threshold has been surpassed"),
    { windowCalls: 100, minimumCalls: 50 },
    "24 ok; 25 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "exactly half of the calls failed, by time",
    opossum.readme("Calculating errorThresholdPercentage"),
    {},
    "2 ok; 2 fail; is open",
    { differs: "opossum stays closed at exactly the threshold (`>`)" }
  ),
  breaker(
    "the first failure of a quiet service",
    opossum.volumeTest("by default does not have a volume threshold"),
    { minimumCalls: 10 },
    "1 fail; is closed",
    { differs: "opossum opens at the first failure where volumeThreshold is not set" }
  ),
  breaker(
    "a volume threshold of three",
    opossum.volumeTest("has a volume threshold before tripping"),
    { minimumCalls: 3 },
    "2 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "a request volume of a hundred",
    envoy.outlierApi("success_rate_request_volume"),
    { minimumCalls: 100 },
    "99 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "a failure percentage of 85, reached exactly",
    envoy.outlierApi("failure_percentage_threshold, failure_percentage_request_volume"),
    { failureRate: 0.85, minimumCalls: 50 },
    "15 ok; 84 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "a minimum of five, all of them failed",
    finagle.accrualTest("success rate policy: not until min requests"),
    { minimumCalls: 5 },
    "4 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "three failures in a row",
    finagle.accrualTest("consecutive failures policy: fail on nth attempt"),
    { ...never, consecutiveFailures: 3 },
    "2 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "a good answer begins the row anew",
    finagle.accrualTest("consecutive failures policy: failures reset to zero on success"),
    { ...never, consecutiveFailures: 3 },
    "1 fail; 1 ok; 2 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "good and bad in turns are no row",
    failsafe.closedTest("TestClosedStateSuccessWithFailureThreshold"),
    { ...never, consecutiveFailures: 2 },
    "1 ok; 1 fail; 1 ok; 1 fail; 1 ok; 1 fail; 1 ok; 1 fail; is closed"
  ),
  breaker(
    "a client's own error ends a row of server errors",
    envoy.outlierPage("Consecutive 5xx"),
    { ...never, consecutiveFailures: 5 },
    "4 fail; 1 permanent; 4 fail; is closed"
  ),
  breaker(
    "two timeouts and an error are three in a row",
    envoy.outlierPage("local and external errors in one bucket"),
    { ...never, consecutiveFailures: 3 },
    "2 timeout; is closed; 1 fail; is open"
  ),
  breaker(
    "timeouts have a row of their own",
    envoy.outlierPage("Consecutive Local Origin Failure"),
    { ...never, consecutiveFailures: 5, consecutiveTimeouts: 2 },
    "3 fail; 1 timeout; is closed; 1 ok; 1 timeout; is closed; 1 timeout; is open",
    { differs: "here a run counts only where nothing but timeouts was heard for half of the last one's wait" }
  ),
  breaker(
    "two failures in a row",
    cockatiel.breakerTest("opens after failing calls"),
    { ...never, consecutiveFailures: 2 },
    "1 fail; is closed; 1 fail; is open; rejects"
  ),
  breaker(
    "both rules at once: whichever comes first",
    envoy.outlierPage("Detection types, each by itself"),
    { consecutiveFailures: 3, minimumCalls: 10 },
    "3 fail; is open"
  ),
  breaker(
    "two of the last three",
    failsafe.closedTest("TestClosedStateFailureWithFailureRatio"),
    { failureRate: 2 / 3, windowCalls: 3, minimumCalls: 3 },
    "1 fail; 1 ok; is closed; 1 fail; is open"
  ),
  breaker(
    "every other call fails, where three of four must",
    failsafe.closedTest("TestClosedStateSuccessWithFailureRatio"),
    { failureRate: 0.75, windowCalls: 4 },
    "1 ok; 1 fail; 1 ok; 1 fail; 1 ok; 1 fail; 1 ok; 1 fail; is closed"
  )
]
