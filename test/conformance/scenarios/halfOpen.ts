/** How a breaker probes, and how traffic comes back. */
import { breaker } from "../gates.ts"
import type { Scenario } from "../scenario.ts"
import { cockatiel, effect, envoy, failsafe, finagle, opossum, polly, r4j, recalled } from "../sources.ts"

const early = "resilience4j waits for all four, here two of four decide"

export const halfOpen: ReadonlyArray<Scenario> = [
  breaker(
    "four probes and not one more",
    r4j.machineTest("shouldOnlyPermitFourCallsInHalfOpenState"),
    { probes: 4 },
    "4 fail; wait 1000; begin a; begin b; begin c; begin d; 2 rejects"
  ),
  breaker(
    "a probe that is released without an outcome frees its place",
    r4j.machineTest("shouldIncreaseCounterOnReleasePermission"),
    { probes: 4 },
    "4 fail; wait 1000; begin a; begin b; begin c; begin d; rejects; end a abort; begin e; rejects"
  ),
  breaker(
    "opens again when the probes fail at the threshold",
    r4j.machineTest("shouldTransitionBackToOpenStateWhenFailureRateIsAboveThreshold"),
    { probes: 4 },
    "4 fail; wait 1000; 1 fail; is half-open; 1 fail; is open",
    { differs: early }
  ),
  breaker(
    "closes when they fail below it",
    r4j.machineTest("shouldTransitionBackToClosedStateWhenFailureIsBelowThreshold"),
    { probes: 4 },
    "4 fail; wait 1000; 1 fail; 2 ok; is half-open; 1 ok; is closed"
  ),
  breaker(
    "opens again when the probes are slow",
    r4j.machineTest("shouldTransitionBackToOpenStateWhenSlowCallRateIsAboveThreshold"),
    { probes: 4, slow: 500, slowRate: 0.5 },
    "4 fail; wait 1000; 1 slow; is half-open; 1 slow; is open",
    { differs: early }
  ),
  breaker(
    "an ignored probe among good ones is asked again",
    r4j.machineTest("shouldReleasePermissionWhenExceptionIgnored"),
    { probes: 4 },
    "4 fail; wait 1000; 2 ok; 1 inner-refusal; is half-open; 1 fail; is half-open; 1 ok; is closed"
  ),
  breaker(
    "four ignored probes, then good ones",
    r4j.machineTest("shouldIgnoreExceptionsAndThenTransitionToClosed"),
    { probes: 4 },
    "4 fail; wait 1000; 4 inner-refusal; is half-open; 2 ok; is half-open; 1 ok; is closed",
    { differs: "resilience4j waits for the fourth, here three good of four decide" }
  ),
  breaker(
    "a trial call keeps others out",
    polly.controllerTest("OnActionPreExecute_HalfOpen"),
    {},
    "4 fail; wait 1000; begin a; rejects; end a ok; is closed; begin b"
  ),
  breaker(
    "one request while it probes, several once it has closed",
    finagle.factoryTest("should only be able to accept one request after being revived"),
    {},
    "4 fail; wait 1000; begin a; rejects; end a ok; begin b; begin c"
  ),
  breaker(
    "a trial that takes long does not hold it for ever",
    polly.controllerTest("HalfOpen_EnsureBreakDuration"),
    { probeMax: 1000 },
    "4 fail; wait 1000; begin a; wait 999; rejects; wait 1; begin b"
  ),
  breaker(
    "a failed trial opens for a whole open time",
    polly.controllerTest("Flow_Closed_HalfOpen_Open_HalfOpen_Closed"),
    { openMax: 1000 },
    "4 fail; wait 1000; begin a; wait 500; end a fail; is open; rejects 1000"
  ),
  breaker(
    "counts begin anew after a good trial",
    finagle.factoryTest("should reset failure counters after an individual success"),
    { minimumCalls: 100, consecutiveFailures: 3 },
    "3 fail; wait 1000; 1 ok; is closed; 2 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "others wait for the trial and then ask again",
    cockatiel.breakerTest("dedupes half-open tests"),
    { probeWait: 200 },
    "4 fail; wait 1000; begin a; queues b 200; end a ok; woken b; begin b"
  ),
  breaker(
    "those who waited are refused when it fails",
    cockatiel.breakerTest("stops deduped half-open tests if the circuit reopens"),
    { probeWait: 200 },
    "4 fail; wait 1000; begin a; queues b; end a fail; woken b; rejects"
  ),
  breaker(
    "one request through, and the long one decides",
    opossum.halfOpenTest("the circuit only allows one request through"),
    { openMax: 1000 },
    "4 fail; wait 1000; begin a; wait 500; rejects; end a fail; is open; rejects"
  ),
  breaker(
    "fails again, opens again, then closes",
    opossum.test("circuit halfOpen"),
    { openMax: 1000 },
    "4 fail; wait 1000; 1 fail; is open; wait 1000; 1 ok; is closed"
  ),
  breaker(
    "a minimum of calls does not hold for a trial",
    opossum.volumeTest("volume threshold does not affect halfOpen state"),
    { minimumCalls: 2 },
    "2 fail; wait 1000; 1 fail; is open"
  ),
  breaker(
    "a final word closes it",
    opossum.halfOpenTest("a filtered error should close the circuit"),
    {},
    "4 fail; wait 1000; 1 permanent; is closed"
  ),
  breaker(
    "three good answers close it",
    failsafe.halfOpenTest("TestHalfOpenSuccessWithSuccessThreshold"),
    { probes: 3, failureRate: 0.3 },
    "4 fail; wait 1000; 2 ok; is half-open; 1 ok; is closed"
  ),
  breaker(
    "one bad answer of three opens it at a low threshold",
    failsafe.halfOpenTest("TestHalfOpenFailureWithSuccessAndFailureThresholds"),
    { probes: 3, failureRate: 0.3 },
    "4 fail; wait 1000; 2 ok; 1 fail; is open"
  ),
  breaker(
    "two bad of three",
    failsafe.halfOpenTest("TestHalfOpenFailureWithFailureRatio"),
    { probes: 3, failureRate: 0.6 },
    "4 fail; wait 1000; 1 fail; 1 ok; is half-open; 1 fail; is open"
  ),
  breaker(
    "two good of three",
    failsafe.halfOpenTest("TestHalfOpenSuccessWithFailureRatio"),
    { probes: 3, failureRate: 0.6 },
    "4 fail; wait 1000; 1 fail; 1 ok; is half-open; 1 ok; is closed"
  ),
  breaker(
    "probes that never end do not hold it for ever",
    r4j.config("maxWaitDurationInHalfOpenState"),
    { probeMax: 10_000 },
    "4 fail; wait 1000; begin a; wait 9999; rejects; wait 1; begin b; end a fail; is half-open; end b ok; is closed",
    { differs: "resilience4j opens again, here it probes again" }
  ),
  breaker(
    "an ignored probe is neither",
    effect("an Ignored probe frees the slot"),
    {},
    "4 fail; wait 1000; 5 inner-refusal; is half-open; 1 ok; is closed"
  )
]

