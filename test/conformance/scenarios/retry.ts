/** How often a retry asks again, after which waits, and when it gives up. */
import { Policy } from "@failsoft/core"
import type { Scenario } from "../scenario.ts"
import { written } from "../scenario.ts"
import { aws, cockatiel, envoy, failsafe, grpc, others, polly, r4j, recalled } from "../sources.ts"
import { stack } from "../stacks.ts"

const retry = (options: Policy.RetryOptions) => [written("retry", options), Policy.retry(options)] as const
const unsent = (options: Policy.RetryOptions) => [written("retryUnsent", options), Policy.retryUnsent(options)] as const

const exponential = { backoff: "exponential", base: 100 } as const

export const retries: ReadonlyArray<Scenario> = [
  stack(
    "three attempts are two retries",
    r4j.retryGuide("Examples: three attempts by default"),
    retry({ ...exponential, times: 2 }),
    "fail",
    "0 100 300, failed at 300"
  ),
  stack(
    "stops at the first answer",
    r4j.retryTest("shouldReturnSuccessfullyAfterSecondAttempt"),
    retry({ ...exponential, times: 5 }),
    "fail; ok",
    "0 100, answered at 100"
  ),
  stack(
    "one, two and four seconds",
    polly.delayTest("Exponential_Ok"),
    retry({ times: 3, base: 1000, delayMax: 60_000, backoff: "exponential" }),
    "fail",
    "0 1000 3000 7000, failed at 7000"
  ),
  stack(
    "no wait is longer than the maximum",
    polly.delayTest("MaxDelay_Ok"),
    retry({ times: 4, base: 1000, delayMax: 1500, backoff: "exponential" }),
    "fail",
    "0 1000 2500 4000 5500, failed at 5500"
  ),
  stack(
    "from 128 ms up to half a minute, and no further",
    cockatiel.backoffTest("works"),
    retry({ times: 10, base: 128, delayMax: 30_000, backoff: "exponential" }),
    "fail",
    "0 128 384 896 1920 3968 8064 16256 32640 62640 92640, failed at 92640"
  ),
  stack(
    "four retries are enough",
    cockatiel.backoffTest("sets max retries correctly"),
    retry({ times: 4, base: 128, delayMax: 30_000, backoff: "exponential" }),
    "fail",
    "0 128 384 896 1920, failed at 1920"
  ),
  stack(
    "five retries are six attempts",
    cockatiel.retryTest("bubbles errors when retry attempts exceeded"),
    retry({ ...exponential, times: 5, delayMax: 10_000 }),
    "fail",
    "0 100 300 700 1500 3100, failed at 3100"
  ),
  stack(
    "a final word after a transient one",
    cockatiel.retryTest("filters error types"),
    retry({ ...exponential, times: 5 }),
    "fail; permanent",
    "0 100, permanent at 100"
  ),
  stack(
    "a final word after two transient ones",
    failsafe.retryTest("TestShouldNotRetryOnNonRetriableFailure"),
    retry({ ...exponential, times: 5 }),
    "fail; fail; permanent",
    "0 100 300, permanent at 300"
  ),
  stack(
    "half of each window, with the middle of the randomness",
    grpc.retries("Exponential Backoff"),
    retry({ times: 3, base: 100, delayMax: 1000 }),
    "fail",
    "0 50 150 350, failed at 350"
  ),
  stack(
    "full jitter at its lower end waits not at all",
    aws.backoff("ExpoBackoffFullJitter"),
    retry({ times: 3, base: 100 }),
    "fail",
    "0 0 0 0, failed at 0",
    { random: 0 }
  ),
  stack(
    "decorrelated jitter at its upper end",
    aws.backoff("ExpoBackoffDecorr"),
    retry({ times: 3, base: 100, delayMax: 1000, backoff: "decorrelated" }),
    "fail",
    "0 300 1200 2200, failed at 2200",
    { random: 1 }
  ),
  stack(
    "decorrelated jitter never waits less than its base",
    aws.backoff("ExpoBackoffDecorr"),
    retry({ times: 3, base: 100, backoff: "decorrelated" }),
    "fail",
    "0 100 200 300, failed at 300",
    { random: 0 }
  ),
  stack(
    "full jitter at its upper end, ten times the base at most",
    envoy.routerPage("x-envoy-max-retries: fully jittered exponential back-off"),
    retry({ times: 5, base: 25, delayMax: 250 }),
    "fail",
    "0 25 75 175 375 625, failed at 625",
    { random: 1, differs: "Envoy's windows are 25, 75, 175 and then 250 ms, here they double" }
  ),
  stack(
    "the downstream says when to come again",
    envoy.routerPage("x-envoy-max-retries: Retry-After and X-RateLimit-Reset"),
    retry({ ...exponential, times: 1, delayMax: 2000 }),
    "fail after=1500; ok",
    "0 1500, answered at 1500"
  ),
  stack(
    "but not for a day",
    recalled("Envoy", "rate_limited_retry_back_off: max_interval"),
    retry({ ...exponential, times: 1, delayMax: 2000 }),
    "fail after=86400000; ok",
    "0 2000, answered at 2000",
    { differs: "Envoy falls back to its own back-off, here the wait is cut" }
  ),
  stack(
    "nor earlier than its own backoff",
    recalled("RFC 9110", "section 10.2.3: how long one ought to wait at least"),
    retry({ ...exponential, times: 1 }),
    "fail after=10; ok",
    "0 100, answered at 100"
  ),
  stack(
    "the server pushes back for good",
    grpc.retries("Pushback: a negative value"),
    retry({ ...exponential, times: 5 }),
    "fail never",
    "0, failed at 0"
  ),
  stack(
    "the server pushes back for a while",
    grpc.retries("Pushback: the milliseconds"),
    retry({ ...exponential, times: 1 }),
    "fail after=250; ok",
    "0 250, answered at 250"
  ),
  stack(
    "and then goes back to its own waits",
    grpc.retries("Summary of Retry and Hedging Logic: retry in n ms"),
    retry({ ...exponential, times: 2 }),
    "fail after=250; fail",
    "0 250 450, failed at 450",
    { differs: "gRPC begins its backoff anew after a pushback, here it goes on" }
  ),
  stack(
    "an overloaded server that names no time is left alone",
    envoy.routerPage("x-envoy-retry-on, envoy-ratelimited: only where asked for"),
    retry({ ...exponential, times: 5 }),
    "fail overloaded",
    "0, failed at 0"
  ),
  stack(
    "an overloaded server that names a time is asked then",
    envoy.routerPage("x-envoy-max-retries: rate limited retry back off"),
    retry({ ...exponential, times: 1 }),
    "fail overloaded after=400; ok",
    "0 400, answered at 400"
  ),
  stack(
    "the final word is not asked for again",
    r4j.retryTest("shouldIgnoreExceptionOfDecoratedTry"),
    retry({ times: 5 }),
    "permanent",
    "0, permanent at 0"
  ),
  stack(
    "an open circuit or a full bulkhead within is not hammered",
    polly.retryPage("Defaults, ShouldHandle: all but OperationCanceledException"),
    retry({ times: 5 }),
    "refused",
    "0, BULKHEAD_FULL at 0",
    { differs: "Polly's default retries it too, and its page on breakers shows how to wait for the end of the break" }
  ),
  stack(
    "a bug is not retried",
    others.aip194("Generally non-retryable codes: INTERNAL"),
    retry({ times: 5 }),
    "die",
    "0, died at 0"
  ),
  stack(
    "none at all",
    envoy.routerPage("x-envoy-retry-on: no retries unless configured"),
    retry({ times: 0 }),
    "fail",
    "0, failed at 0"
  ),
  stack(
    "what the server never saw is asked again on any method",
    grpc.retries("Transparent Retries"),
    unsent({ ...exponential, times: 3 }),
    "fail unsent; ok",
    "0 100, answered at 100",
    { differs: "gRPC asks again at once, here after the backoff" }
  ),
  stack(
    "what it may have seen is not",
    grpc.retries("Transparent Retries"),
    unsent({ ...exponential, times: 3 }),
    "fail unsent; fail; ok",
    "0 100, failed at 100"
  ),
  stack(
    "a wait that would reach the deadline is not begun",
    grpc.retries("Maximum Number of Retries: the deadline applies across all attempts"),
    [
      "deadline(500) > retry(times: 5, base: 200, backoff: exponential)",
      Policy.stack(Policy.deadline(500), Policy.retry({ times: 5, base: 200, backoff: "exponential" }))
    ],
    "fail",
    "0 200, failed at 200",
    { differs: "gRPC's design fails at the deadline, here it fails as soon as no attempt can begin before it" }
  ),
  stack(
    "a wait that fits is",
    grpc.retries("Maximum Number of Retries: the deadline applies across all attempts"),
    [
      "deadline(601) > retry(times: 2, base: 200, backoff: exponential)",
      Policy.stack(Policy.deadline(601), Policy.retry({ times: 2, base: 200, backoff: "exponential" }))
    ],
    "fail",
    "0 200 600, failed at 600"
  )
]
