/** How long a breaker stays open, how it probes, and what an operator may do. */
import { breaker } from "../gates.ts"
import type { Scenario } from "../scenario.ts"

export const open: ReadonlyArray<Scenario> = [
  breaker(
    "refuses until its wait is over",
    "resilience4j, CircuitBreakerStateMachineTest.shouldTransitionToHalfOpenAfterWaitDuration",
    { openFor: 5000 },
    "hand open; rejects 5000; wait 3000; rejects 2000; is open; wait 3000; begin a; is half-open"
  ),
  breaker(
    "the end of the open time is inclusive",
    "Polly, CircuitStateControllerTests: the blocked time has passed",
    {},
    "4 fail; wait 999; rejects 1; wait 1; 1 ok; is closed"
  ),
  breaker(
    "a probe at exactly the end",
    "cockatiel, CircuitBreakerPolicy.test: closes if the half open test succeeds",
    {},
    "4 fail; wait 1000; begin a; is half-open; end a ok; is closed"
  ),
  breaker(
    "nothing happens by itself: the next call probes",
    "resilience4j, guide: automaticTransitionFromOpenToHalfOpenEnabled is off by default",
    {},
    "4 fail; wait 3600000; is open; 1 ok; is closed"
  ),
  breaker(
    "refused calls are not outcomes",
    "resilience4j, CircuitBreakerMetricsTest: calls not permitted",
    {},
    "4 fail; 1000 rejects; wait 1000; 1 ok; is closed"
  ),
  breaker(
    "the wait grows with each relapse",
    "resilience4j, CircuitBreakerStateMachineTest.shouldTransitionToHalfOpenAfterWaitInterval",
    { openFor: 5000, openMax: 60_000 },
    "4 fail; rejects 5000; wait 5000; 1 fail; rejects 10000; wait 10000; 1 fail; rejects 20000"
  ),
  breaker(
    "the wait has a maximum",
    "Polly, docs: BreakDurationGenerator by half-open attempts",
    { openMax: 2000 },
    "4 fail; rejects 1000; wait 1000; 1 fail; rejects 2000; wait 2000; 1 fail; rejects 2000"
  ),
  breaker(
    "the longest ejection",
    "Envoy, outlier detection: base_ejection_time, max_ejection_time",
    { openFor: 30_000, openMax: 300_000 },
    "4 fail; rejects 30000; wait 30000; 1 fail; rejects 60000; wait 60000; 1 fail; rejects 120000",
    { differs: "Envoy's time grows by its base each time, here it doubles" }
  ),
  breaker(
    "jitter at its upper end",
    "Envoy, outlier detection: max_ejection_time_jitter",
    { jitter: 0.2 },
    "4 fail; rejects 1200; wait 1199; rejects 1; wait 1; 1 ok; is closed",
    { random: 1, differs: "Envoy only adds, here the spread goes to either side" }
  ),
  breaker(
    "jitter at its lower end",
    "Envoy, outlier detection: max_ejection_time_jitter",
    { jitter: 0.2 },
    "4 fail; rejects 800; wait 800; 1 ok; is closed",
    { random: 0 }
  ),
  breaker(
    "a stable period forgets earlier relapses",
    "Finagle, FailureAccrualFactoryTest: backoff begins anew after revival",
    { stableFor: 30_000 },
    "4 fail; wait 1000; 1 fail; wait 2000; 1 ok; is closed; wait 30000; 4 fail; rejects 1000"
  ),
  breaker(
    "a short recovery does not",
    "Envoy, outlier detection: the multiplier falls only with time",
    { stableFor: 30_000 },
    "4 fail; wait 1000; 1 fail; wait 2000; 1 ok; is closed; wait 1000; 4 fail; rejects 4000"
  )
]