const ramp = { ramp: true, probes: 2 } as const

export const ramps: ReadonlyArray<Scenario> = [
  breaker(
    "traffic comes back step by step",
    envoy.slowStartPage("Slow start mode"),
    ramp,
    "4 fail; wait 1000; 2 ok; is ramp; begin a; begin b; rejects; end a ok; end b ok; begin c; begin d; begin e; begin f; rejects",
    { differs: "Envoy's grows with time, this one with success" }
  ),
  breaker(
    "nobody refused for a round: it is over",
    envoy.slowStartPage("the end of the window"),
    ramp,
    "4 fail; wait 1000; 2 ok; is ramp; 2 ok; is closed",
    { differs: "Envoy's is over after its window of time" }
  ),
  breaker(
    "back to a few at the first failure",
    recalled("TCP slow start", "RFC 5681 section 3.1"),
    { ...ramp, minimumCalls: 100, consecutiveFailures: 4 },
    "4 fail; wait 1000; 2 ok; begin a; begin b; rejects; end a ok; end b ok; begin c; begin d; begin e; begin f; end c fail; end d ok; end e ok; end f ok; is ramp; begin g; begin h; rejects"
  ),
  breaker(
    "open again where even the few fail",
    envoy.slowStartPage("exit where the health check does not pass"),
    { ...ramp, minimumCalls: 100, consecutiveFailures: 4 },
    "4 fail; wait 1000; 2 ok; is ramp; 2 fail; is open; rejects 2000"
  )
]
