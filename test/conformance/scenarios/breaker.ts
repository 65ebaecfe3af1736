/** When a breaker opens, and what counts. */
import { breaker } from "../gates.ts"
import type { Scenario } from "../scenario.ts"

const never = { failureRate: 1, minimumCalls: 100_000 }

export const thresholds: ReadonlyArray<Scenario> = [
  breaker(
    "opens when the failure rate equals its threshold",
    "resilience4j, CircuitBreaker guide: failureRateThreshold is reached when equal or greater",
    {},
    "2 ok; 1 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "one failure of ten at a threshold of a tenth",
    "Polly, AdvancedCircuitBehaviorTests: throughput 10 of 10, ratio 0.1 of 0.1",
    { failureRate: 0.1, minimumCalls: 10 },
    "9 ok; is closed; 1 fail; is open"
  ),
  breaker(
    "more than the threshold",
    "Polly, AdvancedCircuitBehaviorTests: throughput 11 of 10, ratio 0.2 of 0.1",
    { failureRate: 0.1, minimumCalls: 11 },
    "9 ok; 1 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "one call too few for a verdict",
    "Polly, AdvancedCircuitBehaviorTests: throughput 9 of 10",
    { failureRate: 0.1, minimumCalls: 10 },
    "8 ok; 1 fail; is closed"
  ),
  breaker(
    "no failure at all",
    "Polly, AdvancedCircuitBehaviorTests: ratio 0.0 of 0.1",
    { failureRate: 0.1, minimumCalls: 10 },
    "1000 ok; is closed"
  ),
  breaker(
    "below the threshold stays closed for ever",
    "resilience4j, CircuitBreakerMetricsTest: below thresholds",
    { windowCalls: 10, minimumCalls: 10 },
    "1 fail; 2 ok; 1 fail; 2 ok; 1 fail; 2 ok; 1 fail; 2 ok; 1 fail; 2 ok; is closed"
  ),
  breaker(
    "a good answer makes the minimum full while the rate is above",
    "resilience4j, CircuitBreakerStateMachineTest.shouldOpenAfterFailureRateThresholdExceeded",
    { windowCalls: 5, minimumCalls: 5 },
    "3 fail; 2 ok; is closed; 1 fail; is open",
    { differs: "resilience4j opens at the fifth call, which was good; here only a bad outcome opens" }
  ),
  breaker(
    "exactly half of the calls failed",
    "cockatiel, CountBreaker: opens above its threshold",
    { windowCalls: 4 },
    "2 ok; 2 fail; is open",
    { differs: "cockatiel stays closed at exactly the threshold (`>`)" }
  ),
  breaker(
    "exactly half of the calls failed, by time",
    "opossum, README: errorThresholdPercentage",
    {},
    "2 ok; 2 fail; is open",
    { differs: "opossum stays closed at exactly the threshold (`>`)" }
  ),
  breaker(
    "the first failure of a quiet service",
    "opossum, volume-threshold-test.js: by default there is no volume threshold",
    { minimumCalls: 10 },
    "1 fail; is closed",
    { differs: "opossum opens at the first failure where volumeThreshold is not set" }
  ),
  breaker(
    "a volume threshold of six",
    "opossum, volume-threshold-test.js",
    { minimumCalls: 6 },
    "5 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "a request volume of a hundred",
    "Envoy, outlier detection: success_rate_request_volume",
    { minimumCalls: 100 },
    "99 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "five failures in a row",
    "Finagle, FailureAccrualPolicyTest: consecutive failures",
    { ...never, consecutiveFailures: 5 },
    "4 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "a good answer begins the row anew",
    "Finagle, FailureAccrualPolicyTest: a success resets",
    { ...never, consecutiveFailures: 5 },
    "4 fail; 1 ok; 4 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "a client's own error ends a row of gateway errors",
    "Envoy, outlier detection: consecutive_5xx",
    { ...never, consecutiveFailures: 5 },
    "4 fail; 1 permanent; 4 fail; is closed"
  ),
  breaker(
    "two failures in a row",
    "cockatiel, CircuitBreakerPolicy.test: opens after failing calls",
    { ...never, consecutiveFailures: 2 },
    "1 fail; is closed; 1 fail; is open; rejects"
  ),
  breaker(
    "both rules at once: whichever comes first",
    "failsafe-go, circuitbreaker: failure threshold and ratio",
    { consecutiveFailures: 3, minimumCalls: 10 },
    "3 fail; is open"
  ),
  breaker(
    "two of the last five",
    "failsafe-go, closedstate_test.go: failure threshold ratio",
    { failureRate: 0.4, windowCalls: 5, minimumCalls: 5 },
    "3 ok; 1 fail; is closed; 1 fail; is open"
  )
]

