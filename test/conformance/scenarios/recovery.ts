/** How long a breaker stays open, and what an operator may do. */
import { breaker } from "../gates.ts"
import type { Scenario } from "../scenario.ts"
import { cockatiel, envoy, finagle, opossum, polly, r4j } from "../sources.ts"

export const open: ReadonlyArray<Scenario> = [
  breaker(
    "refuses until its wait is over",
    r4j.machineTest("shouldTransitionToHalfOpenAfterWaitDuration"),
    { openFor: 5000 },
    "hand open; rejects 5000; wait 3000; rejects 2000; is open; wait 3000; begin a; is half-open"
  ),
  breaker(
    "the end of the open time is inclusive",
    polly.controllerTest("OnActionPreExecute_HalfOpen"),
    {},
    "4 fail; wait 999; rejects 1; wait 1; 1 ok; is closed"
  ),
  breaker(
    "the very millisecond",
    r4j.machine("OpenState.tryAcquirePermission"),
    { openFor: 5000 },
    "hand open; wait 5000; begin a; is half-open",
    { differs: "resilience4j still refuses at the very end and lets go after it (`isAfter`)" }
  ),
  breaker(
    "a probe at exactly the end",
    cockatiel.breakerTest("closes if the half open test succeeds"),
    {},
    "4 fail; wait 1000; begin a; is half-open; end a ok; is closed"
  ),
  breaker(
    "an open circuit refuses also what would succeed",
    opossum.test("Breaker opens after a configurable number of failures"),
    { failureRate: 0.1, minimumCalls: 1 },
    "1 fail; is open; rejects"
  ),
  breaker(
    "a tenth of a second, and it answers again",
    opossum.test("Breaker resets after a configurable amount of time"),
    { openFor: 100, minimumCalls: 1 },
    "1 fail; rejects 100; wait 100; 1 ok; is closed"
  ),
  breaker(
    "nothing happens by itself: the next call probes",
    r4j.machine("OpenState: scheduled only where the automatic transition is enabled"),
    {},
    "4 fail; wait 3600000; is open; 1 ok; is closed"
  ),
  breaker(
    "refused calls are not outcomes",
    r4j.metricsTest("testCircuitBreakerMetrics: calls not permitted are counted apart"),
    {},
    "4 fail; 1000 rejects; wait 1000; 1 ok; is closed"
  ),
  breaker(
    "the wait grows with each relapse",
    r4j.machineTest("shouldTransitionToHalfOpenAfterWaitInterval"),
    { openFor: 5000, openMax: 60_000 },
    "4 fail; rejects 5000; wait 5000; 1 fail; rejects 10000; wait 10000; 1 fail; rejects 20000",
    { differs: "resilience4j's grows by half each time unless told otherwise, here it doubles" }
  ),
  breaker(
    "the wait has a maximum",
    finagle.factoryTest("a failing service should be revived on a backoff mechanism by default"),
    { openMax: 2000 },
    "4 fail; rejects 1000; wait 1000; 1 fail; rejects 2000; wait 2000; 1 fail; rejects 2000"
  ),
  breaker(
    "the longest ejection",
    envoy.outlierPage("Ejection algorithm: base_ejection_time, max_ejection_time"),
    { openFor: 30_000, openMax: 300_000 },
    "4 fail; rejects 30000; wait 30000; 1 fail; rejects 60000; wait 60000; 1 fail; rejects 120000",
    { differs: "Envoy's time grows by its base each time, here it doubles" }
  ),
  breaker(
    "jitter at its upper end",
    envoy.outlierApi("max_ejection_time_jitter"),
    { jitter: 0.2 },
    "4 fail; rejects 1200; wait 1199; rejects 1; wait 1; 1 ok; is closed",
    { random: 1, differs: "Envoy only adds, here the spread goes to either side" }
  ),
  breaker(
    "jitter at its lower end",
    envoy.outlierApi("max_ejection_time_jitter"),
    { jitter: 0.2 },
    "4 fail; rejects 800; wait 800; 1 ok; is closed",
    { random: 0, differs: "Envoy only adds, here the spread goes to either side" }
  ),
  breaker(
    "a stable period forgets earlier relapses",
    finagle.factoryTest("backoff time should be reset after a success"),
    { stableFor: 30_000 },
    "4 fail; wait 1000; 1 fail; wait 2000; 1 ok; is closed; wait 30000; 4 fail; rejects 1000",
    { differs: "Finagle forgets them at the first success, here after a time without a trip" }
  ),
  breaker(
    "a short recovery does not",
    envoy.outlierPage("Ejection algorithm: the multiplier decreases with time"),
    { stableFor: 30_000 },
    "4 fail; wait 1000; 1 fail; wait 2000; 1 ok; is closed; wait 1000; 4 fail; rejects 4000"
  )
]

export const byHand: ReadonlyArray<Scenario> = [
  breaker(
    "forced open refuses whatever happens",
    r4j.machineTest("shouldForceOpenCircuitBreaker"),
    {},
    "set mode=forced-open; 3 rejects; wait 3600000; rejects; set mode=on; 1 ok"
  ),
  breaker(
    "disabled lets everything pass and counts nothing",
    r4j.machineTest("shouldDisableCircuitBreaker"),
    { mode: "off" },
    "20 fail; is closed; set mode=on; 3 fail; is closed; 1 fail; is open"
  ),
  breaker(
    "switched off and on again while it runs",
    opossum.enableTest("when disabled the circuit should always be closed"),
    { minimumCalls: 1 },
    "set mode=off; 2 fail; is closed; set mode=on; 1 fail; is open"
  ),
  breaker(
    "dark counts what it would do and lets pass",
    r4j.machine("MetricsOnlyState"),
    { mode: "dark" },
    "4 fail; is open; 3 ok; is open; wait 1000; 1 ok; is closed",
    { differs: "resilience4j says once that a threshold is exceeded, here the state is shown that it would have" }
  ),
  breaker(
    "forced closed counts on and never opens",
    r4j.machineTest("shouldForceCloseCircuitBreaker"),
    { mode: "forced-closed" },
    "20 fail; is closed; set mode=on; 1 fail; is open"
  ),
  breaker(
    "isolated by hand until it is closed by hand",
    polly.controllerTest("IsolateAsync_Ok"),
    {},
    "set mode=forced-open; rejects; set mode=on; hand close; 1 ok; is closed"
  ),
  breaker(
    "two who isolate it are one state",
    cockatiel.breakerTest("handles isolation correctly"),
    {},
    "set mode=forced-open; set mode=forced-open; rejects; set mode=on; 1 ok; is closed",
    { differs: "cockatiel counts who isolates and opens up when the last lets go; here the last word holds" }
  ),
  breaker(
    "closed by hand before its time",
    polly.breakerPage("Usage: CloseAsync"),
    {},
    "4 fail; rejects; hand close; 1 ok; is closed"
  ),
  breaker(
    "a reset forgets what was counted",
    r4j.machineTest("shouldResetMetrics"),
    {},
    "3 fail; hand reset; 3 fail; is closed"
  ),
  breaker(
    "a reset closes an open circuit",
    r4j.machineTest("shouldResetToClosedState"),
    {},
    "hand open; hand reset; is closed; 1 ok"
  ),
  breaker(
    "told that the downstream is healthy, it probes at once",
    envoy.outlierApi("successful_active_health_check_uneject_host"),
    {},
    "4 fail; rejects; hand healthy; 1 ok; is closed",
    { differs: "Envoy takes the host back at once, here a probe decides" }
  )
]