export const halfOpen: ReadonlyArray<Scenario> = [
  breaker(
    "four probes and not one more",
    "resilience4j, CircuitBreakerStateMachineTest.shouldOnlyPermitFourCallsInHalfOpenState",
    { probes: 4 },
    "4 fail; wait 1000; begin a; begin b; begin c; begin d; 2 rejects"
  ),
  breaker(
    "a probe that is released without an outcome frees its place",
    "resilience4j, CircuitBreakerStateMachineTest: releasePermission",
    { probes: 4 },
    "4 fail; wait 1000; begin a; begin b; begin c; begin d; rejects; end a abort; begin e; rejects"
  ),
  breaker(
    "opens again when the probes fail at the threshold",
    "resilience4j, CircuitBreakerStateMachineTest.shouldTransitionBackToOpenStateWhenFailureRateIsAboveThreshold",
    { probes: 4 },
    "4 fail; wait 1000; 1 fail; 1 ok; is half-open; 1 fail; is open",
    { differs: "resilience4j waits for all four, here two of four decide" }
  ),
  breaker(
    "closes when they fail below it",
    "resilience4j, CircuitBreakerStateMachineTest.shouldTransitionBackToClosedStateWhenFailureIsBelowThreshold",
    { probes: 4 },
    "4 fail; wait 1000; 1 fail; 2 ok; is half-open; 1 ok; is closed"
  ),
  breaker(
    "opens again when the probes are slow",
    "resilience4j, CircuitBreakerStateMachineTest.shouldTransitionBackToOpenStateWhenSlowCallRateIsAboveThreshold",
    { probes: 4, slow: 500, slowRate: 0.75 },
    "4 fail; wait 1000; 2 slow; is half-open; 1 slow; is open"
  ),
  breaker(
    "a trial call keeps others out",
    "Polly, docs: circuit breaker, half-open",
    {},
    "4 fail; wait 1000; begin a; rejects; end a ok; is closed; begin b"
  ),
  breaker(
    "a failed trial opens for a whole open time",
    "Polly, CircuitStateControllerTests: failure in half-open",
    { openMax: 1000 },
    "4 fail; wait 1000; begin a; wait 500; end a fail; is open; rejects 1000"
  ),
  breaker(
    "others wait for the trial and then ask again",
    "cockatiel, CircuitBreakerPolicy.test: dedupes half-open tests",
    { probeWait: 200 },
    "4 fail; wait 1000; begin a; queues b 200; end a ok; woken b; begin b"
  ),
  breaker(
    "those who waited are refused when it fails",
    "cockatiel, CircuitBreakerPolicy.test: stops deduped half-open tests if the circuit reopens",
    { probeWait: 200 },
    "4 fail; wait 1000; begin a; queues b; end a fail; woken b; rejects"
  ),
  breaker(
    "one request through, and the long one decides",
    "opossum, half-open-test.js: only one request",
    { openMax: 1000 },
    "4 fail; wait 1000; begin a; wait 500; rejects; end a fail; is open; rejects"
  ),
  breaker(
    "a final word closes it",
    "opossum, half-open-test.js: a filtered error closes the circuit",
    {},
    "4 fail; wait 1000; 1 permanent; is closed"
  ),
  breaker(
    "three good answers close it",
    "failsafe-go, halfopenstate_test.go: success threshold",
    { probes: 3, failureRate: 0.3 },
    "4 fail; wait 1000; 2 ok; is half-open; 1 ok; is closed"
  ),
  breaker(
    "one bad answer of three opens it at a low threshold",
    "failsafe-go, halfopenstate_test.go: success threshold",
    { probes: 3, failureRate: 0.3 },
    "4 fail; wait 1000; 2 ok; 1 fail; is open"
  ),
  breaker(
    "probes that never end do not hold it for ever",
    "resilience4j, guide: maxWaitDurationInHalfOpenState",
    { probeMax: 10_000 },
    "4 fail; wait 1000; begin a; wait 9999; rejects; wait 1; begin b; end a fail; is half-open; end b ok; is closed",
    { differs: "resilience4j opens again, here it probes again" }
  ),
  breaker(
    "an ignored probe is neither",
    "Effect, CircuitBreaker: an Ignored probe frees the slot",
    {},
    "4 fail; wait 1000; 5 inner-refusal; is half-open; 1 ok; is closed"
  )
]

const ramp = { ramp: true, probes: 2 } as const

export const ramps: ReadonlyArray<Scenario> = [
  breaker(
    "traffic comes back step by step",
    "Envoy, slow start mode",
    ramp,
    "4 fail; wait 1000; 2 ok; is ramp; begin a; begin b; rejects; end a ok; end b ok; begin c; begin d; begin e; begin f; rejects",
    { differs: "Envoy's grows with time, this one with success" }
  ),
  breaker(
    "nobody refused for a round: it is over",
    "Finagle, FailureAccrualFactory: revived after successful probes",
    ramp,
    "4 fail; wait 1000; 2 ok; is ramp; 2 ok; is closed"
  ),
  breaker(
    "back to a few at the first failure",
    "TCP slow start, RFC 5681 section 3.1",
    { ...ramp, minimumCalls: 100, consecutiveFailures: 4 },
    "4 fail; wait 1000; 2 ok; begin a; begin b; rejects; end a ok; end b ok; begin c; begin d; begin e; begin f; end c fail; end d ok; end e ok; end f ok; is ramp; begin g; begin h; rejects"
  ),
  breaker(
    "open again where even the few fail",
    "failsafe-go, halfopenstate_test.go: failure in half-open",
    { ...ramp, minimumCalls: 100, consecutiveFailures: 4 },
    "4 fail; wait 1000; 2 ok; is ramp; 2 fail; is open; rejects 2000"
  )
]

export const byHand: ReadonlyArray<Scenario> = [
  breaker(
    "forced open refuses whatever happens",
    "resilience4j, guide: FORCED_OPEN",
    {},
    "set mode=forced-open; 3 rejects; wait 3600000; rejects; set mode=on; 1 ok"
  ),
  breaker(
    "disabled lets everything pass and counts nothing",
    "resilience4j, guide: DISABLED",
    { mode: "off" },
    "20 fail; is closed; set mode=on; 3 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "dark counts what it would do and lets pass",
    "resilience4j, guide: METRICS_ONLY",
    { mode: "dark" },
    "4 fail; is open; 3 ok; is open; wait 1000; 1 ok; is closed"
  ),
  breaker(
    "forced closed counts on and never opens",
    "failsafe-go, circuitbreaker: manual close",
    { mode: "forced-closed" },
    "20 fail; is closed; set mode=on; 1 fail; is open"
  ),
  breaker(
    "isolated by hand until it is closed by hand",
    "Polly, CircuitBreakerManualControlTests",
    {},
    "set mode=forced-open; rejects; set mode=on; hand close; 1 ok; is closed"
  ),
  breaker(
    "closed by hand before its time",
    "opossum, test.js: circuit.close()",
    {},
    "4 fail; rejects; hand close; 1 ok; is closed"
  ),
  breaker(
    "a reset forgets what was counted",
    "resilience4j, CircuitBreakerStateMachineTest: reset",
    {},
    "3 fail; hand reset; 3 fail; is closed"
  ),
  breaker(
    "told that the downstream is healthy, it probes at once",
    "Envoy, outlier detection: successful_active_health_check_uneject_host",
    {},
    "4 fail; rejects; hand healthy; 1 ok; is closed",
    { differs: "Envoy takes the host back at once, here a probe decides" }
  )
]