export const windows: ReadonlyArray<Scenario> = [
  breaker(
    "twelve calls, of which a window of ten keeps the last ten",
    "resilience4j, CircuitBreakerMetricsTest: sliding window of ten",
    { failureRate: 0.6, windowCalls: 10, minimumCalls: 10 },
    "2 ok; 2 fail; 4 ok; 3 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "a failure leaves the window by count",
    "failsafe-go, countingcircuitstats_test.go",
    { windowCalls: 4 },
    "1 fail; 4 ok; 1 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "a window by count never forgets by time",
    "resilience4j, guide: count-based sliding window",
    { windowCalls: 4 },
    "2 fail; 1 ok; wait 86400000; 1 fail; is open"
  ),
  breaker(
    "a window by time forgets what is older",
    "resilience4j, guide: time-based sliding window",
    {},
    "3 fail; wait 10000; 1 fail; is closed"
  ),
  breaker(
    "a window by time keeps what is younger",
    "resilience4j, guide: time-based sliding window",
    {},
    "3 fail; wait 9000; 1 fail; is open"
  ),
  breaker(
    "a window by time forgets in ten steps",
    "Polly, RollingHealthMetricsTests: ten windows",
    {},
    "2 fail; wait 5000; 1 fail; wait 5000; 1 fail; is closed; 2 fail; is open"
  ),
  breaker(
    "a rolling window of a second",
    "opossum, status-test.js: rollingCountTimeout",
    { window: 1000 },
    "3 fail; wait 1000; 3 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "a sampling window of thirty seconds",
    "cockatiel, SamplingBreaker.test",
    { window: 30_000 },
    "3 fail; wait 27000; 1 fail; is open"
  ),
  breaker(
    "a pause longer than the window begins anew",
    "failsafe-go, timedcircuitstats_test.go",
    {},
    "3 fail; wait 3600000; 3 fail; is closed"
  ),
  breaker(
    "the window is clean after recovery",
    "Polly, AdvancedCircuitBehaviorTests.OnCircuitClosed_Ok",
    {},
    "4 fail; wait 1000; 1 ok; is closed; 3 fail; is closed; 1 fail; is open"
  )
]

export const counting: ReadonlyArray<Scenario> = [
  breaker(
    "a result that came after it opened",
    "resilience4j, CircuitBreakerStateMachineTest: results in the open state",
    {},
    "begin a; 4 fail; end a ok; is open; rejects"
  ),
  breaker(
    "a good answer from before the trip does not close a probing circuit",
    "Effect, CircuitBreakerStore: generations",
    {},
    "begin a; 4 fail; wait 1000; begin p; end a ok; is half-open; end p ok; is closed"
  ),
  breaker(
    "a failure from before the trip does not open a probing circuit",
    "Effect, CircuitBreakerStore: generations",
    {},
    "begin a; 4 fail; wait 1000; begin p; end a fail; is half-open; end p ok; is closed"
  ),
  breaker(
    "failures from before the trip are not counted after recovery",
    "Polly, CircuitStateControllerTests: late outcomes",
    {},
    "begin a; begin b; 4 fail; wait 1000; 1 ok; end a fail; end b fail; 2 fail; is closed",
    { differs: "Polly counts what comes late once it is closed again" }
  ),
  breaker(
    "ignored outcomes are neither good nor bad",
    "resilience4j, guide: ignoreExceptions",
    {},
    "100 inner-refusal; 2 ok; 1 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "callers who go away say nothing",
    "Polly, CircuitBreakerStrategyOptions: cancellation is not handled by default",
    {},
    "100 abort; 2 ok; 2 fail; is open"
  ),
  breaker(
    "a bug of ours says nothing about the downstream",
    "Effect, CircuitBreaker: classify may ignore a defect",
    {},
    "100 die; is closed; 2 ok; 2 fail; is open",
    { differs: "Effect's default counts a defect as a failure" }
  ),
  breaker(
    "the downstream's final word is proof of health",
    "opossum, error-filter-test.js: a filtered error is a success",
    {},
    "5 permanent; 4 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "an answer against the contract is a failure",
    "resilience4j, CircuitBreakerResultHandlingTest: recordResult",
    {},
    "4 violation; is open"
  ),
  breaker("a timeout is a failure", "opossum, test.js: timeouts open the circuit", {}, "4 timeout; is open"),
  breaker(
    "an overloaded downstream is a failing one",
    "Envoy, outlier detection: 503 counts for consecutive_5xx",
    {},
    "4 overloaded; is open"
  ),
  breaker(
    "slow calls above their rate, whether they answer or not",
    "resilience4j, CircuitBreakerStateMachineTest.shouldOpenAfterSlowCallRateThresholdExceeded",
    { windowCalls: 5, minimumCalls: 5, slow: 500, slowRate: 0.5 },
    "1 slow-fail; 1 slow; 1 fail; 1 ok; is closed; 1 slow; is open"
  ),
  breaker(
    "slow calls below their rate",
    "resilience4j, guide: slowCallRateThreshold",
    { slow: 500, slowRate: 0.5 },
    "3 ok; 1 slow; is closed"
  ),
  breaker(
    "slow calls where nobody asked for their rate",
    "resilience4j, guide: slowCallRateThreshold is 100 % by default",
    { slow: 500 },
    "100 slow; is closed"
  ),
  breaker(
    "a call that takes exactly as long as slow means",
    "resilience4j, guide: slowCallDurationThreshold",
    { slow: 500, slowRate: 1 },
    "4 slow; is open",
    { differs: "resilience4j calls it slow only when it took longer (`>`)" }
  )
]
