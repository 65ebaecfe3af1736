/** How often a retry asks again, after which waits, and when it gives up. */
import { Policy } from "@failsoft/core"
import type { Scenario } from "../scenario.ts"
import { written } from "../scenario.ts"
import { budget, stack } from "../stacks.ts"

const retry = (options: Policy.RetryOptions) => [written("retry", options), Policy.retry(options)] as const
const unsent = (options: Policy.RetryOptions) => [written("retryUnsent", options), Policy.retryUnsent(options)] as const

const exponential = { backoff: "exponential", base: 100 } as const

export const retries: ReadonlyArray<Scenario> = [
  stack(
    "three attempts are two retries",
    "resilience4j, retry guide: maxAttempts counts the first call",
    retry({ ...exponential, times: 2 }),
    "fail",
    "0 100 300, failed at 300"
  ),
  stack(
    "stops at the first answer",
    "resilience4j, RetryImplTest: returns after the first success",
    retry({ ...exponential, times: 5 }),
    "fail; fail; ok",
    "0 100 300, answered at 300"
  ),
  stack(
    "one, two and four seconds",
    "Polly, retry docs: exponential delays",
    retry({ times: 3, base: 1000, delayMax: 60_000, backoff: "exponential" }),
    "fail",
    "0 1000 3000 7000, failed at 7000"
  ),
  stack(
    "no wait is longer than the maximum",
    "Polly, retry docs: MaxDelay",
    retry({ times: 4, base: 1000, delayMax: 1500, backoff: "exponential" }),
    "fail",
    "0 1000 2500 4000 5500, failed at 5500"
  ),
  stack(
    "the maximum holds for ever",
    "cockatiel, ExponentialBackoff.test: maxDelay",
    retry({ times: 6, base: 128, delayMax: 300, backoff: "exponential" }),
    "fail",
    "0 128 384 684 984 1284 1584, failed at 1584"
  ),
  stack(
    "half of each window, with the middle of the randomness",
    "gRPC, proposal A6: random(0, min(initial × multiplierⁿ, max))",
    retry({ times: 3, base: 100, delayMax: 1000 }),
    "fail",
    "0 50 150 350, failed at 350"
  ),
  stack(
    "full jitter at its lower end waits not at all",
    "AWS, Exponential Backoff and Jitter (2015): full jitter",
    retry({ times: 3, base: 100 }),
    "fail",
    "0 0 0 0, failed at 0",
    { random: 0 }
  ),
  stack(
    "decorrelated jitter at its upper end",
    "AWS, Exponential Backoff and Jitter (2015): decorrelated jitter",
    retry({ times: 3, base: 100, delayMax: 1000, backoff: "decorrelated" }),
    "fail",
    "0 300 1200 2200, failed at 2200",
    { random: 1 }
  ),
  stack(
    "decorrelated jitter never waits less than its base",
    "AWS, Exponential Backoff and Jitter (2015): decorrelated jitter",
    retry({ times: 3, base: 100, backoff: "decorrelated" }),
    "fail",
    "0 100 200 300, failed at 300",
    { random: 0 }
  ),
  stack(
    "a floor under all waits",
    "Envoy, retry back-off: base_interval",
    retry({ times: 2, base: 1, delayMin: 25, backoff: "exponential" }),
    "fail",
    "0 25 50, failed at 50"
  ),
  stack(
    "the downstream says when to come again",
    "Envoy, rate_limited_retry_back_off: reset headers",
    retry({ ...exponential, times: 1, delayMax: 2000 }),
    "fail after=1500; ok",
    "0 1500, answered at 1500"
  ),
  stack(
    "but not for a day",
    "Envoy, rate_limited_retry_back_off: max_interval",
    retry({ ...exponential, times: 1, delayMax: 2000 }),
    "fail after=86400000; ok",
    "0 2000, answered at 2000",
    { differs: "Envoy falls back to its own back-off, here the wait is cut" }
  ),
  stack(
    "nor earlier than its own backoff",
    "RFC 9110 section 10.2.3: Retry-After says how long to wait at least",
    retry({ ...exponential, times: 1 }),
    "fail after=10; ok",
    "0 100, answered at 100"
  ),
  stack(
    "the server pushes back for good",
    "gRPC, proposal A6: a negative pushback stops retries",
    retry({ ...exponential, times: 5 }),
    "fail never",
    "0, failed at 0"
  ),
  stack(
    "the server pushes back for a while",
    "gRPC, proposal A6: pushback says the milliseconds",
    retry({ ...exponential, times: 1 }),
    "fail after=250; ok",
    "0 250, answered at 250"
  ),
  stack(
    "an overloaded server that names no time is left alone",
    "Envoy, router: x-envoy-ratelimited is not retried by default",
    retry({ ...exponential, times: 5 }),
    "fail overloaded",
    "0, failed at 0"
  ),
  stack(
    "an overloaded server that names a time is asked then",
    "Envoy, rate_limited_retry_back_off",
    retry({ ...exponential, times: 1 }),
    "fail overloaded after=400; ok",
    "0 400, answered at 400"
  ),
  stack(
    "the final word is not asked for again",
    "resilience4j, retry guide: ignoreExceptions",
    retry({ times: 5 }),
    "permanent",
    "0, permanent at 0"
  ),
  stack(
    "an open circuit or a full bulkhead within is not hammered",
    "Polly, docs: do not handle BrokenCircuitException in an outer retry",
    retry({ times: 5 }),
    "refused",
    "0, BULKHEAD_FULL at 0",
    { differs: "Polly's default handles it and retries" }
  ),
  stack(
    "a bug is not retried",
    "AIP-194: INTERNAL is generally not retried",
    retry({ times: 5 }),
    "die",
    "0, died at 0"
  ),
  stack("none at all", "failsafe-go, retrypolicy: WithMaxRetries(0)", retry({ times: 0 }), "fail", "0, failed at 0"),
  stack(
    "what the server never saw is asked again on any method",
    "gRPC, proposal A6: transparent retries",
    unsent({ ...exponential, times: 3 }),
    "fail unsent; ok",
    "0 100, answered at 100"
  ),
  stack(
    "what it may have seen is not",
    "gRPC, proposal A6: transparent retries",
    unsent({ ...exponential, times: 3 }),
    "fail unsent; fail; ok",
    "0 100, failed at 100"
  ),
  stack(
    "a wait that would reach the deadline is not begun",
    "failsafe-go, retrypolicy: WithMaxDuration",
    [
      "deadline(500) > retry(times: 5, base: 200, backoff: exponential)",
      Policy.stack(Policy.deadline(500), Policy.retry({ times: 5, base: 200, backoff: "exponential" }))
    ],
    "fail",
    "0 200, failed at 200"
  ),
  stack(
    "a wait that fits is",
    "failsafe-go, retrypolicy: WithMaxDuration",
    [
      "deadline(601) > retry(times: 2, base: 200, backoff: exponential)",
      Policy.stack(Policy.deadline(601), Policy.retry({ times: 2, base: 200, backoff: "exponential" }))
    ],
    "fail",
    "0 200 600, failed at 600"
  )
]

