/** How often calls may go: refill, bursts and windows. */
import { rateLimit } from "../gates.ts"
import type { Scenario } from "../scenario.ts"
import { dotnet, envoy, others, polly, r4j } from "../sources.ts"

const bucket = "token-bucket"
const even = "Envoy fills at the end of each interval, here evenly; at these moments it is the same"
const segments = ".NET counts by segments of the window, here each call leaves it by itself"

export const rates: ReadonlyArray<Scenario> = [
  rateLimit(
    "one token at a time",
    envoy.bucketTest("TokenBucket"),
    { algorithm: bucket, permits: 1, window: 200 },
    "1 ok; 2 rejects 200; wait 200; 1 ok; rejects 200"
  ),
  rateLimit(
    "a full bucket does not overflow",
    envoy.bucketTest("TokenBucket: one token stays one"),
    { algorithm: bucket, permits: 1, window: 200 },
    "1 ok; wait 200; wait 200; 1 ok; rejects 200"
  ),
  rateLimit(
    "two tokens per fill",
    envoy.bucketTest("TokenBucketMultipleTokensPerFill"),
    { algorithm: bucket, permits: 2, window: 200 },
    "2 ok; rejects 100; wait 200; 1 ok; wait 200; 2 ok; rejects 100",
    { differs: even }
  ),
  rateLimit(
    "a bucket larger than its fill",
    envoy.bucketTest("TokenBucketMaxTokensGreaterThanTokensPerFill"),
    { algorithm: bucket, permits: 1, window: 200, burst: 2 },
    "2 ok; rejects 200; wait 200; 1 ok; rejects 200"
  ),
  rateLimit(
    "it begins full and never holds more",
    envoy.bucketApi("max_tokens"),
    { algorithm: bucket, permits: 1, window: 1000, burst: 5 },
    "5 ok; rejects 1000; wait 3600000; 5 ok; rejects 1000"
  ),
  rateLimit(
    "ten tokens a second are one every tenth of it",
    others.bucket4j("Refill: greedy"),
    { algorithm: bucket, permits: 10, window: 1000 },
    "10 ok; rejects 100; wait 99; rejects 1; wait 1; 1 ok; rejects 100"
  ),
  rateLimit(
    "a hundred a minute, all at once and none in between",
    others.bucket4j("Refill: interval"),
    { permits: 100, window: 60_000 },
    "100 ok; rejects 60000; wait 59999; rejects 1; wait 1; 100 ok; rejects 60000",
    { differs: "Bucket4j's interval begins with the bucket, here each call counts for its own minute" }
  ),
  rateLimit(
    "the first goes, each next one a fifth of a second later",
    others.guavaTest("testSimple"),
    { algorithm: bucket, permits: 5, window: 1000, burst: 1, waitMax: 1000 },
    "begin a; queues b 200; queues c 400; wait 200; runs b; wait 200; runs c"
  ),
  rateLimit(
    "who comes after its interval goes at once",
    others.guavaTest("testSimpleWithWait"),
    { algorithm: bucket, permits: 5, window: 1000, burst: 1 },
    "1 ok; wait 200; 1 ok; rejects 200"
  ),
  rateLimit(
    "who does not want to wait is refused",
    others.guavaTest("testTryAcquire_noWaitAllowed"),
    { algorithm: bucket, permits: 5, window: 1000, burst: 1 },
    "1 ok; 2 rejects 200; wait 100; rejects 100"
  ),
  rateLimit(
    "who wants to wait for less than its turn takes is refused",
    others.guavaTest("testTryAcquire_someWaitAllowed"),
    { algorithm: bucket, permits: 5, window: 1000, burst: 1, waitMax: 200 },
    "begin a; queues b 200; rejects 400; wait 200; runs b; queues c 200"
  ),
  rateLimit(
    "a second without calls saves a second's permits and no more",
    others.guavaTest("testOneSecondBurst"),
    { algorithm: bucket, permits: 5, window: 1000 },
    "5 ok; wait 2000; 5 ok; rejects 200",
    { differs: "Guava lets one more go on credit and begins empty, here the bucket begins full" }
  ),
  rateLimit(
    "one per cycle",
    r4j.rateTest("acquireAndRefreshWithEventPublishing"),
    { permits: 1, window: 250 },
    "1 ok; rejects 250; wait 250; 1 ok; rejects 250"
  ),
  rateLimit(
    "late in one cycle and early in the next",
    r4j.rateGuide("Introduction: the period of limit refresh"),
    { permits: 1, window: 1000 },
    "wait 900; 1 ok; wait 100; rejects 900",
    {
      differs:
        "resilience4j's cycles are fixed, so both go; here no window has more than its permits, wherever it begins"
    }
  ),
  rateLimit(
    "one reservation, and the next would take too long",
    r4j.rateTest("reserveFewThenSkipCyclesBeforeRefreshNonBlocking"),
    { permits: 1, window: 250, waitMax: 250 },
    "begin a; queues b 250; rejects 500; wait 250; runs b"
  ),
  rateLimit(
    "cycles that nobody used are not saved",
    r4j.rateTest("reserveFewThenSkipCyclesBeforeRefreshNonBlocking, five cycles later"),
    { permits: 1, window: 250 },
    "1 ok; wait 1250; 1 ok; rejects 250"
  ),
  rateLimit(
    "a limit that is raised while it runs",
    r4j.rateGuide("Dynamic rate limiter reconfiguration"),
    { permits: 1, window: 1000 },
    "1 ok; rejects; set permits=2; 1 ok; rejects 1000",
    { differs: "in resilience4j a new limit holds from the next cycle on, here at once" }
  ),
  rateLimit(
    "a lease that is given back is no new token",
    dotnet.tokenTest("CanAcquireResource"),
    { algorithm: bucket, permits: 1, window: 200 },
    "begin a; rejects 200; end a ok; rejects 200; wait 200; 1 ok"
  ),
  rateLimit(
    "the queue is served in order of arrival",
    dotnet.tokenTest("CanAcquireResourceAsync_QueuesAndGrabsOldest"),
    { algorithm: bucket, permits: 1, window: 200, waitMax: 400 },
    "begin a; queues b 200; queues c 400; wait 200; runs b; wait 200; runs c; queues d 200"
  ),
  rateLimit(
    "who waits no longer leaves its token to others",
    dotnet.tokenTest("CanCancelWaitAndAcquireAsyncAfterQueuing"),
    { algorithm: bucket, permits: 1, window: 200, waitMax: 200 },
    "begin a; queues b 200; leaves b; wait 200; 1 ok"
  ),
  rateLimit(
    "a window of two segments has room again when both are over",
    dotnet.slidingTest("CanAcquireResource"),
    { permits: 1, window: 1000 },
    "1 ok; rejects 1000; wait 500; rejects 500; wait 500; 1 ok",
    { differs: segments }
  ),
  rateLimit(
    "one in ten seconds, and the next after them",
    polly.ratePage("Rate Limiter: happy path"),
    { permits: 1, window: 10_000 },
    "1 ok; wait 10000; 1 ok"
  ),
  rateLimit(
    "a second one within them is refused",
    polly.ratePage("Rate limiter: unhappy path"),
    { permits: 1, window: 10_000 },
    "1 ok; wait 3000; rejects 7000"
  ),
  rateLimit(
    "ten a second without a burst: ten milliseconds later is too early",
    others.nginx("the bucket leaks one slot every 100 ms"),
    { algorithm: bucket, permits: 10, window: 1000, burst: 1 },
    "1 ok; wait 10; rejects 90; wait 90; 1 ok"
  )
]
