/** Permits and their queue. */
import { bulkhead } from "../gates.ts"
import type { Scenario } from "../scenario.ts"

export const bulkheads: ReadonlyArray<Scenario> = [
  bulkhead(
    "two at once, the third is refused without a wait",
    "resilience4j, SemaphoreBulkheadTest: maxConcurrentCalls 2, maxWaitDuration 0",
    { permits: 2, queueMax: 0 },
    "begin a; begin b; rejects"
  ),
  bulkhead(
    "a call that ends makes room",
    "resilience4j, SemaphoreBulkheadTest",
    { permits: 1, queueMax: 0 },
    "begin a; rejects; end a ok; begin b"
  ),
  bulkhead(
    "however it ends",
    "Polly, concurrency limiter: the lease is disposed in every case",
    { permits: 1, queueMax: 0 },
    "begin a; end a fail; begin b; end b abort; begin c; end c die; begin d; end d inner-refusal; begin e; rejects"
  ),
  bulkhead(
    "a queue behind the permits",
    "resilience4j, ThreadPoolBulkheadTest: queueCapacity",
    { permits: 1, queueMax: 1 },
    "begin a; queues b; rejects; end a ok; runs b"
  ),
  bulkhead(
    "the queue is served in order of arrival",
    ".NET ConcurrencyLimiter, used by Polly: QueueProcessingOrder.OldestFirst",
    { permits: 1, queueMax: 3 },
    "begin a; queues b; queues c; queues d; end a ok; runs b; end b ok; runs c; end c ok; runs d"
  ),
  bulkhead(
    "or the latest first",
    ".NET ConcurrencyLimiter, used by Polly: QueueProcessingOrder.NewestFirst",
    { permits: 1, queueMax: 3, order: "lifo" },
    "begin a; queues b; queues c; queues d; end a ok; runs d; end d ok; runs c; end c ok; runs b",
    { differs: ".NET drops the oldest when the queue is full, here the newcomer is refused" }
  ),
  bulkhead(
    "the latest first while the queue is long, in order when it is short again",
    "Facebook, Fail at Scale (2015): adaptive LIFO",
    { permits: 1, queueMax: 4, order: "adaptive" },
    "begin a; queues b; queues c; queues d; end a ok; runs d; end d ok; runs b; end b ok; runs c"
  ),
  bulkhead(
    "who waits no longer is passed over",
    "cockatiel, BulkheadPolicy.test: aborts while queued",
    { permits: 1, queueMax: 2 },
    "begin a; queues b; queues c; leaves b; end a ok; runs c"
  ),
  bulkhead(
    "who waits no longer frees its place at once",
    "cockatiel, BulkheadPolicy.test: aborts while queued",
    { permits: 1, queueMax: 1 },
    "begin a; queues b; rejects; leaves b; queues c; rejects",
    { differs: "cockatiel keeps the place of an aborted waiter until it would be its turn" }
  ),
  bulkhead(
    "a wait has its limit",
    "failsafe-go, bulkhead: WithMaxWaitTime",
    { permits: 1, queueMax: 1, waitMax: 200 },
    "begin a; queues b 200"
  ),
  bulkhead(
    "a capacity of one",
    "opossum, semaphore-test.js: capacity",
    { permits: 1, queueMax: 0 },
    "begin a; rejects; end a ok; 1 ok"
  ),
  bulkhead(
    "concurrent and pending requests are limited apart",
    "Envoy, circuit breaking: max_requests, max_pending_requests",
    { permits: 2, queueMax: 1 },
    "begin a; begin b; queues c; rejects; end b ok; runs c; queues d; rejects"
  ),
  bulkhead(
    "a permit passes on directly: a newcomer does not overtake the queue",
    ".NET ConcurrencyLimiter, used by Polly: a queue is fair",
    { permits: 1, queueMax: 2 },
    "begin a; queues b; end a ok; runs b; queues c; end b ok; runs c"
  ),
  bulkhead(
    "more permits take effect at once",
    "resilience4j, SemaphoreBulkheadTest: changeConfig",
    { permits: 1, queueMax: 2 },
    "begin a; queues b; queues c; rejects; set permits=3; runs b; runs c"
  ),
  bulkhead(
    "fewer permits take effect as calls end",
    "resilience4j, SemaphoreBulkheadTest: changeConfig",
    { permits: 2, queueMax: 0 },
    "begin a; begin b; set permits=1; end a ok; rejects; end b ok; begin c; rejects"
  ),
  bulkhead(
    "dark lets pass",
    "Finagle, admission control: dark mode first",
    { permits: 1, queueMax: 0, mode: "dark" },
    "begin a; begin b; begin c; end a ok; end b ok; end c ok; set mode=on; begin d; rejects"
  )
]