export const budgets: ReadonlyArray<Scenario> = [
  budget(
    "every ten calls give one retry",
    "Finagle, RetryBudgetTest: apply minRetriesPerSec=0, 10 %",
    { ratio: 0.1, perSecond: 0 },
    "9 calls; denied; 1 call; 1 retry; denied"
  ),
  budget(
    "every four calls give three",
    "Finagle, RetryBudgetTest: apply minRetriesPerSec=0, 75 %",
    { ratio: 0.75, perSecond: 0 },
    "4 calls; 3 retries; denied"
  ),
  budget(
    "ten thousand calls",
    "Finagle, RetryBudgetTest: apply minRetriesPerSec=0, 0.01 %",
    { ratio: 0.0001, perSecond: 0 },
    "10000 calls; 1 retry; denied"
  ),
  budget(
    "a share that binary fractions cannot hold",
    "Finagle, RetryBudgetTest: apply minRetriesPerSec=0, any percentage within one retry",
    { ratio: 0.29, perSecond: 0 },
    "100 calls; 29 retries; denied"
  ),
  budget(
    "an empty budget stays empty",
    "Finagle, RetryBudgetTest: Empty",
    { ratio: 0, perSecond: 0 },
    "1000 calls; denied"
  ),
  budget(
    "a constant rate over its ten seconds, without any call",
    "Finagle, RetryBudgetTest: apply with minRetries and maxPercentOver=0",
    { ratio: 0, perSecond: 5 },
    "50 retries; denied"
  ),
  budget(
    "both together",
    "Finagle, RetryBudgetTest: apply with minRetries and maxPercentOver",
    { ratio: 0.5, perSecond: 1 },
    "10 calls; 15 retries; denied"
  ),
  budget(
    "what calls earned expires",
    "Finagle, RetryBudget: ttl",
    { ratio: 0.2, perSecond: 0 },
    "10 calls; wait 10000; denied"
  ),
  budget(
    "what was spent comes back",
    "Finagle, RetryBudget: ttl",
    { ratio: 0, perSecond: 1 },
    "10 retries; denied; wait 10000; 10 retries; denied"
  ),
  budget(
    "three retries even without traffic",
    "Envoy, retry_budget: min_retry_concurrency",
    { ratio: 0.2, perSecond: 0.3 },
    "3 retries; denied; 5 calls; 1 retry; denied",
    { differs: "Envoy counts what runs at the moment, here what came in ten seconds" }
  ),
  budget(
    "a downstream that fails all gets a tenth more at most",
    "gRPC, proposal A6: retry throttling, tokenRatio 0.1",
    { ratio: 0.1, perSecond: 0 },
    "100 calls; 10 retries; denied",
    { differs: "gRPC lets only successes earn and stops at half of its tokens" }
  ),
  budget(
    "a full bucket is not larger than its window",
    "AWS SDK, standard retry mode: retry quota",
    { ratio: 0, perSecond: 10 },
    "wait 3600000; 100 retries; denied",
    { differs: "AWS pays 5 of 500 tokens for a retry and gets them back by a success" }
  )
]
