/** What counts for a breaker. */
import { breaker } from "../gates.ts"
import type { Scenario } from "../scenario.ts"
import { effect, envoy, opossum, polly, r4j } from "../sources.ts"

export const counting: ReadonlyArray<Scenario> = [
  breaker(
    "a result that came after it opened",
    r4j.machine("OpenState.onSuccess"),
    {},
    "begin a; 4 fail; end a ok; is open; rejects"
  ),
  breaker(
    "a good answer from before the trip does not close a probing circuit",
    effect("CircuitBreakerStore.record, generation"),
    {},
    "begin a; 4 fail; wait 1000; begin p; end a ok; is half-open; end p ok; is closed"
  ),
  breaker(
    "a failure from before the trip does not open a probing circuit",
    effect("CircuitBreakerStore.record, generation"),
    {},
    "begin a; 4 fail; wait 1000; begin p; end a fail; is half-open; end p ok; is closed"
  ),
  breaker(
    "failures from before the trip are not counted after recovery",
    polly.behaviorTest("OnActionFailure_State_EnsureCorrectCalls"),
    {},
    "begin a; begin b; 4 fail; wait 1000; 1 ok; end a fail; end b fail; 2 fail; is closed",
    { differs: "Polly counts what comes late once it is closed again" }
  ),
  breaker(
    "ignored outcomes are neither good nor bad",
    r4j.config("ignoreExceptions"),
    {},
    "100 inner-refusal; 2 ok; 1 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "callers who go away say nothing",
    polly.breakerPage("Defaults, ShouldHandle: all but OperationCanceledException"),
    {},
    "100 abort; 2 ok; 2 fail; is open"
  ),
  breaker(
    "a bug of ours says nothing about the downstream",
    effect("classify"),
    {},
    "100 die; is closed; 2 ok; 2 fail; is open",
    { differs: "Effect's default counts a defect as a failure" }
  ),
  breaker(
    "the downstream's final word is proof of health",
    opossum.filterTest("bypasses failure stats: a filtered error is a success"),
    {},
    "5 permanent; 4 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "an answer against the contract is a failure",
    r4j.resultTest("shouldRecordSpecificStringResultAsAFailureAndAnyOtherAsSuccess"),
    {},
    "4 violation; is open"
  ),
  breaker("a timeout is a failure", r4j.timeGuide("Introduction"), {}, "4 timeout; is open"),
  breaker(
    "an overloaded downstream is a failing one",
    envoy.outlierPage("Consecutive Gateway Failure: 503"),
    {},
    "4 overloaded; is open"
  ),
  breaker(
    "slow calls above their rate, whether they answer or not",
    r4j.machineTest("shouldOpenAfterSlowCallRateThresholdExceeded"),
    { windowCalls: 5, minimumCalls: 5, slow: 500, slowRate: 0.5 },
    "1 slow-fail; 1 slow; 1 fail; 1 ok; is closed; 1 slow; is open"
  ),
  breaker(
    "two slow calls of five are less than half",
    r4j.countTest("testSlowCallsPercentage"),
    { windowCalls: 5, minimumCalls: 5, slow: 500, slowRate: 0.5 },
    "1 slow; 1 slow-fail; 3 ok; is closed"
  ),
  breaker(
    "slow calls where nobody asked for their rate",
    r4j.config("slowCallRateThreshold"),
    { slow: 500 },
    "100 slow; is closed",
    { differs: "resilience4j's default rate of 100 % opens when every call is slow; here it is off until asked for" }
  ),
  breaker(
    "a call that takes exactly as long as slow means",
    r4j.measures("onSuccess"),
    { slow: 500, slowRate: 1 },
    "4 slow; is open",
    { differs: "resilience4j calls it slow only when it took longer (`>`)" }
  )
]
