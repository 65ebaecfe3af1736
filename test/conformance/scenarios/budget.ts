/** How many retries all calls may have together. */
import type { Scenario } from "../scenario.ts"
import { aws, envoy, finagle, grpc } from "../sources.ts"
import { budget } from "../stacks.ts"

export const budgets: ReadonlyArray<Scenario> = [
  budget(
    "every ten calls give one retry",
    finagle.budgetTest("apply minRetriesPerSec=0, 0.1"),
    { ratio: 0.1, perSecond: 0 },
    "9 calls; denied; 1 call; 1 retry; denied"
  ),
  budget(
    "every two calls give one",
    finagle.budgetTest("apply minRetriesPerSec=0, 0.5"),
    { ratio: 0.5, perSecond: 0 },
    "1 call; denied; 1 call; 1 retry; denied"
  ),
  budget(
    "every four calls give one",
    finagle.budgetTest("apply minRetriesPerSec=0, 0.25"),
    { ratio: 0.25, perSecond: 0 },
    "3 calls; denied; 1 call; 1 retry; denied"
  ),
  budget(
    "every four calls give three",
    finagle.budgetTest("apply minRetriesPerSec=0, 0.75"),
    { ratio: 0.75, perSecond: 0 },
    "4 calls; 3 retries; denied"
  ),
  budget(
    "ten thousand calls",
    finagle.budgetTest("apply minRetriesPerSec=0, 0.0001"),
    { ratio: 0.0001, perSecond: 0 },
    "10000 calls; 1 retry; denied"
  ),
  budget(
    "a share that binary fractions cannot hold",
    finagle.budgetTest("testBudget: within one retry, for its scale is not perfect"),
    { ratio: 0.29, perSecond: 0 },
    "100 calls; 29 retries; denied"
  ),
  budget("an empty budget stays empty", finagle.budgetTest("Empty"), { ratio: 0, perSecond: 0 }, "1000 calls; denied"),
  budget(
    "a constant rate over its ten seconds, without any call",
    finagle.budgetTest("apply with minRetries and maxPercentOver=0"),
    { ratio: 0, perSecond: 5 },
    "50 retries; denied"
  ),
  budget(
    "both together",
    finagle.budgetTest("apply with minRetries and maxPercentOver"),
    { ratio: 0.5, perSecond: 1 },
    "10 calls; 15 retries; denied"
  ),
  budget(
    "what calls earned expires",
    finagle.budget("apply, ttl"),
    { ratio: 0.2, perSecond: 0 },
    "10 calls; wait 10000; denied"
  ),
  budget(
    "what was spent comes back",
    finagle.budget("apply, minRetriesPerSec over ttl"),
    { ratio: 0, perSecond: 1 },
    "10 retries; denied; wait 10000; 10 retries; denied"
  ),
  budget(
    "three retries even without traffic",
    envoy.limitsApi("RetryBudget: budget_percent, min_retry_concurrency"),
    { ratio: 0.2, perSecond: 0.3 },
    "3 retries; denied; 5 calls; 1 retry; denied",
    { differs: "Envoy counts what runs at the moment, here what came in ten seconds" }
  ),
  budget(
    "a downstream that fails all gets a tenth more at most",
    grpc.retries("Throttling Retry Attempts and Hedged RPCs"),
    { ratio: 0.1, perSecond: 0 },
    "100 calls; 10 retries; denied",
    { differs: "gRPC lets only successes earn and stops at half of its tokens" }
  ),
  budget(
    "a full bucket is not larger than its window",
    aws.quotaTest("ensures availableCapacity is maxed at INITIAL_RETRY_TOKENS"),
    { ratio: 0, perSecond: 10 },
    "wait 3600000; 100 retries; denied",
    { differs: "AWS pays 5 of 500 tokens for a retry and gets them back by successes, not by time" }
  )
]
